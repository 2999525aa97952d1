/** The room's factory: warm Blender sessions, one per slot. */

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RenderError } from '../errors.ts';
import type {
  BlenderCapabilities,
  BlenderSessions,
  FrameRequest,
  FrameResult,
  RenderOptions,
  SessionSnapshot,
} from '../interface.ts';
import { type RenderLimits, renderLimits } from '../limits.ts';
import { findBlender, noBlender, readReport } from './capabilities.ts';
import { type Confiner, findConfiner, unconfined } from './confinement.ts';
import { FrameLog } from './frame-log.ts';
import { coreCount, type SlotInit } from './launch.ts';
import { Session, type SessionComponents, sceneIdentity } from './session.ts';

export interface BlenderSessionsInit {
  /** Created when missing, and emptied at start: holds one folder per live process. */
  readonly sessionsDirectory: string;
  /** Scenes are rendered from below these folders only; they are read-only to Blender. They exist. */
  readonly readableDirectories: readonly string[];
  /** One entry per process that may render at the same time; default: one that owns the whole machine. */
  readonly slots?: readonly SlotInit[];
  /** Path of the executable; default: CUADRO_BLENDER, else `blender` on PATH. */
  readonly blender?: string;
  /** Default true; false runs Blender unconfined, and the capabilities say so. */
  readonly confine?: boolean;
  readonly limits?: Partial<RenderLimits>;
}

export function createBlenderSessions(
  components: SessionComponents,
  init: BlenderSessionsInit,
): BlenderSessions {
  return new SessionPool(components, init);
}

interface Waiter {
  readonly take: (session: Session) => void;
}

interface Prepared {
  readonly capabilities: BlenderCapabilities;
  readonly sessions: readonly Session[];
}

class SessionPool implements BlenderSessions {
  readonly #components: SessionComponents;
  readonly #init: BlenderSessionsInit;
  readonly #limits: RenderLimits;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #prepared: Promise<Prepared> | undefined;
  #sessions: readonly Session[] = [];
  /** Slots that are promised to a waiter and not yet busy. */
  readonly #reserved = new Set<Session>();
  readonly #waiting: Waiter[] = [];
  readonly #renders = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  constructor(components: SessionComponents, init: BlenderSessionsInit) {
    this.#components = { ...components, logger: components.logger.child({ room: 'render' }) };
    this.#init = init;
    this.#limits = { ...renderLimits, ...init.limits };
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    await mkdir(this.#init.sessionsDirectory, { recursive: true });
    // What a killed node left behind belongs to nobody: its Blender ended with it.
    for (const name of await readdir(this.#init.sessionsDirectory))
      await rm(join(this.#init.sessionsDirectory, name), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#stopping.abort(new RenderError('bad-request', 'The node is stopping.'));
    await this.#prepared?.catch(() => {});
    await Promise.allSettled(this.#renders);
    await Promise.all(this.#sessions.map((session) => session.end({ kind: 'retired' })));
  }

  capabilities(): Promise<BlenderCapabilities> {
    return this.#prepare().then((prepared) => prepared.capabilities);
  }

  snapshot(): SessionSnapshot[] {
    return this.#sessions.flatMap((session) => session.snapshot() ?? []);
  }

  async endIdle(): Promise<void> {
    const idle = this.#sessions.filter((session) => !session.busy && !this.#reserved.has(session));
    await Promise.all(idle.map((session) => session.end({ kind: 'retired' })));
  }

  async render(request: FrameRequest, options: RenderOptions): Promise<FrameResult> {
    if (this.#state !== 'running') throw new RenderError('bad-request', 'The sessions are not running.');
    const signal = AbortSignal.any([options.signal, this.#stopping.signal]);
    const render = this.#renderInSlot(request, { ...options, signal });
    this.#renders.add(render);
    try {
      return await render;
    } finally {
      this.#renders.delete(render);
    }
  }

  async #renderInSlot(request: FrameRequest, options: RenderOptions): Promise<FrameResult> {
    const { capabilities } = await abortable(this.#prepare(), options.signal);
    if (capabilities.state === 'no-blender') throw new RenderError('no-blender', capabilities.sentence);
    const session = await this.#takeSlot(sceneIdentity(request), options.signal);
    const log = new FrameLog({ ...this.#limits, file: options.logFile });
    try {
      return await session.render(request, options, log);
    } finally {
      // The next frame doesn't wait for this one's log to be written out.
      this.#giveBack(session);
      await log.close();
    }
  }

  async #takeSlot(identity: string, signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    const free = this.#sessions.filter((session) => !this.#reserved.has(session));
    const best =
      free.find((session) => session.identity === identity) ??
      free.find((session) => session.identity === undefined) ??
      free[0];
    if (best !== undefined) {
      this.#reserved.add(best);
      return best;
    }
    if (this.#waiting.length >= this.#limits.waiting)
      throw new RenderError('bad-request', 'Too many frames wait for a slot.');
    const { promise, resolve, reject } = Promise.withResolvers<Session>();
    const waiter: Waiter = { take: resolve };
    const abort = () => {
      const index = this.#waiting.indexOf(waiter);
      // A slot that was already handed over is given back by the caller's own check of the signal.
      if (index !== -1) this.#waiting.splice(index, 1);
      if (index !== -1) reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.push(waiter);
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /** The slot stays reserved when it goes straight to the next in line. */
  #giveBack(session: Session): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next.take(session);
    else this.#reserved.delete(session);
  }

  #prepare(): Promise<Prepared> {
    this.#prepared ??= this.#probe().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #probe(): Promise<Prepared> {
    const cores = coreCount();
    const confiner = await findConfiner({ enabled: this.#init.confine ?? true });
    const found = await findBlender(this.#init.blender);
    if (found.path === undefined) {
      const { confinement } = confiner;
      return { capabilities: noBlender(found.sentence, { cores, confinement }), sessions: [] };
    }
    let prepared = await this.#probeWith(found.path, confiner, cores);
    // Some Blenders (Snap packages) can't run inside another confinement: that is said, and lived with.
    if (prepared.capabilities.state === 'no-blender' && confiner.confinement.kind === 'bubblewrap') {
      const second = await this.#probeWith(
        found.path,
        unconfined('This Blender does not start inside bubblewrap'),
        cores,
      );
      if (second.capabilities.state === 'ready') prepared = second;
    }
    this.#sessions = prepared.sessions;
    return prepared;
  }

  async #probeWith(blender: string, confiner: Confiner, cores: number): Promise<Prepared> {
    const { confinement } = confiner;
    const slots = this.#init.slots ?? [{}];
    const sessions = slots.map(
      (slot, slotNumber) =>
        new Session(this.#components, {
          slotNumber,
          slot,
          blender,
          confiner,
          readableDirectories: this.#init.readableDirectories,
          sessionsDirectory: this.#init.sessionsDirectory,
          limits: this.#limits,
        }),
    );
    const [first] = sessions;
    if (first === undefined) throw new RenderError('bad-request', 'There is no slot to render in.');
    try {
      const report = await first.inquire({ signal: this.#stopping.signal });
      return { capabilities: readReport(blender, report, { cores, confinement }), sessions };
    } catch (error) {
      // Of a Blender that was given up nothing is known.
      if (!(error instanceof RenderError) || this.#stopping.signal.aborted) throw error;
      const lines = error.lines.length > 0 ? ` Its last words: ${error.lines.at(-1)}` : '';
      const sentence = `${blender} does not work. ${error.message}${lines}`;
      return { capabilities: noBlender(sentence, { cores, confinement }), sessions: [] };
    }
  }
}

/** Stops waiting when aborted; the shared work goes on for the others. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}
