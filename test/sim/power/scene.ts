import type { BlobHash, BlobStore } from '../../../node/src/blobs/interface.ts';
import type { ManualClock } from '../../../node/src/system/manual-clock.ts';
import type { TemporaryFiles } from '../../../node/src/system/temporary-files.ts';
import type { Dice } from '../dice.ts';
import type { ProcessFiles } from './calls.ts';
import type { Content } from './contents.ts';
import type { Ledger } from './ledger.ts';
import type { Refusals } from './refusals.ts';
import type { Volume } from './volume.ts';

/** What outlives a process. */
export interface Scene {
  readonly volume: Volume;
  readonly dice: Dice;
  readonly ledger: Ledger;
  readonly refusals: Refusals;
  readonly outputs: Map<string, Output>;
  /** What this run puts into its store. */
  readonly contents: readonly Content[];
  /** Trees by their name; each is restored into a folder of its name. */
  readonly trees: Map<string, readonly Content[]>;
  readonly quotaBytes: number;
  /** Changes with each power cut. */
  bootId: string;
  /** Names for files that others put. */
  names: number;
}

/** A process of the node. */
export interface Life {
  readonly files: ProcessFiles;
  readonly store: BlobStore;
  readonly temporaries: TemporaryFiles;
  readonly clock: ManualClock;
  /** What one at a time may do: places, and trees. */
  readonly busy: Set<string>;
}

/** A file that is collected. */
export interface Output {
  /** What may stand there; undefined for nothing. */
  readonly possible: Set<BlobHash | undefined>;
}

export const DATA = '/machine/data';
export const OUTPUT = '/machine/output';
/** The folders below it: itself, and one that is made for what is collected. */
export const PASSES = ['', 'passes/'] as const;
export const OWNERS = ['job-1', 'job-12', 'job-123', 'x'] as const;
/** A quota that no history comes to. */
export const ROOMY_BYTES = 200 * 2 ** 30;
