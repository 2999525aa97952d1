/** One slot: at most one Blender process, replaced when it has to be, asked for one frame at a time. */

import { rm } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Clock, Logger, Random } from '../../system/interface.ts';
import { RenderError } from '../errors.ts';
import type { FrameRequest, FrameResult, RenderOptions, SessionSnapshot } from '../interface.ts';
import type { RenderLimits } from '../limits.ts';
import type { Confiner } from './confinement.ts';
import { type EndCause, scriptsBlockedIn } from './failures.ts';
import { FrameLog } from './frame-log.ts';
import { outputFolder, prepareLaunch, type SlotInit } from './launch.ts';
import { BlenderProcess } from './process.ts';
import { emptyFolder, parseDriverResult, takeResults } from './results.ts';

export interface SessionInit {
  readonly slotNumber: number;
  readonly slot: SlotInit;
  readonly blender: string;
  readonly confiner: Confiner;
  readonly readableDirectories: readonly string[];
  readonly sessionsDirectory: string;
  readonly limits: RenderLimits;
}

/** A live process and what it has done; gone with it. */
interface Live {
  readonly process: BlenderProcess;
  readonly folder: string;
  /** Scene key and settings that are loaded. */
  identity?: string;
  key?: string;
  /** A scene's scripts ran in it: no other scene may meet what they left. */
  tainted: boolean;
  frames: number;
  loads: number;
  /** Resident memory after the first frame of the scene. */
  baselineBytes: number;
  /** What Blender said about blocked scripts when the scene was loaded. */
  scriptsBlocked: readonly string[];
}

export interface SessionComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

/** Names a scene with the settings it is loaded with: equal names need no second load. */
export function sceneIdentity(request: FrameRequest): string {
  const { settings, scene } = request;
  return JSON.stringify([scene.key, scene.directory, scene.blendFile, Object.entries(settings).sort(byName)]);
}

export class Session {
  readonly #components: SessionComponents;
  readonly #init: SessionInit;
  #live: Live | undefined;
  /** Of the last process's folder. */
  #removal: Promise<void> = Promise.resolve();
  #cancelIdle: () => void = () => {};
  #busy = false;

