import { OUTPUT_FILES_MAX } from '@cuadro/protocol';

/** Bounds of running foreign programs, each with its reason. */
export interface CommandLimits {
  /** A program without a bound of its own; the longest that a job may ask for is a week. */
  readonly timeoutMs: number;
  /** Bytes of one attempt's log; output beyond is dropped, and the log says so. */
  readonly logBytes: number;
  /** Lines kept for the telling lines of a failure. */
  readonly keptLines: number;
  /** A longer line is cut: a program may print without an end. */
  readonly lineCharacters: number;
  /** As many results as a task's record may name (the protocol's OUTPUT_FILES_MAX). */
  readonly files: number;
  /** Folders within folders: a program must not send us round in circles. */
  readonly folderDepth: number;
  /** How long killed processes may hold our pipes before they are left behind. */
  readonly killWaitMs: number;
  /** Rounds of looking for descendants that left the group; each finds what the last one's children had started. */
  readonly sweepRounds: number;
}

export const commandLimits: CommandLimits = {
  timeoutMs: 24 * 3_600_000,
  logBytes: 32 * 2 ** 20,
  keptLines: 400,
  lineCharacters: 64 * 1024,
  files: OUTPUT_FILES_MAX,
  folderDepth: 32,
  killWaitMs: 5000,
  sweepRounds: 8,
};
