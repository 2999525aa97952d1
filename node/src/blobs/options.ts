import type { Config } from '@cuadro/protocol';
/** The named bounds of the blob store, each with its reason. */

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

export interface BlobStoreOptions {
  /**
   * What the store may hold, pinned, cached and half fetched together. 200 GiB: a season of frames of a small studio, and no
   * more than half of a common disk; the owner sets it in the configuration.
   */
  readonly quotaBytes: number;
  /**
   * Free disk below which nothing is stored. 2 GiB: room for the records, the logs, Blender's temporary files of
   * two slots, and an operating system that stays usable.
   */
  readonly reserveBytes: number;
  /** Largest blob that `read` returns in memory. 64 MiB: a 4k float EXR, not a movie. */
  readonly readBytesMax: number;
  /** Threads that hash and copy. One keeps a disk busy; the second lets a small file pass a large one. */
  readonly hashThreads: number;
  /**
   * How long an idle one of them is kept. It holds 12 MB and starts in 40 ms: 2 s keep it while frames of a second
   * follow each other, and cost frames that come more slowly one or two hundredths of their time.
   */
  readonly hashIdleMs: number;
  /** Puts, and copies out of the store, in flight at once: enough to share folder syncs, few open files. */
  readonly concurrency: number;
  /**
   * Files open at once of all that arrives in pieces. 64: more than the requests that bring pieces and the uploads that
   * pass them on, so that none waits; a quarter of what the strictest common system lets a process open.
   */
  readonly openParts: number;
}

export const defaultBlobStoreOptions: BlobStoreOptions = {
  quotaBytes: 200 * gibibyte,
  reserveBytes: 2 * gibibyte,
  readBytesMax: 64 * mebibyte,
  hashThreads: 2,
  hashIdleMs: 2_000,
  concurrency: 16,
  openParts: 64,
};

export const blobLimits = {
  /** Files up to this size are read whole and hashed in the thread pool; the trip to a worker would cost more. */
  inlineBytes: 256 * 1024,
  /** What a worker reads at once: 1 MiB is past the knee of read cost, and small beside any budget. */
  readChunkBytes: mebibyte,
  /** Pieces of 1 MiB up to 1 GiB, 2 MiB up to 4 GiB, 4 MiB above: lists stay short, pieces stay quick to verify. */
  pieceBytesMin: mebibyte,
  pieceBytesMax: 4 * mebibyte,
  pieceGrowBytes: gibibyte,
  /** What a check that gives way reads of a large file at once: whole pieces, and a tenth of a second of a slow disk. */
  checkStretchBytes: 16 * mebibyte,
  /** Pieces whose hashes are kept in memory, of blobs that are served: 4 GiB and more, in less than 1 MB. */
  manifestPiecesKept: 4_096,
  /** Largest blob: 1 TiB keeps a manifest at 8 MiB and sizes far inside exact integers. */
  blobBytesMax: 1024 * gibibyte,
  /** A blob's last use is written to disk at most this often: it only orders eviction after a restart. */
  touchIntervalMs: 3_600_000,
  /** Pin journals are rewritten at start when they have this many lines more than pins. */
  pinJournalSlackLines: 1_000,
  /** Longest pin owner: ids are far shorter. */
  pinOwnerLength: 200,
  /** Damaged blobs kept for a look; the oldest go first. Evidence, not an archive. */
  quarantineFiles: 16,
  /**
   * Half-fetched blobs kept for going on with; of more the oldest are given up. A fetch that ends leaves all large files
   * of its bundle so, which are thousands in a production scene. Each costs a quarter of a kilobyte and 60 µs of the
   * start, all of them half a second; none is open.
   */
  unfinishedFiles: 8_192,
  /** …and how long after their last piece, in milliseconds: two weeks, over a holiday. What is older nobody fetches. */
  unfinishedMs: 1_209_600_000,
  /** Looks at them at the same time: more than that the threads of the process don't do at once. */
  unfinishedAtOnce: 16,
  /** Files of one tree: a production scene has thousands. */
  treeEntries: 200_000,
  /** Longest relative path of a tree in bytes, and of one name: what all file systems take below a data folder. */
  treePathBytes: 1_024,
  treeNameBytes: 255,
} as const;

/** Size of the pieces of a blob of `sizeBytes`: a pure function, so that all holders cut alike. */
export function pieceBytesFor(sizeBytes: number): number {
  if (sizeBytes <= blobLimits.pieceGrowBytes) return blobLimits.pieceBytesMin;
  if (sizeBytes <= 4 * blobLimits.pieceGrowBytes) return 2 * blobLimits.pieceBytesMin;
  return blobLimits.pieceBytesMax;
}

/** What a machine's owner set of them. */
export const blobOptionsOf = (
  config: Pick<Config, 'quotaGiB' | 'reserveGiB'>,
): { quotaBytes: number; reserveBytes: number } => ({
  quotaBytes: config.quotaGiB * gibibyte,
  reserveBytes: config.reserveGiB * gibibyte,
});
