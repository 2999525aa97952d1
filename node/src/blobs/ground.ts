import { type FileCalls, systemFileCalls } from '../system/file-calls.ts';
import { type HashThread, spawnHashThread } from './hasher.ts';
import type { BlobHash } from './interface.ts';
import { digest } from './pieces.ts';

/** What a store stands on: a machine's own files and threads, or the simulator's. */
export interface BlobGround {
  readonly files: FileCalls;
  /** Brings a thread that does hash-jobs.ts on the same files. */
  readonly spawn: () => HashThread;
  /** Hashes what is in memory. */
  readonly digest: (bytes: Uint8Array) => Promise<BlobHash>;
}

export const systemGround: BlobGround = { files: systemFileCalls, spawn: spawnHashThread, digest };
