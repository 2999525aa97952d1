import type { BlobStore } from '../blobs/interface.ts';
import type { Lack, Loaded, RecordStore } from '../store/interface.ts';
import { markLack, openLack } from '../store/lack.ts';
import { asideOf } from '../store/rescue.ts';
import type { Logger } from '../system/interface.ts';

/** What becomes of it. */
const BACK =
  'What is missing comes back from other machines; until then the files of jobs that are unknown here are kept.';

const SENTENCES: Readonly<Record<NonNullable<Loaded['lacks']>, string>> = {
  cut: `Some of the latest writes of the records were lost, as by a power cut or a bad sector, before this start or an earlier one. ${BACK}`,
  rescued: `The database of the records was damaged. What can be read of it is used, and the damaged files were put aside. ${BACK}`,
  aside: `The database of the records was damaged before an earlier start, and put aside. ${BACK}`,
  gone: `The records were gone, at this start or an earlier one, and files of jobs are here. ${BACK}`,
};

export interface Lacking {
  /** The highest term seen, or one beyond all that may have been. */
  readonly term: number;
  /** Why records that were stored may be missing (SPEC R173). */
  readonly lacks?: Loaded['lacks'];
  /** The mark of it, which every start finds until it is ended. */
  readonly lack?: Lack;
}

/** Finds what may be missing of the records in `folder`, of which `loaded` was read, and says so in the log. */
export async function findLacking(
  { store, blobs, logger }: { store: RecordStore; blobs: Pick<BlobStore, 'pinOwners'>; logger: Logger },
  folder: string,
  loaded: Pick<Loaded, 'term' | 'lacks'> & { count: number },
): Promise<Lacking> {
  let { term, lacks } = loaded;
  // Files that are kept for jobs, and not one record: it is the records that are gone.
  if (lacks === undefined && loaded.count === 0 && blobs.pinOwners().length > 0) {
    // Before anything is written, which the next start would find.
    await markLack(folder, 'gone');
    ({ term, lacks } = await store.load());
  }
  if (lacks === undefined) return { term };
  if (lacks === 'rescued') logger.error(SENTENCES[lacks], { aside: asideOf(folder) });
  else logger.warn(SENTENCES[lacks]);
  const lack = await openLack(folder);
  return { term, lacks, ...(lack !== undefined && { lack }) };
}
