import { findOnPath } from '../blender/confinement.ts';
import type { Clock, Logger, Startable } from '../../system/interface.ts';
import { type GroupCommand, type ProcessGroup, startProcessGroup } from './group.ts';

/** A machine that falls asleep between two frames loses more than it saves: it is let go a while after the last. */
const RELEASE_AFTER_MS = 60_000;
/** Whoever held the system awake for so long was not refused, but ended by something else: its session, an update. */
const HELD_MIN_MS = 10_000;
const WHY = 'Cuadro renders';

/** Asks the system not to sleep while this machine renders; where it can't be asked, everything goes on without. */
export interface StayAwake extends Startable {
  /** Whether anything runs now. */
  busy(isBusy: boolean): void;
}

/** The program that holds the system awake for as long as it runs itself; undefined where there is none. */
export async function inhibitor(
  platform: NodeJS.Platform = process.platform,
): Promise<GroupCommand | undefined> {
  const common = { environment: {}, directory: '/' };
  if (platform === 'darwin') {
    const caffeinate = await findOnPath('caffeinate');
    return caffeinate === undefined ? undefined : { ...common, file: caffeinate, arguments: ['-i'] };
  }
  const [inhibit, sleep] = [await findOnPath('systemd-inhibit'), await findOnPath('sleep')];
  if (platform !== 'linux' || inhibit === undefined || sleep === undefined) return undefined;
  const what = ['--what=sleep:idle', '--who=Cuadro', `--why=${WHY}`, '--mode=block'];
  return { ...common, file: inhibit, arguments: [...what, sleep, 'infinity'] };
}

export function createStayAwake(
  components: { clock: Clock; logger: Logger },
  init: { find?: () => Promise<GroupCommand | undefined> } = {},
): StayAwake {
  return new Inhibiting(components, init.find ?? inhibitor);
}

class Inhibiting implements StayAwake {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #find: () => Promise<GroupCommand | undefined>;
  #command: GroupCommand | undefined;
  #group: ProcessGroup<'released'> | undefined;
  #cancelRelease: (() => void) | undefined;
  #isBusy = false;
  /** A system that refused once is not asked for every frame. */
  #refused = false;

  constructor(components: { clock: Clock; logger: Logger }, find: () => Promise<GroupCommand | undefined>) {
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#find = find;
  }

  async start(): Promise<void> {
    this.#command ??= await this.#find();
  }

  async stop(): Promise<void> {
    this.#command = undefined;
    this.#release();
  }

  busy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#cancelRelease?.();
    this.#cancelRelease = undefined;
    if (isBusy) this.#hold();
    else this.#cancelRelease = this.#clock.after(RELEASE_AFTER_MS, () => this.#release());
  }

  #hold(): void {
    if (this.#group !== undefined || this.#command === undefined || this.#refused) return;
    const group = startProcessGroup<'released'>({ clock: this.#clock }, this.#command, { killWaitMs: 1_000 });
    this.#group = group;
    const heldAtMs = this.#clock.now();
    for (const stream of [group.output, group.errors]) stream?.resume();
    void group.ended.then((ending) => {
      if (this.#group === group) this.#group = undefined;
      if (ending.kind === 'ended') return;
      if (this.#clock.now() - heldAtMs >= HELD_MIN_MS) {
        if (this.#isBusy) this.#hold();
        return;
      }
      this.#refused = true;
      this.#logger.info('The system does not let itself be kept awake; it may sleep while it renders.', {
        ending: ending.kind,
      });
    });
  }

  #release(): void {
    this.#group?.end('released');
    this.#group = undefined;
  }
}
