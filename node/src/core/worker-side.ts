import {
  attemptKey,
  compareEpochs,
  FAILURE_CODE_LENGTH_MAX,
  LOG_LINE_LENGTH_MAX,
  LOG_LINES_MAX,
  SENTENCE_LENGTH_MAX,
  type AttemptId,
  type Capabilities,
  type Epoch,
  type Grant,
  type HeldAttempt,
  type Holders,
  type PeerId,
  type ResultMessage,
} from '@cuadro/protocol';
import type { AttemptOutcome } from './interface.ts';
import { EARLY_GRANT_MS, ENDS_KEPT, VERSIONED_ENGINES } from './options.ts';

interface Held {
  grant: Grant;
  engine: string;
  /** The engine's version when it was granted. */
  engineVersion: string | undefined;
  fraction: number;
  remainingMs?: number;
  text?: string;
  /** Granted before its job's record and plan were here: monotonic time at which it is given back. */
  earlyUntil?: number;
}

/**
 * The worker's half of the brain: what this machine was granted and has not ended. It obeys one coordinator at a
 * time, and never an older epoch (SPEC R40).
 */
export class WorkerSide {
  readonly #self: PeerId;
  readonly #held = new Map<string, Held>();
  /** How the latest attempts ended, and when by the monotonic time: a new coordinator is told, since the old one may have been the only one. */
  #ends: { message: ResultMessage; at: number }[] = [];
  #obeyed: Epoch | undefined;

  constructor(self: PeerId) {
    this.#self = self;
  }

  get obeyed(): Epoch | undefined {
    return this.#obeyed;
  }

  get size(): number {
    return this.#held.size;
  }

  get ends(): readonly ResultMessage[] {
    return this.#ends.map(({ message }) => message);
  }

  /** Those that ended at this time or later. */
  endsSince(time: number): ResultMessage[] {
    return this.#ends.filter(({ at }) => at >= time).map(({ message }) => message);
  }

