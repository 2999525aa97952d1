import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createTemporaryFiles } from '../../../node/src/system/temporary-files.ts';
import { Dice } from '../dice.ts';
import { ACTIONS, type Action, check, useAgain } from './actions.ts';
import { ProcessFiles } from './calls.ts';
import { LARGE, SMALL } from './contents.ts';
import { BrokenPromise, Ledger } from './ledger.ts';
import { type PowerProfile, profileOf } from './profile.ts';
import { isRefusal, Refusals } from './refusals.ts';
import { DATA, type Life, ROOMY_BYTES, type Scene } from './scene.ts';
import { threadOn } from './thread.ts';
import { type Drive, judge } from './verdict.ts';
import { Volume } from './volume.ts';

/** Where a blob stands, and its hash. */
const BLOB_PATH = /\/blobs\/[0-9a-f]{2}\/([0-9a-f]{64})$/;

/** How a process ends: the machine loses power, or goes on; or the node is stopped. */
type Ending = 'power' | 'kill' | 'stop';

export interface PowerReport {
  readonly seed: bigint;
  readonly cuts: number;
  /** Of these, while a store started. */
  readonly cutsAtStart: number;
  readonly kills: number;
  readonly stops: number;
  readonly actions: number;
  /** Calls that the disk refused. */
  readonly refusals: number;
  /** By the name of the action: how often one was carried out to its end. */
  readonly failure?: { readonly rule: string; readonly sentence: string; readonly error: unknown };
}

/**
 * One machine whose content store is begun, used and ended some times, mostly by a power cut, as one seed has it. After
 * each start all that was promised before is looked for.
 */
export async function losePower(
  seed: bigint,
  options: { trace?: (line: string) => void; profile?: Partial<PowerProfile> } = {},
): Promise<PowerReport> {
  const profile = { ...profileOf(seed), ...options.profile };
  const run = new PowerRun(seed, profile, options.trace ?? (() => undefined));
  try {
    await run.live();
    return { seed, ...run.counts, refusals: run.refusals };
  } catch (error) {
    const rule = error instanceof BrokenPromise ? error.rule : 'error';
    const sentence = error instanceof Error ? error.message : String(error);
    return { seed, ...run.counts, refusals: run.refusals, failure: { rule, sentence, error } };
  }
}

/** A process that is gone does nothing more; whoever waits for it is told by this. */
const gone = new Error('The process is gone.');

class PowerRun {
  readonly counts = { cuts: 0, cutsAtStart: 0, kills: 0, stops: 0, actions: 0 };
  readonly #scene: Scene;
  readonly #dice: Dice;
  readonly #volume = new Volume();
  readonly #trace: (line: string) => void;
  #wallTimeMs = 1_700_000_000_000;
  #failure: { readonly error: unknown } | undefined;
  readonly #faults: Dice;
  readonly #refusals: Refusals;
  readonly #profile: PowerProfile;
  #isAtWork = false;
  #refusalsBefore = 0;

