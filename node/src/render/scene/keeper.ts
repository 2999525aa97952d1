import type { Clock, Startable } from '../../system/interface.ts';
import { findBlender } from '../blender/capabilities.ts';
import { sceneLimits } from './limits.ts';
import { TraceProcess } from './process.ts';

/**
 * Keeps one Blender ready for reading scenes, so that who submits doesn't wait for it to start: from `start` on, since
 * whoever starts a node often submits right after. It goes after some idle minutes, as render sessions do. No scene's
 * script ever runs in it, and what it read it forgets.
 */
export interface TraceKeeper extends Startable {
  /** The one that is kept, or a new one; the caller's until it gives it back or ends it. */
  take(blender: string): Promise<TraceProcess>;
  /** Keeps it for the next question, or ends it where another is kept already. */
  giveBack(process: TraceProcess): void;
}

export function createTraceKeeper(
  components: { readonly clock: Pick<Clock, 'after'> },
  init: {
    /** Path of the executable; default: CUADRO_BLENDER, else `blender` on PATH. */
    readonly blender?: string;
    readonly idleMs?: number;
    readonly restingBytesMax?: number;
  } = {},
): TraceKeeper {
  return new OneKept(components, { ...sceneLimits, ...init });
}

interface Limits {
  readonly idleMs: number;
  readonly restingBytesMax: number;
}

class OneKept implements TraceKeeper {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #blender: string | undefined;
  readonly #limits: Limits;
  #kept: Promise<TraceProcess> | undefined;
  #cancelIdle: () => void = () => undefined;
  #stopped = false;
  /** Processes that are on their way out; `stop` waits for them. */
  readonly #ending = new Set<Promise<unknown>>();

  constructor(
    components: { readonly clock: Pick<Clock, 'after'> },
    init: Limits & { readonly blender?: string },
  ) {
    this.#clock = components.clock;
    this.#blender = init.blender;
    this.#limits = init;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    const { path } = await findBlender(this.#blender);
    if (path === undefined || this.#kept !== undefined || this.#stopped) return;
    this.#keep(TraceProcess.start({ blender: path, clock: this.#clock }));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#drop();
    await Promise.all(this.#ending);
  }

  async take(blender: string): Promise<TraceProcess> {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#cancelIdle();
    const process = await kept?.catch(() => undefined);
    if (process?.blender === blender && !this.#hasOutgrown(process)) return process;
    if (process !== undefined) this.#end(process);
    return TraceProcess.start({ blender, clock: this.#clock });
  }

  giveBack(process: TraceProcess): void {
    if (this.#stopped || this.#kept !== undefined || this.#hasOutgrown(process)) this.#end(process);
    else this.#keep(Promise.resolve(process));
  }

  #keep(starting: Promise<TraceProcess>): void {
    this.#kept = starting;
    const drop = (): void => {
      if (this.#kept === starting) this.#drop();
    };
    this.#cancelIdle = this.#clock.after(this.#limits.idleMs, drop);
    starting.then((process) => {
      // Forgetting a scene takes a moment after the answer: only then is known what stays of it.
      process.onRest(() => {
        if (this.#hasOutgrown(process)) drop();
      });
      void process.ended.then(drop);
    }, drop);
  }

  #hasOutgrown(process: TraceProcess): boolean {
    return process.restingBytes > this.#limits.restingBytesMax;
  }

  #drop(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#cancelIdle();
    void kept?.then(
      (process) => this.#end(process),
      () => undefined,
    );
    if (kept !== undefined) this.#wait(kept.then((process) => process.ended).catch(() => undefined));
  }

  #end(process: TraceProcess): void {
    this.#wait(process.end());
  }

  #wait(ending: Promise<unknown>): void {
    const done = ending.finally(() => this.#ending.delete(done));
    this.#ending.add(done);
  }
}
