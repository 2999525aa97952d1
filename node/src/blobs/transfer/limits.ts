/** Bounds of the transfer, each with its reason. */

const MEBIBYTE = 2 ** 20;

export interface TransferOptions {
  /** Nothing heard of a holder for so long, while it owes an answer: others are asked. Ten times a bad moment. */
  readonly stallMs: number;
  /** Requests to one holder at the same time: while one waits for a disk, the others fill the line. */
  readonly lanesPerPeer: number;
  /** Requests to all holders at the same time: with 4 MiB each it bounds the memory of downloads. */
  readonly lanes: number;
  /** Requests served at the same time: enough for every core and disk, little memory. */
  readonly uploads: number;
  /** Requests that wait for their turn; further ones are told `busy`, so that nobody's patience ends in the queue. */
  readonly uploadsWaiting: number;
  /** A machine that sent what doesn't fit isn't asked for anything for so long. */
  readonly liarPauseMs: number;
  /** How long everybody else is asked, when no known holder answers. */
  readonly searchMs: number;
}

export const defaultTransferOptions: TransferOptions = {
  stallMs: 10_000,
  lanesPerPeer: 3,
  lanes: 12,
  uploads: 4,
  uploadsWaiting: 16,
  liarPauseMs: 600_000,
  searchMs: 10_000,
};

export const transferLimits = {
  /** A file up to this size travels whole (SPEC R56). */
  wholeBytes: MEBIBYTE,
  /** What one request asks for: long enough to fill the line, short enough to be given to another holder. */
  requestBytes: 4 * MEBIBYTE,
  /** Small files of one request. */
  requestFiles: 512,
  /** A file of unknown size counts as this much in a request: a frame of a film. */
  guessedBytes: 256 * 1024,
  /** What one request may have fetched and not stored yet. */
  unstoredBytes: 8 * MEBIBYTE,
  /** Things of one request that are stored at the same time: twice what the store does at once, so that it never waits. */
  storedAtOnce: 32,
  /** Bytes written to a stream at once; larger ones cost the same and delay others (measured). */
  chunkBytes: 256 * 1024,
  /** Small frames are sent together up to this. */
  joinBytes: 64 * 1024,
  /** Memory of pieces that is kept for the next ones: of all lanes and uploads that have one at the same time. */
  sparePieces: 16,
  /** …and how long after the last one. */
  spareMs: 2_000,
  /** Bodies from here on come into memory for pieces; smaller ones are files, and the ends of some. */
  sharedBytesMin: MEBIBYTE / 2,
  /** Failures of one holder for one file before it is given up for it, with nothing from it in between… */
  failuresPerHolder: 3,
  /** …and where it brings other files meanwhile: it may be this one at which it fails. */
  failuresPerFile: 12,
  /** Pause after a holder's first failure, doubled with each. */
  retryMs: 250,
  /** Pause after `busy`. */
  busyMs: 250,
  /** A stream that nobody used for so long is ended. */
  idleLineMs: 10_000,
  /** Streams of other machines that are served at once, in all and for each: three lanes, and those being replaced. */
  streamsPerPeer: 8,
  /** Files looked at at the same time, whether they are here: a stat each. */
  looksAtOnce: 64,
  /** As many files to come at once leave so much behind in memory that it is collected more often while they do. */
  crowdFiles: 10_000,
  /** Files pinned at the same time that were here already: each costs 1.5 KB for the moment, and all share a sync. */
  pinsAtOnce: 4_096,
  /** Machines asked at the same time whether they have something. */
  searchWidth: 8,
  /** Names of bundles told to the farm again: DHT records live two days. */
  announceAgainMs: 43_200_000,
  /** Bundles that are told: those of the jobs of a season. */
  announcedMax: 1_024,
} as const;

/** Of fetching with others. */
export const swarmLimits = {
  /** What is smaller comes from its holders alone: to find others would take longer. */
  bytesMin: 8 * MEBIBYTE,
  /** Units of a bundle (4 TiB of pieces); a larger one comes from its holders alone, so that sets of units stay small. */
  unitsMax: 2 ** 22,
  /** Others are asked what they have so often, in milliseconds; more often in the beginning. */
  tellMs: 1_000,
  tellFirstMs: 250,
  /** In the first of these rounds all are named to each other, in the second asked; until then little is asked for. */
  newRounds: 3,
  /** Machines asked at a time: enough to know of every unit, and bounded in a farm of a hundred. */
  tellPeers: 12,
  /** For so long whoever asked counts as fetching, in milliseconds. */
  fetchingMs: 10_000,
  /** The first request to a machine, and the least. */
  askBytesFirst: MEBIBYTE,
  lanesPerPeer: 2,
  /** Units looked at for the rarest. */
  lookedAt: 64,
  /** As many units left are the end, when everybody helps. */
  tailUnits: 8,
  /** What is on its way for so long is asked for once more, of somebody else, in milliseconds. */
  lateMs: 3_000,
  /** What was given to a machine that can be reached isn't given to another for so long, in milliseconds. */
  givenMs: 20_000,
  /** Pause after a holder had nothing to give that it had not given to others. */
  restMs: 500,
  /** A file takes no more holders than these from those of its flock that have all: as many have lanes at a time. */
  wholeHolders: 4,
  /** Without any progress for so long the bundle is fetched from its holders alone. */
  giveUpMs: 15_000,
  /** Bundles whose units are remembered for those who ask. */
  rememberedBundles: 8,
} as const;