  constructor(seed: bigint, profile: PowerProfile, trace: (line: string) => void) {
    this.#profile = profile;
    this.#trace = trace;
    const dice = (this.#dice = new Dice(seed));
    this.#faults = dice.fork('refusals');
    this.#refusals = new Refusals({ dice: this.#faults });
    // What is unfinished is given up by its age.
    this.#volume.nowMs = this.#wallTimeMs;
    const isLarge = dice.chance(0.12);
    const contents = isLarge
      ? [...dice.shuffled(SMALL).slice(0, 3), dice.pick(LARGE.slice(0, 2)), dice.pick(LARGE.slice(2))]
      : dice.shuffled(SMALL).slice(0, dice.whole(3, profile.contentsMax));
    const tight = isLarge ? dice.whole(1_300_000, 2_500_000) : dice.whole(10_000, 30_000);
    this.#scene = {
      ...{ volume: this.#volume, dice, ledger: new Ledger(), refusals: this.#refusals },
      ...{ outputs: new Map(), trees: new Map() },
      ...{ contents, quotaBytes: dice.chance(0.6) ? ROOMY_BYTES : tight, bootId: 'boot-0', names: 0 },
    };
    for (const folder of ['data', 'source', 'output', 'scenes'])
      if (folder !== 'data' || dice.chance(0.5)) this.#volume.makeFolder(`/machine/${folder}`, true);
    this.#volume.sync(this.#volume.root);
    this.#volume.sync(this.#volume.at('/machine'));
  }

  get refusals(): number {
    return this.#refusals.count;
  }

  async live(): Promise<void> {
    const lives = this.#dice.whole(3, 8);
    for (let index = 0; index < lives; index += 1) await this.#oneLife(index);
    await this.#lastLife();
  }

  async #oneLife(index: number): Promise<void> {
    const dice = this.#dice;
    const ending: Ending = dice.weighted([
      [6, 'power'],
      [this.#profile.kills, 'kill'],
      [1, 'stop'],
    ]);
    const life = this.#newLife();
    const endsAtStart = ending !== 'stop' && dice.chance(0.25);
    if (endsAtStart) life.files.endAfter(dice.whole(0, index === 0 ? 265 : 12), dice.chance(0.5));
    const drive = this.#driverOf(life);
    let at = 'its start';
    try {
      await this.#start(life, drive);
      life.files.endAfter(Number.POSITIVE_INFINITY, true);
      await judge(this.#scene, life, drive);
      at = 'its work';
      if (ending !== 'stop') life.files.endAfter(dice.whole(0, 150), dice.chance(0.5));
      if (ending === 'kill' && this.#profile.killsAtName) life.files.endAtName(BLOB_PATH);
      this.#refusalsBefore = this.refusals;
      await this.#work(life, dice.whole(1, 30));
      this.#refusals.end();
      if (this.refusals > this.#refusalsBefore) await drive(useAgain(this.#scene, life));
      at = 'its end';
      if (ending === 'stop') await drive(life.store.stop());
    } catch (error) {
      if (error !== gone) throw error;
    }
    this.#end(life, ending, at);
  }

  /** Where the disk refuses it, it begins once the disk takes everything again. */
  async #start({ store }: Life, drive: Drive): Promise<void> {
    if (this.#profile.refuses && this.#faults.chance(0.3)) this.#trouble();
    try {
      await drive(store.start());
    } catch (error) {
      if (error === gone || !isRefusal(error)) throw error;
      this.#trace(`  the start is refused: ${String(error)}`);
      this.#refusals.end();
      await drive(store.start());
    }
    this.#refusals.end();
  }

  #trouble(): void {
    this.#trace(`  the disk: ${JSON.stringify(this.#refusals.begin())}`);
  }

  async #lastLife(): Promise<void> {
    const life = this.#newLife();
    const drive = this.#driverOf(life);
    await drive(life.store.start());
    await judge(this.#scene, life, drive);
    await drive(check(this.#scene, life));
    await drive(life.store.stop());
  }

  #newLife(): Life {
    const { ledger, dice, quotaBytes } = this.#scene;
    const files = new ProcessFiles({
      volume: this.#volume,
      dice,
      refusals: this.#refusals,
      watch: (call, path) => {
        const hash = BLOB_PATH.exec(path)?.[1];
        if (hash === undefined) return;
        // What the disk can't read is damaged as far as anybody can tell.
        if (call === 'unreadable') ledger.damaged(hash);
        // Not thrown there, where the store would take it for an error of the disk.
        else this.#attempt(() => ledger.removing(hash, call));
      },
    });
    const clock = new ManualClock({ wallTimeMs: this.#wallTimeMs });
    const temporaries = createTemporaryFiles({ random: dice, files }, { owner: 'store' });
    const ground = {
      files,
      spawn: () => threadOn(files),
      digest: async (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex'),
    };
    const store = createFileBlobStore(
      { clock, random: dice, temporaries, ground },
      { folder: DATA, options: { quotaBytes, reserveBytes: 0, concurrency: dice.whole(1, 16) } },
    );
    return { files, store, temporaries, clock, busy: new Set() };
  }

  #attempt(perform: () => void): void {
    try {
      perform();
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /** Everything that waits for no call has been done after it. */
  async #settle({ files }: Life): Promise<void> {
    await turnOfLoop();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (files.isGone) throw gone;
  }

  #turn({ files }: Life): void {
    if (!files.hasWaiting) throw new BrokenPromise('ends', 'The store waits, and for no call.');
    files.turn();
    this.#volume.nowMs += 1;
    if (this.#dice.chance(this.#profile.settles)) this.#volume.settle(this.#dice);
    if (!this.#profile.refuses || !this.#isAtWork) return;
    if (!this.#refusals.isOn && this.#faults.chance(0.02)) this.#trouble();
    else if (this.#refusals.isOn && this.#faults.chance(0.03)) this.#refusals.end();
  }

  #driverOf(life: Life): Drive {
    return async (work) => {
      let hasEnded = false;
      const ended = (): void => void (hasEnded = true);
      work.then(ended, ended);
      for (;;) {
        await this.#settle(life);
        if (hasEnded) return work;
        this.#turn(life);
      }
    };
  }

  /** So many actions, some at once, until the process ends. */
  async #work(life: Life, actions: number): Promise<void> {
    const dice = this.#dice;
    const width = dice.whole(1, 6);
    let left = actions;
    let running = 0;
    this.#isAtWork = true;
    for (;;) {
      await this.#settle(life);
      const mayBegin = left > 0 && running < width;
      if (left === 0 && running === 0) break;
      if (mayBegin && (running === 0 || dice.chance(0.3))) {
        left -= 1;
        running += 1;
        const action = dice.weighted(ACTIONS);
        void this.#act(action, life).finally(() => (running -= 1));
        continue;
      }
      this.#turn(life);
    }
    this.#isAtWork = false;
  }

  async #act(action: Action, life: Life): Promise<void> {
    this.#trace(`  ${action.name}`);
    this.#wallTimeMs += this.#dice.whole(1, 900_000);
    life.clock.advance(this.#wallTimeMs - life.clock.wallTime());
    this.counts.actions += 1;
    try {
      await action(this.#scene, life);
    } catch (error) {
      // It may wait for what another one began, and was refused before.
      if (this.refusals === this.#refusalsBefore || !isRefusal(error)) this.#failure ??= { error };
      else this.#trace(`  ${action.name} is refused: ${String(error)}`);
    }
  }

  #end({ files }: Life, ending: Ending, at: string): void {
    this.#trace(`${ending} at ${at}`);
    this.#isAtWork = false;
    this.#refusals.end();
    if (ending === 'stop') {
      this.counts.stops += 1;
      return;
    }
    files.end(ending === 'kill' ? this.#dice.float() : 0);
    this.#scene.ledger.ended();
    if (ending === 'kill') {
      this.counts.kills += 1;
      return;
    }
    this.counts.cuts += 1;
    if (at === 'its start') this.counts.cutsAtStart += 1;
    this.#volume.cut(this.#dice);
    this.#scene.bootId = `boot-${this.counts.cuts}`;
  }
}
