import { availableParallelism, loadavg, totalmem } from 'node:os';
import {
  formatHours,
  isWithinHours,
  minuteOfWeek,
  type BlobHash,
  type Capabilities,
  type Config,
  type HereView,
  type WorkingHours,
} from '@cuadro/protocol';
import type { BlobStore, BlobUsage } from '../blobs/interface.ts';
import { ffmpegCapabilities } from '../render/film/capabilities.ts';
import type { FfmpegCapabilities } from '../render/film/interface.ts';
import type { BlenderCapabilities, BlenderSessions } from '../render/interface.ts';
import type { MachineCapabilities } from '../render/scene/interface.ts';
import type { Clock, Logger, Startable } from '../system/interface.ts';

/** Room on the disk and load are looked at this often; the beacon carries them once a second, people read them slower. */
const LOOK_EVERY_MS = 2_000;

/** After a fault of this machine that isn't the disk's it takes no work for so long, and then tries again. */
const FAULT_PAUSE_MS = 30_000;

/** What keeps a machine from taking work, beside what people want of it. */
type IdleKind = 'hours' | 'disk' | 'slots' | 'fault';

export interface MachineComponents {
  clock: Clock;
  logger: Logger;
  blobs: BlobStore;
  sessions: BlenderSessions;
  config: () => Config;
  /** Tasks that the worker runs at the same time. */
  slots: () => number;
  /** The hours in which people want this machine to work; it judges them by its own clock. */
  hours: () => WorkingHours | undefined;
  /** How it stands with leaving the farm; undefined where it stays. */
  leaving: () => string | undefined;
  /** That its disk is slow, and what to do; undefined while it isn't (SPEC R149). */
  slowDisk: () => string | undefined;
  bundles(): BlobHash[];
  /** What this machine can do has changed. */
  onWorker(worker: {
    capabilities: Capabilities;
    slots: number;
    bundles: BlobHash[];
    accepting: boolean;
    idleReason?: string;
    /** What the reason is about. */
    idleKind?: IdleKind;
  }): void;
  onLoad(load: { load: number; freeDiskBytes: number }): void;
}

/** What this machine can do: probed once, told to the brain, watched while it runs. */
export interface Machine extends Startable {
  /** Resolves when the engines were probed. */
  readonly probed: Promise<void>;
  ffmpeg(): Promise<FfmpegCapabilities>;
  blender(): Promise<BlenderCapabilities>;
  /** What preflight asks of this machine; empty without Blender, or before it was probed. */
  forPreflight(): MachineCapabilities[];
  /** Tells the brain anew, after the owner changed something. */
  tell(): void;
  /** An attempt ended by a fault of this machine: it takes no work for a while, and says why. */
  fault(sentence: string): void;
  view(): Promise<Pick<HereView, 'store' | 'blender' | 'ffmpeg' | 'sessions'>>;
}

export function createMachine(components: MachineComponents): Machine {
  return new LocalMachine(components);
}

class LocalMachine implements Machine {
  readonly #components: MachineComponents;
  #blender: BlenderCapabilities | undefined;
  #ffmpeg: FfmpegCapabilities | undefined;
  #probing: Promise<void> | undefined;
  #usage: BlobUsage | undefined;
  #told = '';
  #fault: { sentence: string; until: number } | undefined;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #running = false;

  constructor(components: MachineComponents) {
    this.#components = components;
  }

  /** What the disk holds may take long to tell: it offers itself for work when that is known. */
  start(): Promise<void> {
    if (this.#running) return Promise.resolve();
    this.#running = true;
    this.#tryProbe();
    this.#look();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel?.();
    await this.#looking;
  }

  get probed(): Promise<void> {
    this.#probing ??= this.#probe();
    return this.#probing;
  }

  async ffmpeg(): Promise<FfmpegCapabilities> {
    await this.probed;
    return this.#ffmpeg as FfmpegCapabilities;
  }

  async blender(): Promise<BlenderCapabilities> {
    await this.probed;
    return this.#blender as BlenderCapabilities;
  }

  forPreflight(): MachineCapabilities[] {
    if (this.#blender?.state !== 'ready') return [];
    const { version, engines, denoisers } = this.#blender;
    return [{ blenderVersion: version, engines, denoisers: denoisers.map((name) => name.toUpperCase()) }];
  }

  async #probe(): Promise<void> {
    const { sessions, clock, config } = this.#components;
    const { ffmpeg } = config();
    try {
      [this.#blender, this.#ffmpeg] = await Promise.all([
        sessions.capabilities(),
        ffmpegCapabilities({ clock }, ffmpeg === '' ? {} : { ffmpeg }),
      ]);
    } catch (error) {
      // Whoever asks next tries again: a full disk may have room by then.
      this.#probing = undefined;
      throw error;
    }
    this.tell();
  }

