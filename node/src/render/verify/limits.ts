/** Bounds of looking at pictures, each with its reason. */
export interface PictureLimits {
  /** Requests that wait; workers ask for a few per slot, so more than this is a defect. */
  readonly waiting: number;
  /**
   * One picture. Decoding a film frame takes milliseconds, a 16k multilayer EXR on a busy machine a minute, and up to
   * four times as much beside a Blender that leaves no core idle.
   */
  readonly requestMs: number;
  /** Loading sharp takes 0.2 s; a cold disk on a busy machine far longer. */
  readonly startMs: number;
  /** After this long without a request the child ends: it holds about 90 MB. */
  readonly idleMs: number;
  /** How long a killed child may take to vanish before it is left behind. */
  readonly killWaitMs: number;
  /** The child's last words kept for the log when it crashes. */
  readonly keptErrorBytes: number;
}

export const pictureLimits: PictureLimits = {
  waiting: 1024,
  requestMs: 10 * 60_000,
  startMs: 60_000,
  idleMs: 60_000,
  killWaitMs: 5000,
  keptErrorBytes: 4096,
};

/**
 * More modest than Blender (10): while it loads, builds and saves on one core, pictures are looked at on the others
 * for nothing; while it uses all of them, this still gets a quarter of one.
 */
export const PICTURE_NICENESS = 15;

/**
 * Files other than EXR are read whole into memory; Node reads 2 GiB at most, and a 16,384 × 16,384 picture of 16
 * bits and four channels has that many bytes before compression.
 */
export const FILE_BYTES_MAX = 2 ** 31 - 1;
/** Pixels that are decoded into one buffer (four bytes each for most, eight for 16 bits); larger ones are checked by structure. */
export const DECODED_PIXELS_MAX = 2 ** 28;
/** A PNG's data is unpacked in pieces of this size: an 8k frame in one, and a header that lies claims no more at first. */
export const INFLATED_CHUNK_BYTES_MAX = 2 ** 28;
/** An EXR header with hundreds of layers and a scene's metadata takes some 100 kB. */
export const EXR_HEADER_BYTES_MAX = 16 * 2 ** 20;
/** One block of an EXR before compression: 256 lines of 32,768 pixels with a hundred float channels stay below. */
export const EXR_BLOCK_BYTES_MAX = 2 ** 31 - 1;
/** Parts of one EXR: views times layers. */
export const EXR_PARTS_MAX = 4096;
/** Bytes of a file's start in which its size in pixels must stand, for the formats without tables. */
export const HEAD_BYTES = 64 * 1024;
/** Slack of "newly written": file systems stamp with a clock that ticks every 4 to 10 ms. */
export const FRESHNESS_SLACK_MS = 20;
/** What ffmpeg may complain about before it is cut off. */
export const FFMPEG_ERROR_BYTES = 16 * 1024;