  /** Follows a coordinator: the caller decided that its reign is the one that counts. Older epochs are refused. */
  follow(epoch: Epoch): boolean {
    if (this.#obeyed !== undefined && compareEpochs(epoch, this.#obeyed) < 0) return false;
    this.#obeyed = epoch;
    return true;
  }

  /** Whether an order given in this epoch is to be carried out. */
  obeys(epoch: Epoch): boolean {
    return this.#obeyed !== undefined && compareEpochs(epoch, this.#obeyed) === 0;
  }

  /**
   * Takes a grant of the epoch; false where it isn't obeyed or is known already. Without an engine it is early:
   * its job isn't known here yet, and `begin` must follow by `now` plus the bound.
   */
  accept(
    epoch: Epoch,
    grant: Grant,
    engine: string | undefined,
    machine: { capabilities: Capabilities | undefined; now: number },
  ): boolean {
    const key = attemptKey(grant.attempt);
    const ofEpoch = compareEpochs(grant.attempt.epoch, epoch) === 0;
    if (!this.obeys(epoch) || !ofEpoch || this.#held.has(key)) return false;
    const held: Held = { grant, engine: '', engineVersion: undefined, fraction: 0 };
    if (engine === undefined) held.earlyUntil = machine.now + EARLY_GRANT_MS;
    else setEngine(held, engine, machine.capabilities);
    this.#held.set(key, held);
    return true;
  }

  /** Early grants, in the order of granting. */
  early(): Grant[] {
    if (this.#held.size === 0) return [];
    return [...this.#held.values()].flatMap((held) => (held.earlyUntil === undefined ? [] : held.grant));
  }

  /** The job of an early grant is known now. */
  begin(attempt: AttemptId, engine: string, capabilities: Capabilities | undefined): void {
    const held = this.#held.get(attemptKey(attempt));
    if (held === undefined) return;
    delete held.earlyUntil;
    setEngine(held, engine, capabilities);
  }

  /** The earliest time at which an early grant is given back. */
  earlyDeadline(): number | undefined {
    let next: number | undefined;
    for (const { earlyUntil } of this.#held.values()) {
      if (earlyUntil !== undefined && (next === undefined || earlyUntil < next)) next = earlyUntil;
    }
    return next;
  }

  /** This node's own time stood still: what early grants wait for may have come meanwhile. */
  postpone(ms: number): void {
    for (const held of this.#held.values()) if (held.earlyUntil !== undefined) held.earlyUntil += ms;
    for (const end of this.#ends) end.at += ms;
  }

  overdueEarly(now: number): Grant[] {
    const overdue: Grant[] = [];
    for (const { grant, earlyUntil } of this.#held.values())
      if (earlyUntil !== undefined && earlyUntil <= now) overdue.push(grant);
    return overdue;
  }

  holds(attempt: AttemptId): boolean {
    return this.#held.has(attemptKey(attempt));
  }

  progress(attempt: AttemptId, told: { fraction: number; remainingMs?: number; text?: string }): void {
    const held = this.#held.get(attemptKey(attempt));
    if (held !== undefined) Object.assign(held, told);
  }

  /** What a beacon tells; the first `slots` in the order of granting run. */
  listed(slots: number): HeldAttempt[] {
    return [...this.#held.values()].map(({ grant, fraction, remainingMs, text, earlyUntil }, place) => ({
      attempt: grant.attempt,
      job: grant.job,
      task: grant.task,
      redo: grant.redo,
      retry: grant.retry,
      running: earlyUntil === undefined && (fraction > 0 || place < slots),
      fraction,
      ...(grant.substitute === true && { substitute: true }),
      ...(remainingMs !== undefined && { remainingMs }),
      ...(text !== undefined && { text }),
    }));
  }

  /** The message that tells how an attempt ended at this time; undefined for one that this machine was not granted. */
  end(attempt: AttemptId, outcome: AttemptOutcome, now: number): ResultMessage | undefined {
    const key = attemptKey(attempt);
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    const { job, task, redo, retry } = held.grant;
    const message: ResultMessage = {
      kind: 'result',
      job,
      task,
      redo,
      retry,
      attempt,
      outcome: this.#told(held, outcome),
    };
    this.#ends.push({ message, at: now });
    if (this.#ends.length > 2 * ENDS_KEPT) this.#ends = this.#ends.slice(-ENDS_KEPT);
    return message;
  }

  get #ownHolders(): Holders {
    return { [this.#self]: { held: true, counter: 1 } };
  }

  #told({ grant, engine, engineVersion }: Held, outcome: AttemptOutcome): ResultMessage['outcome'] {
    const { attempt } = grant;
    if (outcome.kind === 'stopped') return { ...outcome };
    if (outcome.kind === 'failure') {
      const { kind, ...failure } = outcome;
      // Whoever made it holds its log, as it holds a result (SPEC R132).
      const holders = failure.log !== undefined && { holders: this.#ownHolders };
      return { kind, failure: { ...bounded(failure), attempt, peer: this.#self, ...holders } };
    }
    const { kind, ...made } = outcome;
    const showsVersion = engineVersion !== undefined && VERSIONED_ENGINES.has(engine);
    const files = made.files as ((typeof made.files)[number] & Record<string, unknown>)[];
    return {
      kind,
      result: {
        ...made,
        files,
        attempt,
        peer: this.#self,
        state: 'rendered',
        holders: this.#ownHolders,
        ...(showsVersion && { engineVersion }),
      },
    };
  }
}

function setEngine(held: Held, engine: string, capabilities: Capabilities | undefined): void {
  const engines = capabilities?.engines ?? {};
  held.engine = engine;
  held.engineVersion = Object.hasOwn(engines, engine) ? engines[engine] : undefined;
}

/** An engine's words may be of any length; a record's are not. */
function bounded<F extends { code: string; message: string; lines: string[] }>(failure: F): F {
  return {
    ...failure,
    code: failure.code.slice(0, FAILURE_CODE_LENGTH_MAX),
    message: failure.message.slice(0, SENTENCE_LENGTH_MAX),
    lines: failure.lines.slice(-LOG_LINES_MAX).map((line) => line.slice(0, LOG_LINE_LENGTH_MAX)),
  };
}
