/** Bounds of keeping copies on other machines, each with its reason. */

export interface CopyOptions {
  /** Machines that hold a job's plan and bundle: the submitter and two others, so that it may be switched off. */
  readonly jobCopies: number;
  /** How long a submission waits for its second copy before it answers with one. */
  readonly acknowledgeMs: number;
  /** How long a change waits to be on a second machine before it answers with one. */
  readonly confirmMs: number;
  /** Nothing heard of a machine that owes an answer: it says every few seconds that it is still at it. */
  readonly stallMs: number;
}

export const defaultCopyOptions: CopyOptions = {
  jobCopies: 3,
  acknowledgeMs: 20_000,
  confirmMs: 2_000,
  stallMs: 20_000,
};

export const copyLimits = {
  /** Things that one machine was asked to hold and hasn't answered; it refuses more from one stream. */
  outstanding: 4_096,
  /** Of these this node uses half, so that two of its streams (one just replaced by the other) never meet the bound. */
  asked: 2_048,
  /** Things with files under way to one machine: its transfer fetches a few megabytes at a time anyhow. */
  askedWithFiles: 256,
  /** Bytes of one message. */
  messageBytes: 256 * 1024,
  /** While files are fetched, their asker is told that it goes on. */
  workingEveryMs: 5_000,
  /** A machine without room isn't asked for files again so soon. */
  fullPauseMs: 30_000,
  /** A machine whose stream failed, and a thing that could not be held: a pause before it is tried again. */
  retryMs: 2_000,
  /** Of what nobody has, everybody is asked again after a pause that doubles up to this: it may be back any day. */
  mendPauseMaxMs: 600_000,
  /** A stream with nothing to say is ended. */
  idleMs: 30_000,
  /** Members are looked at again so often for holders that are gone for too long. */
  lookAgainMs: 600_000,
  /** A look that comes so much too late comes after a sleep: a loaded machine is late by seconds at most. */
  lookLateMs: 60_000,
  /** Of the time until a copy is replaced, so much may have passed while this node was off or alone: a night of 16 h. */
  blindShare: 2 / 3,
  /** Tasks looked at in a row before others get their turn. */
  tasksPerSlice: 2_048,
  /** Results of one job asked for in a row before the next job's. */
  tasksPerTurn: 64,
  /** Streams that one machine may ask on at once: the one in use, and one that it replaces. */
  streamsPerPeer: 2,
} as const;

export interface DepartureOptions {
  /** While this machine leaves, it is looked at so often how far that is; a person waits for it. */
  readonly lookEveryMs: number;
  /** Nobody has taken anything more for so long: a refused machine is asked again after 2 s, so each has said no twice. */
  readonly stuckMs: number;
}

export const defaultDepartureOptions: DepartureOptions = { lookEveryMs: 250, stuckMs: 5_000 };