  /** Probes unless that was done; a machine that can't be probed now is tried again at the next look. */
  #tryProbe(): void {
    if (this.#blender !== undefined || this.#probing !== undefined) return;
    this.probed.catch((error: unknown) => {
      if (!this.#running) return;
      this.#components.logger.warn("The engines can't be tried; it is done again later.", {
        error: String(error),
      });
    });
  }

  fault(sentence: string): void {
    this.#fault = { sentence, until: this.#components.clock.now() + FAULT_PAUSE_MS };
    this.tell();
  }

  tell(): void {
    if (!this.#running || this.#blender === undefined || this.#usage === undefined) return;
    const slots = this.#components.slots();
    const idle = this.#whyIdle(slots);
    const accepting = this.#usage.accepting && idle === undefined;
    const worker = {
      capabilities: this.#capabilities(),
      slots,
      bundles: this.#components.bundles(),
      accepting,
      ...idle,
    };
    const told = JSON.stringify(worker);
    if (told === this.#told) return;
    this.#told = told;
    this.#components.onWorker(worker);
  }

  /** The first reason of several: what only a person can mend comes first. */
  #whyIdle(slots: number): { idleReason: string; idleKind?: IdleKind } | undefined {
    const leaving = this.#components.leaving();
    if (leaving !== undefined) return { idleReason: leaving };
    const reasons: [IdleKind, string | undefined][] = [
      ['disk', this.#usage?.reason],
      ['disk', this.#components.slowDisk()],
      ['fault', this.#fault?.sentence],
      ['slots', slots === 0 ? 'It is to run no tasks for now.' : undefined],
      ['hours', this.#outsideHours()],
    ];
    for (const [idleKind, idleReason] of reasons)
      if (idleReason !== undefined) return { idleReason, idleKind };
    return undefined;
  }

  #outsideHours(): string | undefined {
    const hours = this.#components.hours();
    const now = minuteOfWeek(new Date(this.#components.clock.wallTime()));
    return isWithinHours(hours, now)
      ? undefined
      : `These are not its hours: it works ${formatHours(hours)}, by its own clock.`;
  }

  #capabilities(): Capabilities {
    const { programs, allowScripts } = this.#components.config();
    const engines: Record<string, string> = { node: '1' };
    if (this.#blender?.state === 'ready') engines['blender'] = this.#blender.version;
    if (this.#ffmpeg?.state === 'ready' && this.#ffmpeg.encoders.h264)
      engines['ffmpeg'] = this.#ffmpeg.version.slice(0, 64);
    if (programs.length > 0) engines['command'] = '1';
    const ready = this.#blender?.state === 'ready' ? this.#blender : undefined;
    return {
      engines,
      renderEngines: [...(ready?.engines ?? [])],
      denoisers: [...(ready?.denoisers ?? [])],
      devices: ready?.devices.map(({ name }) => name).slice(0, 32) ?? [],
      programs,
      scripts: allowScripts,
      tags: [],
      cores: availableParallelism(),
      memoryBytes: totalmem(),
    };
  }

  /** Looks at disk and load, and again later: one look at a time. */
  #look(): void {
    this.#looking = this.#components.blobs
      .usage()
      .then((usage) => {
        this.#usage = usage;
        if (this.#fault !== undefined && this.#components.clock.now() >= this.#fault.until) {
          this.#fault = undefined;
        }
        this.#tryProbe();
        this.#components.onLoad({ load: loadavg()[0] ?? 0, freeDiskBytes: usage.freeDiskBytes });
        this.tell();
      })
      .catch((error: unknown) =>
        this.#components.logger.warn("The disk can't be looked at.", { error: String(error) }),
      )
      .finally(() => {
        if (this.#running) this.#cancel = this.#components.clock.after(LOOK_EVERY_MS, () => this.#look());
      });
  }

  async view(): Promise<Pick<HereView, 'store' | 'blender' | 'ffmpeg' | 'sessions'>> {
    const { usedBytes, quotaBytes, freeDiskBytes, reserveBytes, ...room } =
      await this.#components.blobs.usage();
    const reason = room.reason ?? this.#components.slowDisk();
    return {
      store: {
        usedBytes,
        quotaBytes,
        freeDiskBytes,
        reserveBytes,
        accepting: room.accepting && reason === undefined,
        ...(reason !== undefined && { reason }),
      },
      blender: this.#blenderView(),
      ffmpeg: this.#ffmpegView(),
      sessions: this.#components.sessions.snapshot().map((session) => ({
        pid: session.pid,
        state: session.state,
        ...(session.sceneKey !== undefined && { scene: session.sceneKey }),
        frames: session.framesRendered,
        loads: session.scenesLoaded,
        memoryBytes: session.memoryBytes,
        devices: this.#blender?.state === 'ready' ? this.#blender.devices.map(({ name }) => name) : [],
      })),
    };
  }

  #blenderView(): HereView['blender'] {
    const blender = this.#blender;
    if (blender === undefined) return { state: 'probing' };
    const confinement = blender.confinement.sentence;
    if (blender.state === 'no-blender') return { state: 'missing', note: blender.sentence, confinement };
    return { state: 'ready', path: blender.path, version: blender.version, confinement };
  }

  #ffmpegView(): HereView['ffmpeg'] {
    if (this.#ffmpeg === undefined) return { state: 'probing' };
    if (this.#ffmpeg.state === 'no-ffmpeg') return { state: 'missing' };
    return { state: 'ready', version: this.#ffmpeg.version, path: this.#ffmpeg.path };
  }
}
