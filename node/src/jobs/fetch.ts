import { CuadroError, type FetchedView, type JobId } from '@cuadro/protocol';
import { reasonOf } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { JobsComponents } from './interface.ts';
import { OutputNames, writeOutput } from './output-file.ts';

/** Writes all finished files of a job to any folder of this machine; what can't be had is named, and the rest written. */
export async function fetchJob(
  components: JobsComponents,
  job: JobId,
  folder: string,
  options: { overwrite: boolean; signal: AbortSignal },
): Promise<FetchedView> {
  const { queries } = components.driver;
  if (queries.jobRecord(job) === undefined) throw new CuadroError('job-not-found', { job });
  const fetched: FetchedView = { folder, written: 0, alreadyThere: 0, keptForeign: [], missing: [] };
  const unwritable = (cause: unknown): never => {
    throw new CuadroError('output-unwritable', { path: folder, why: reasonOf(cause) }, { cause });
  };
  await makeFolder(folder).catch(unwritable);
  await components.temporaries.sweep(folder);
  const names = new OutputNames();
  for (const index of queries.tasksWithResult(job)) {
    const number = queries.plannedTask(job, index)?.number ?? index;
    for (const { blob, name: own } of queries.resultAtHand(job, index)?.files ?? []) {
      const name = names.take(own, { index, number });
      try {
        await components.content.ensure(blob, { job, task: index }, { signal: options.signal });
        const outcome = await writeOutput(components, { blob, name }, folder, options);
        if (outcome === 'kept-foreign') fetched.keptForeign.push(name);
        else if (outcome === 'already-there') fetched.alreadyThere++;
        else fetched.written++;
      } catch (error) {
        options.signal.throwIfAborted();
        if (!isContentFault(error)) unwritable(error);
        fetched.missing.push(name);
      }
    }
  }
  return fetched;
}

/** Whether one file is at fault (its content isn't here whole, its name is unusable), and not the folder. */
function isContentFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    code === 'blob-not-found' ||
    code === 'blob-unreachable' ||
    code === 'blob-corrupt' ||
    code === 'path-unsafe'
  );
}
