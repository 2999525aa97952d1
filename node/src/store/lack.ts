import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createFileSynced, replaceDurably, syncFolder } from '../system/files.ts';
import type { Lack } from './interface.ts';
import { localFromText, localToText } from './local-text.ts';
import { asideOf } from './rescue.ts';

/**
 * That records which were here may be missing (SPEC R173), marked in a file beside their folder. The database tells of
 * it only once: to open one whose log was cut or garbled makes a new log, and to exchange a damaged one leaves a whole one. So the
 * mark is durable before that, and stands until somebody ends it, however often the node is started meanwhile.
 */

/** Some of the latest writes were lost, the database was damaged, or all of it was gone. */
export type WhyLacking = 'cut' | 'damaged' | 'gone';

export interface LackMark {
  readonly why: WhyLacking;
  /** How long the node has run since. */
  readonly ranMs: number;
  /** The stored term may be older than one that was seen; one beyond all that the records tell of isn't durable yet. */
  readonly isTermOld: boolean;
}

export const lackMarkOf = (folder: string): string => `${folder}.lacking`;
/** Within a database that was put aside: what it may lack is in doubt no more. */
const overOf = (folder: string): string => join(asideOf(folder), 'over');

/** What may be missing of the records in `folder`. */
export async function lackIn(folder: string): Promise<LackMark | undefined> {
  const text = await readFile(lackMarkOf(folder), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  });
  if (text !== undefined) return lackFromText(text);
  const isAside = existsSync(asideOf(folder)) && !existsSync(overOf(folder));
  return isAside ? newLack('damaged') : undefined;
}

/** A mark that is damaged still says what it is there for; the time is counted anew. */
export function lackFromText(text: string): LackMark {
  let value: Partial<LackMark> | undefined;
  try {
    value = localFromText(text) as Partial<LackMark> | undefined;
  } catch {
    value = undefined;
  }
  const { why, ranMs, isTermOld } = value ?? {};
  const isWhole =
    (why === 'cut' || why === 'damaged' || why === 'gone') &&
    typeof ranMs === 'number' &&
    ranMs >= 0 &&
    Number.isFinite(ranMs) &&
    typeof isTermOld === 'boolean';
  // JSON reads `-0`, and writes it as 0.
  return isWhole ? { why, ranMs: Math.abs(ranMs), isTermOld } : newLack('cut');
}

const newLack = (why: WhyLacking): LackMark => ({ why, ranMs: 0, isTermOld: true });

/** From now on records may be missing; the time begins anew. Durable once it resolves. */
export function markLack(folder: string, why: WhyLacking): Promise<void> {
  return writeMark(folder, newLack(why));
}

/** The stored term is beyond all that may be missing. */
export function markTermTaken(folder: string, mark: LackMark): Promise<void> {
  return writeMark(folder, { ...mark, isTermOld: false });
}

export async function openLack(folder: string): Promise<Lack | undefined> {
  const mark = await lackIn(folder);
  return mark === undefined ? undefined : new MarkedLack(folder, mark);
}

class MarkedLack implements Lack {
  readonly #folder: string;
  #mark: LackMark;

  constructor(folder: string, mark: LackMark) {
    this.#folder = folder;
    this.#mark = mark;
  }

  get ranMs(): number {
    return this.#mark.ranMs;
  }

  async ran(ms: number): Promise<void> {
    this.#mark = { ...this.#mark, ranMs: this.#mark.ranMs + ms };
    await writeMark(this.#folder, this.#mark);
  }

  async end(): Promise<void> {
    const over = overOf(this.#folder);
    if (existsSync(dirname(over)) && !existsSync(over)) {
      await createFileSynced(over, '');
      await syncFolder(dirname(over));
    }
    await rm(lackMarkOf(this.#folder), { force: true });
    await syncFolder(dirname(this.#folder));
  }
}

/** The data folder is one process's at a time, so one name for what isn't whole yet is enough. */
async function writeMark(folder: string, mark: LackMark): Promise<void> {
  const path = lackMarkOf(folder);
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  await replaceDurably(fresh, path, localToText(mark));
}
