/** One live Blender with our driver in it: takes one order at a time, and is watched while it lives. */

import type { Clock, Logger } from '../../system/interface.ts';
import { RenderError } from '../errors.ts';
import type { FrameProgress } from '../interface.ts';
import type { RenderLimits } from '../limits.ts';
import {
  type GroupCommand,
  type GroupEnding,
  type ProcessGroup,
  startProcessGroup,
} from '../process/group.ts';
import { type DriverMessage, parseDriverMessage, readLines, sendOrder } from './channel.ts';
import { driverFailure, type EndCause, endingFailure } from './failures.ts';
import { FrameLog } from './frame-log.ts';
import { memoryBound, oomKillCount } from './memory.ts';
import { ProgressMeter } from './progress.ts';
import { Watch } from './watch.ts';

export interface OrderOptions {
  readonly log: FrameLog;
  readonly onProgress: (progress: FrameProgress) => void;
}

interface RunningOrder extends OrderOptions {
  readonly id: number;
  readonly meter: ProgressMeter;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: RenderError) => void;
  loading: boolean;
  answer?: Extract<DriverMessage, { kind: 'done' | 'failed' }>;
  outputEnded: boolean;
}

type State = 'starting' | 'idle' | 'loading' | 'rendering' | 'ending';

const END_OF_OUTPUT = /^\[cuadro\] end (\d+)$/;

export class BlenderProcess {
  readonly ended: Promise<GroupEnding<EndCause>>;
  version = '';
  memoryBytes = 0;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: RenderLimits;
  readonly #group: ProcessGroup<EndCause>;
  readonly #watch: Watch;
  readonly #startLog: FrameLog;
  readonly #memoryBound: number;
  #state: State = 'starting';
  #order: RunningOrder | undefined;
  #orders = 0;
  #cancelTick: () => void = () => {};
  readonly #ready = Promise.withResolvers<void>();

