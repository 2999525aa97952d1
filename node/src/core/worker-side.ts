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
  type PeerId,
  type ResultMessage,
} from '@cuadro/protocol';
import type { AttemptOutcome } from './interface.ts';
import { VERSIONED_ENGINES } from './options.ts';

interface Held {
  grant: Grant;
  engine: string;
  /** The engine's version when it was granted. */
  engineVersion: string | undefined;
}

/**
 * The worker's half of the brain: what this machine was granted and has not ended. It obeys one coordinator at a
 * time, and never an older epoch (SPEC R40).
 */
export class WorkerSide {
  readonly #self: PeerId;
  readonly #held = new Map<string, Held>();
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

  /** Takes a grant of the epoch; false where it isn't obeyed or is known already. */
  accept(epoch: Epoch, grant: Grant, engine: string, capabilities: Capabilities | undefined): boolean {
    const key = attemptKey(grant.attempt);
    const ofEpoch = compareEpochs(grant.attempt.epoch, epoch) === 0;
    if (!this.obeys(epoch) || !ofEpoch || this.#held.has(key)) return false;
    const engines = capabilities?.engines ?? {};
    const engineVersion = Object.hasOwn(engines, engine) ? engines[engine] : undefined;
    this.#held.set(key, { grant, engine, engineVersion });
    return true;
  }

  holds(attempt: AttemptId): boolean {
    return this.#held.has(attemptKey(attempt));
  }

  /** The message that tells how an attempt ended; undefined for one that this machine was not granted. */
  end(attempt: AttemptId, outcome: AttemptOutcome): ResultMessage | undefined {
    const key = attemptKey(attempt);
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    const { job, task, redo, retry } = held.grant;
    return { kind: 'result', job, task, redo, retry, attempt, outcome: this.#told(held, outcome) };
  }

  #told({ grant, engine, engineVersion }: Held, outcome: AttemptOutcome): ResultMessage['outcome'] {
    const { attempt } = grant;
    if (outcome.kind === 'stopped') return { kind: 'stopped', reason: outcome.reason };
    if (outcome.kind === 'failure') {
      const { kind, ...failure } = outcome;
      return { kind, failure: { ...bounded(failure), attempt, peer: this.#self } };
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
        holders: { [this.#self]: { held: true, counter: 1 } },
        ...(showsVersion && { engineVersion }),
      },
    };
  }
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
