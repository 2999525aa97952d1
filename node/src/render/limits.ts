/** Bounds of rendering with Blender, each with its reason. All can be changed per node (`createBlenderSessions`). */
export interface RenderLimits {
  /** Blender starts in 1 to 2 s; a cold disk on a busy machine takes far longer. */
  readonly startMs: number;
  /**
   * No heartbeat and no output at all. Loading a file and evaluating a scene hold Python's lock, so that even a
   * healthy process is silent for as long as that takes: minutes for scenes of many gigabytes.
   */
  readonly silenceMs: number;
  /**
   * Heartbeats go on but the render says nothing new: its main thread hangs. Building the acceleration structure
   * of a heavy scene, or one pass of a huge image, is silent too, so this is generous.
   */
  readonly progressSilenceMs: number;
  /** How often silence is judged; also the resolution of all the bounds above. */
  readonly watchEveryMs: number;
  /** After this long without a frame a process ends: it holds 250 MB and the scene. */
  readonly idleMs: number;
  /** A process whose memory grew by more than this since its first frame of the scene starts afresh… */
  readonly growthBytes: number;
  /** …if that is also this many times as much: large scenes breathe. */
  readonly growthRatio: number;
  /** Resident memory at which a process is ended in mid-frame, as a share of the machine's memory. */
  readonly memoryShare: number;
  /** Frames after which a process is replaced in any case; 200 showed no leak, this bounds what others have. */
  readonly framesPerProcess: number;
  /** Processes are killed, never asked: what has not vanished by then is reported and left behind. */
  readonly killWaitMs: number;
  /** After the driver's answer, how long the end of Blender's own output may take to arrive. */
  readonly outputEndMs: number;
  /** Renders that wait for a slot; the worker asks for one per slot, so more than this is a defect. */
  readonly waiting: number;
  /** Lines of Blender's output kept for the telling lines of a failure. */
  readonly keptLines: number;
  /** A log line longer than this is cut: a scene's script may print without an end. */
  readonly lineBytes: number;
  /** Bytes of one frame's log; output beyond is dropped, and the log says so. */
  readonly logBytes: number;
  /** One message of the driver; far above the longest real one (a result with hundreds of files). */
  readonly messageBytes: number;
}

const MINUTE_MS = 60_000;
const MEBIBYTE = 2 ** 20;

export const renderLimits: RenderLimits = {
  startMs: 2 * MINUTE_MS,
  silenceMs: 10 * MINUTE_MS,
  progressSilenceMs: 45 * MINUTE_MS,
  watchEveryMs: 500,
  idleMs: 5 * MINUTE_MS,
  growthBytes: 1024 * MEBIBYTE,
  growthRatio: 1.5,
  memoryShare: 0.95,
  framesPerProcess: 1000,
  killWaitMs: 10_000,
  outputEndMs: 5000,
  waiting: 256,
  keptLines: 400,
  lineBytes: 64 * 1024,
  logBytes: 32 * MEBIBYTE,
  messageBytes: 4 * MEBIBYTE,
};

/** Longest side of what browsers and films show in place of an EXR, in pixels: a screen's. */
export const previewLongSide = 1_920;