  constructor(components: SessionComponents, init: SessionInit) {
    this.#components = components;
    this.#init = init;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** What is loaded, if anything is. */
  get identity(): string | undefined {
    return this.#live?.identity;
  }

  get hasProcess(): boolean {
    return this.#live !== undefined;
  }

  snapshot(): SessionSnapshot | undefined {
    const live = this.#live;
    if (live === undefined) return undefined;
    return {
      pid: live.process.pid,
      slot: this.#init.slotNumber,
      state: live.process.state,
      ...(live.key === undefined ? {} : { sceneKey: live.key }),
      framesRendered: live.frames,
      scenesLoaded: live.loads,
      memoryBytes: live.process.memoryBytes,
    };
  }

  /** Ends the process, if there is one, and removes its folder. */
  async end(cause: EndCause): Promise<void> {
    this.#cancelIdle();
    const live = this.#live;
    if (live === undefined) return;
    await live.process.end(cause);
    await this.#forget(live);
  }

  /**
   * Sends the driver's report of what this Blender can do; starts a process when none lives. One that is given up ends
   * the process, which may take long to start.
   */
  async inquire({ signal }: { signal: AbortSignal }): Promise<unknown> {
    const log = new FrameLog(this.#init.limits);
    return this.#exclusively(() =>
      this.#endedWith(signal, async () => {
        const live = this.#live ?? (await this.#start(signal));
        return live.process.run({ order: 'capabilities' }, { log, onProgress: () => {} });
      }),
    );
  }

  /** The log is the caller's: it is closed once the slot is free again. */
  async render(request: FrameRequest, options: RenderOptions, log: FrameLog): Promise<FrameResult> {
    this.#checkReadable(request.scene.directory);
    options.signal.throwIfAborted();
    return this.#exclusively(() =>
      this.#endedWith(options.signal, () => this.#renderLogged(request, options, log)),
    );
  }

  /** Ends the process as soon as the work is given up. */
  async #endedWith<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const abort = () => void this.#live?.process.end({ kind: 'aborted' });
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await work();
    } catch (error) {
      if (this.#live?.process.state === 'ending') await this.end({ kind: 'retired' });
      // Whoever canceled finds nothing left of the process, its folder included.
      await this.#removal;
      // Whatever broke because of the kill, the caller's own reason comes first.
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Error('A slot was given two frames at once.');
    this.#busy = true;
    this.#cancelIdle();
    try {
      return await work();
    } finally {
      this.#busy = false;
      this.#cancelIdle = this.#components.clock.after(this.#init.limits.idleMs, () => {
        if (!this.#busy) void this.end({ kind: 'retired' });
      });
    }
  }

  async #renderLogged(request: FrameRequest, options: RenderOptions, log: FrameLog): Promise<FrameResult> {
    const identity = sceneIdentity(request);
    const live = await this.#processFor(identity, options, log);
    const output = outputFolder(live.folder);
    const preview = join(live.folder, 'preview.jpg');
    await Promise.all([emptyFolder(output), rm(preview, { force: true })]);
    if (live.identity !== identity) {
      delete live.identity;
      delete live.key;
    }
    live.tainted ||= request.settings.allowScripts;
    let answer: unknown;
    try {
      answer = await live.process.run(orderOf(request, this.#init.slot, output, preview), {
        log,
        onProgress: (progress) => options.onProgress?.(progress),
      });
    } catch (error) {
      // A driver that lost its footing is not trusted with another frame.
      if (
        error instanceof RenderError &&
        (error.code === 'python-exception' || error.code === 'out-of-memory')
      )
        await this.end({ kind: 'retired' });
      throw error;
    }
    const result = parseDriverResult(answer);
    this.#account(live, identity, request.scene.key, result.figures.loadMs, log);
    const taken = await takeResults(result, { output, preview }, request.outputDirectory);
    if (this.#hasOutgrown(live)) await this.end({ kind: 'retired' });
    options.signal.throwIfAborted();
    const scriptsBlocked = live.scriptsBlocked;
    return { ...taken, ...result.figures, scriptsBlocked, logFile: options.logFile };
  }

  async #processFor(identity: string, options: RenderOptions, log: FrameLog): Promise<Live> {
    const old = this.#live;
    const unusable = old?.process.state === 'ending' || (old?.tainted && old.identity !== identity);
    if (unusable) await this.end({ kind: 'retired' });
    if (this.#live !== undefined) return this.#live;
    options.onProgress?.({ fraction: 0, text: 'Starting Blender' });
    const live = await this.#start(options.signal);
    for (const line of live.process.startLines) log.write(line);
    return live;
  }

  async #start(signal?: AbortSignal): Promise<Live> {
    const { limits, sessionsDirectory, slotNumber } = this.#init;
    const folder = join(sessionsDirectory, `slot-${slotNumber}-${this.#components.random.name(8)}`);
    const command = await prepareLaunch({ ...this.#init, folder });
    signal?.throwIfAborted();
    const blender = new BlenderProcess(this.#components, { command, limits });
    const live: Live = {
      process: blender,
      folder,
      tainted: false,
      frames: 0,
      loads: 0,
      baselineBytes: 0,
      scriptsBlocked: [],
    };
    this.#live = live;
    void blender.ended.then(() => this.#forget(live));
    try {
      await blender.ready();
    } catch (error) {
      await this.#forget(live);
      throw error;
    }
    return live;
  }

  #account(live: Live, identity: string, key: string, loadMs: number, log: FrameLog): void {
    live.frames += 1;
    live.identity = identity;
    live.key = key;
    const blocked = scriptsBlockedIn(log.lines);
    if (loadMs > 0) {
      live.loads += 1;
      live.baselineBytes = live.process.memoryBytes;
      live.scriptsBlocked = blocked;
    } else {
      live.scriptsBlocked = [...new Set([...live.scriptsBlocked, ...blocked])];
    }
  }

  #hasOutgrown(live: Live): boolean {
    const { growthBytes, growthRatio, framesPerProcess } = this.#init.limits;
    const now = live.process.memoryBytes;
    const grown = now > live.baselineBytes + growthBytes && now > live.baselineBytes * growthRatio;
    return grown || live.frames >= framesPerProcess;
  }

  #forget(live: Live): Promise<void> {
    if (this.#live === live) this.#live = undefined;
    this.#removal = this.#removeFolder(live);
    return this.#removal;
  }

  async #removeFolder(live: Live): Promise<void> {
    await rm(live.folder, { recursive: true, force: true }).catch((error: unknown) => {
      this.#components.logger.warn('A session folder could not be removed', {
        folder: live.folder,
        error: String(error),
      });
    });
  }

  #checkReadable(directory: string): void {
    const wanted = resolve(directory) + sep;
    const inside = this.#init.readableDirectories.some((parent) => wanted.startsWith(resolve(parent) + sep));
    if (!inside) throw new RenderError('bad-request', `Scenes are not read from ${directory}.`);
  }
}

function orderOf(request: FrameRequest, slot: SlotInit, output: string, preview: string) {
  return {
    order: 'render',
    ...request.scene,
    frame: request.frame,
    settings: request.settings,
    outputFolder: output,
    previewFile: preview,
    preview: request.preview ?? 'needed',
    ...(slot.devices === undefined ? {} : { devices: slot.devices }),
  };
}