  constructor(
    components: { readonly clock: Clock; readonly logger: Logger },
    init: { readonly command: GroupCommand; readonly limits: RenderLimits },
  ) {
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#limits = init.limits;
    this.#startLog = new FrameLog(init.limits);
    this.#memoryBound = memoryBound(init.limits.memoryShare);
    this.#watch = new Watch(components.clock.now(), init.limits);
    const oomKillsBefore = oomKillCount();
    this.#group = startProcessGroup<EndCause>(components, init.command, init.limits);
    this.#ready.promise.catch(() => {});
    this.ended = this.#group.ended.then((ending) => {
      this.#onEnded(ending, oomKillCount() - oomKillsBefore);
      return ending;
    });
    if (this.#group.pid === undefined) return;
    readLines(this.#group.output, init.limits.lineBytes, (line) => this.#onOutput(line));
    readLines(this.#group.errors, init.limits.lineBytes, (line) => this.#onOutput(line));
    readLines(this.#group.channel, init.limits.messageBytes, (line) => this.#onMessage(line));
    this.#scheduleTick();
  }

  get pid(): number {
    return this.#group.pid ?? 0;
  }

  get state(): State {
    return this.#state;
  }

  /** What Blender said before it took its first order. */
  get startLines(): readonly string[] {
    return this.#startLog.lines;
  }

  /** Resolves when the driver takes orders; rejects with a `RenderError` when it never will. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Runs one order; the caller waits for the one before. Rejects with a `RenderError`. */
  async run(order: Record<string, unknown>, options: OrderOptions): Promise<unknown> {
    await this.ready();
    if (this.#order !== undefined) throw new Error('A Blender process was given two orders at once.');
    if (this.#state === 'ending')
      throw new RenderError('crashed', 'Blender was ended before the frame began.');
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const meter = new ProgressMeter();
    meter.memory(this.memoryBytes);
    // A fresh process begins with the scene, also before it says so; one that is warm says when it loads another.
    const loading = this.#orders === 0;
    this.#order = {
      ...options,
      id: ++this.#orders,
      meter,
      resolve,
      reject,
      loading,
      outputEnded: false,
    };
    this.#state = loading ? 'loading' : 'rendering';
    this.#watch.progress();
    sendOrder(this.#group.channel, { ...order, id: this.#order.id });
    return promise;
  }

  /** Kills the process group at once; resolves when it is gone. The first cause wins. */
  async end(cause: EndCause): Promise<void> {
    this.#state = 'ending';
    this.#group.end(cause);
    await this.ended;
  }

  #onOutput(line: string): void {
    this.#watch.progress();
    const end = END_OF_OUTPUT.exec(line);
    const order = this.#order;
    if (order === undefined) {
      if (end !== null) return;
      if (this.#state === 'starting') this.#startLog.write(line);
      else this.#logger.debug('Blender spoke while idle', { line });
      return;
    }
    if (end !== null && Number(end[1]) === order.id) {
      order.outputEnded = true;
      this.#settle(order);
      return;
    }
    order.log.write(line);
    const progress = order.meter.read(line);
    if (progress !== undefined) order.onProgress(progress);
  }

  #onMessage(line: string): void {
    const message = parseDriverMessage(line);
    if (message === undefined) {
      this.#logger.warn('A message that no driver sends', { line: line.slice(0, 200) });
      return;
    }
    switch (message.kind) {
      case 'ready':
        this.version = message.version;
        this.#watch.progress();
        if (this.#state === 'starting') this.#state = 'idle';
        this.#ready.resolve();
        return;
      case 'beat':
        this.#watch.beat();
        this.#onMemory(message.memoryBytes);
        return;
      case 'stage':
        this.#onStage(message);
        return;
      case 'done':
      case 'failed':
        this.#onAnswer(message);
        return;
    }
  }

  #onStage({ id, stage, parts }: Extract<DriverMessage, { kind: 'stage' }>): void {
    const order = this.#order;
    if (order?.id !== id) return;
    this.#watch.progress();
    if (parts !== undefined) order.meter.parts(parts);
    order.loading = stage === 'loading';
    if (this.#state === 'ending') return;
    this.#state = order.loading ? 'loading' : 'rendering';
    order.onProgress(order.meter.stage(order.loading ? 'Loading the scene' : 'Rendering'));
  }

  #onAnswer(message: Extract<DriverMessage, { kind: 'done' | 'failed' }>): void {
    const order = this.#order;
    if (order?.id !== message.id || order.answer !== undefined) return;
    this.#watch.progress();
    this.#onMemory(message.memoryBytes);
    order.answer = message;
    this.#settle(order);
    if (order.outputEnded) return;
    // A script may have taken standard output away: then the end of output never comes.
    this.#clock.after(this.#limits.outputEndMs, () => {
      order.outputEnded = true;
      this.#settle(order);
    });
  }

  #settle(order: RunningOrder): void {
    if (order !== this.#order || order.answer === undefined || !order.outputEnded) return;
    this.#order = undefined;
    if (this.#state !== 'ending') this.#state = 'idle';
    if (order.answer.kind === 'done') order.resolve(order.answer.result);
    else order.reject(driverFailure(order.answer, order.log.lines));
  }

  #onMemory(bytes: number): void {
    if (bytes === 0) return;
    this.memoryBytes = bytes;
    this.#order?.meter.memory(bytes);
    const rendering = this.#order !== undefined && this.#state !== 'ending';
    if (rendering && bytes > this.#memoryBound)
      void this.end({ kind: 'memory', bytes, boundBytes: this.#memoryBound });
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#clock.after(this.#limits.watchEveryMs, () => {
      if (this.#state === 'ending') return;
      const verdict = this.#watch.tick(this.#clock.now(), this.#activity());
      if (verdict === 'alive') this.#scheduleTick();
      else void this.end(this.#causeOf(verdict));
    });
  }

  #activity(): 'starting' | 'busy' | 'idle' {
    if (this.#state === 'starting') return 'starting';
    return this.#order === undefined ? 'idle' : 'busy';
  }

  #causeOf(verdict: 'silent' | 'no-progress' | 'slow-start'): EndCause {
    if (verdict === 'slow-start') return { kind: 'slow-start', waitedMs: this.#watch.stuckMs };
    if (verdict === 'silent') return { kind: 'silent', silentMs: this.#watch.silentMs };
    return { kind: 'no-progress', silentMs: this.#watch.stuckMs };
  }

  #onEnded(ending: GroupEnding<EndCause>, oomKills: number): void {
    this.#cancelTick();
    const order = this.#order;
    const busyWith = order?.loading ? 'loading the scene' : 'rendering';
    const doing = order === undefined ? 'starting' : busyWith;
    this.#order = undefined;
    this.#state = 'ending';
    const log = order?.log.lines ?? this.#startLog.lines;
    const failure = endingFailure(ending, log, { doing, oomKills });
    this.#ready.reject(failure);
    order?.reject(failure);
    this.#group.channel?.destroy();
  }
}
