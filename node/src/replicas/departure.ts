import {
  DEPARTURE,
  leavingSentence,
  type DepartureView,
  type Leaving,
  type NodeRecord,
  type PeerId,
} from '@cuadro/protocol';
import type { Clock, Logger, Startable } from '../system/interface.ts';
import type { Copies, CopiesState } from './copies-interface.ts';
import { defaultDepartureOptions, type DepartureOptions } from './copy-limits.ts';
import type { RecordSync } from './interface.ts';

export interface DepartureComponents {
  readonly copies: Pick<Copies, 'leaving' | 'state'>;
  readonly sync: Pick<RecordSync, 'syncWith'>;
  /** What this machine's record says of its leaving, while it is a member; undefined where it stays. */
  readonly wanted: () => Leaving | undefined;
  /** This machine's own record, which says that it leaves. */
  readonly ownRecord: () => NodeRecord | undefined;
  readonly isMember: () => boolean;
  /** Takes this machine out of its farm, as long as that is wanted; false while no other machine has been told. */
  readonly leave: (reason: string, isWanted: () => boolean) => Promise<boolean>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Leaves the farm once its record says so, and everything that this machine holds is elsewhere (SPEC R162). What was
 * answered is known to this run only: a node that is started again asks anew.
 */
export interface Departure extends Startable {
  /** This machine's record, or who belongs to the farm, has changed. */
  changed(): void;
  view(): DepartureView;
  /** What this machine says of it to others; undefined where it stays. */
  says(): string | undefined;
}

export function createDeparture(
  components: DepartureComponents,
  options: Partial<DepartureOptions> = {},
): Departure {
  return new PoliteDeparture(components, { ...defaultDepartureOptions, ...options });
}

class PoliteDeparture implements Departure {
  readonly #components: DepartureComponents;
  readonly #options: DepartureOptions;
  readonly #stop = new AbortController();
  #started = false;
  #running: Promise<void> | undefined;
  /** How it stood last, and since when nothing has moved. */
  #last: { readonly left: number; readonly staying: number; readonly sinceMs: number } | undefined;
  #isStuck = false;

  constructor(components: DepartureComponents, options: DepartureOptions) {
    this.#components = components;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#started = true;
    this.changed();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('The node stops.'));
    await this.#running;
  }

  changed(): void {
    if (!this.#started || this.#stop.signal.aborted || !this.#isUnderWay()) return;
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#components.logger.error('Leaving the farm failed.', { error: String(error) });
      })
      .finally(() => {
        this.#running = undefined;
        // It may have been wanted again by the moment at which the last wish ended.
        this.changed();
      });
  }

  view(): DepartureView {
    const { copies, isMember, wanted } = this.#components;
    const { results, jobs, logs } = copies.state();
    if (wanted() !== undefined && !isMember())
      return { state: 'left', left: nothing, message: 'This machine has left the farm.' };
    if (wanted() === undefined)
      return { state: 'staying', left: nothing, message: 'This machine stays in its farm.' };
    const left = { results, scenes: jobs, ...(logs > 0 && { logs }) };
    if (copies.leaving.staying() === 0) return { state: 'blocked', left, message: DEPARTURE.alone };
    if (this.#isStuck) return { state: 'blocked', left, message: DEPARTURE.stuck };
    if (results + jobs + logs > 0) return { state: 'moving', left, message: DEPARTURE.moving };
    const message = copies.leaving.isWhole() ? DEPARTURE.moved : DEPARTURE.looking;
    return { state: 'moving', left, message };
  }

  says(): string | undefined {
    const { state, message } = this.view();
    return state === 'staying' ? undefined : leavingSentence(message);
  }

  #isUnderWay(): boolean {
    const { wanted, isMember } = this.#components;
    return wanted() !== undefined && isMember();
  }

  async #run(): Promise<void> {
    const { clock, copies, leave, wanted } = this.#components;
    const { signal } = this.#stop;
    this.#last = undefined;
    this.#isStuck = false;
    while (!signal.aborted && this.#isUnderWay()) {
      await this.#askOthers();
      this.#choose(copies.state());
      if (this.#isMoved() && copies.leaving.staying() > 0)
        await leave(wanted()?.reason ?? '', () => this.#isUnderWay());
      if (this.#isUnderWay()) await clock.sleep(this.#options.lookEveryMs, { signal }).catch(() => undefined);
    }
  }

  /** Others hold all of it, and nobody owes an answer. */
  #isMoved(): boolean {
    const { copies } = this.#components;
    const { results, jobs, logs, asked } = copies.state();
    return copies.leaving.isWhole() && results + jobs + logs + asked === 0;
  }

  /**
   * Tells each machine that this one leaves. One that leaves, too, refuses, so no two count on each other; and what it
   * has given up before it answered is known here before its copies count.
   */
  async #askOthers(): Promise<void> {
    const { copies, sync, ownRecord } = this.#components;
    const { signal } = this.#stop;
    const record = ownRecord();
    if (record === undefined) return;
    const ask = async (peer: PeerId): Promise<void> => {
      if (!(await copies.leaving.ask(peer, [record]))) return;
      const { kind } = await sync.syncWith(peer, { signal });
      if (kind === 'equal' || kind === 'exchanged') copies.leaving.stays(peer);
    };
    await Promise.all(copies.leaving.unasked().map((peer) => ask(peer).catch(() => undefined)));
  }

  /** Two others are to hold everything, or one where nobody takes the second copies. */
  #choose(state: CopiesState): void {
    const { clock, copies } = this.#components;
    const nowMs = clock.now();
    const left = state.results + state.jobs + state.logs;
    const staying = copies.leaving.staying();
    const last = this.#last;
    if (last === undefined || last.staying !== staying) {
      copies.leaving.want(Math.max(1, Math.min(2, staying)));
      this.#last = { left, staying, sinceMs: nowMs };
      this.#isStuck = false;
      return;
    }
    if (left !== last.left || state.asked > 0 || !copies.leaving.isWhole()) {
      this.#last = { left, staying, sinceMs: nowMs };
      this.#isStuck = false;
      return;
    }
    if (left === 0 || nowMs - last.sinceMs < this.#options.stuckMs) return;
    if (copies.leaving.wanted() > 1) {
      copies.leaving.want(1);
      this.#last = { left, staying, sinceMs: nowMs };
    } else this.#isStuck = true;
  }
}

const nothing = { results: 0, scenes: 0 } as const;
