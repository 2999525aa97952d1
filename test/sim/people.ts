import { createHash } from 'node:crypto';
import {
  encode,
  fieldSubject,
  PlanView,
  signField,
  signJobSpec,
  type JobRecord,
  type Plan,
  type PlanGroup,
} from '@cuadro/protocol';
import { deleteJob, requeue, setJob, setNode } from '../../node/src/jobs/control.ts';
import type { JobsComponents, Kept } from '../../node/src/jobs/interface.ts';
import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import type { Nature } from './workshop.ts';

/** What somebody did, as the checkers hear of it. */
export type Deed =
  | { readonly kind: 'submitted'; readonly job: string; readonly plan: Plan; readonly at: Machine }
  | { readonly kind: 'accepted'; readonly job: string; readonly at: Machine; readonly kept: Kept }
  | {
      readonly kind: 'requeue';
      readonly job: string;
      readonly at: Machine;
      readonly tasks: readonly string[] | 'all' | 'failed';
    }
  | { readonly kind: 'delete' | 'change'; readonly job: string; readonly at: Machine }
  | { readonly kind: 'remove'; readonly machine: Machine; readonly at: Machine };

/** How long a door is opened for. */
const DOOR_MS = 600_000;

/** The people of a farm: they submit, change their minds, and press buttons on any machine. */
export class People {
  readonly #farm: SimFarm;
  readonly #dice: Dice;
  readonly #tell: (deed: Deed) => void;
  readonly jobs: string[] = [];

  constructor(farm: SimFarm, tell: (deed: Deed) => void) {
    this.#farm = farm;
    this.#dice = farm.dice.fork('people');
    this.#tell = tell;
  }

  /** Somebody does something, somewhere. */
  act(): void {
    const at = this.#someMachine();
    if (at === undefined) return;
    const act = this.#dice.weighted<() => void>([
      [6, () => this.submit(at)],
      [3, () => this.#requeue(at)],
      [2, () => this.#setJob(at)],
      [1, () => this.#delete(at)],
      [2, () => this.#setNode(at)],
    ]);
    act();
  }

  #someMachine(): Machine | undefined {
    const there = this.#farm.up().filter(({ life, host }) => life !== undefined && !host.isStalled);
    const members = there.filter(({ queries }) => queries?.farmRecord() !== undefined);
    return members.length === 0 ? undefined : this.#dice.pick(members);
  }

  /** What people do may fail (the job is gone, the node ends meanwhile); they see that, and nothing else may happen. */
  #do(at: Machine, what: string, act: (components: JobsComponents) => Promise<unknown>): void {
    const jobs = at.life?.jobs;
    if (jobs === undefined) return;
    act(jobs as JobsComponents).catch((error: unknown) => {
      if ((error as { code?: string }).code === undefined) this.#farm.timeline.fail(error);
    });
    this.#note(at, what);
  }

  #note(at: Machine, what: string): void {
    this.#farm.note(at.peer, 'person', what);
  }

  submit(at: Machine): void {
    if (this.jobs.length >= this.#farm.profile.jobs) return;
    const id = this.#dice.name(16);
    const plan = this.#plan();
    const nature = this.#nature(plan);
    const after = this.#dice.chance(0.25) && this.jobs.length > 0 ? [this.#dice.pick(this.jobs)] : [];
    const known = after.filter((job) => at.queries?.jobRecord(job) !== undefined);
    this.jobs.push(id);
    this.#farm.workshop.natures.set(id, nature);
    this.#do(at, `submit ${id}`, async (components) => {
      const { blobs, driver, copies, signer } = components;
      const stored = await blobs.putBytes(encode(plan), { pin: id });
      const record = jobRecord(components, { id, plan, hash: stored.hash, after: known, dice: this.#dice });
      this.#tell({ kind: 'submitted', job: id, plan, at });
      await driver.merge([record]);
      const kept = await copies.acknowledge(id);
      this.#tell({ kind: 'accepted', job: id, at, kept });
      return signer;
    });
  }

  #plan(): Plan {
    const dice = this.#dice;
    const tasks = dice.weighted([
      [4, dice.whole(1, 4)],
      [4, dice.whole(3, 10)],
      [1, dice.whole(12, 30)],
    ]);
    const frames: PlanGroup = {
      name: 'frame',
      work: { kind: 'blender-frame', allowScripts: false },
      numbers: [{ start: 1, end: tasks, step: 1 }],
      after: [],
      requires: { engine: 'blender' },
    };
    const groups = [frames];
    if (dice.chance(0.3)) {
      groups.push({
        name: 'command',
        work: { kind: 'command', program: '/bin/true', args: [] },
        numbers: [{ start: 1, end: tasks, step: 1 }],
        after: [{ group: 0, match: 'same' }],
        requires: { engine: 'command' },
      });
    }
    if (dice.chance(0.5)) {
      groups.push({
        name: 'film',
        work: { kind: 'film', frames: 0, rate: { numerator: 24, denominator: 1 }, output: 'film.mp4' },
        numbers: [{ start: 1, end: 1, step: 1 }],
        after: [{ group: 0, match: 'all' }],
        requires: { engine: 'ffmpeg' },
      });
    }
    return { version: 1, order: dice.chance(0.3) ? 'coarse-to-fine' : 'sequential', groups };
  }

  #nature(plan: Plan): Nature {
    const dice = this.#dice;
    const { taskCount } = new PlanView(plan);
    const mean = this.#farm.profile.taskMs;
    const taskMs = Array.from({ length: taskCount }, () =>
      dice.chance(0.05) ? mean * dice.between(3, 8) : mean * dice.between(0.3, 1.7),
    );
    const some = (share: number): Set<number> =>
      new Set(dice.chance(share) ? [dice.whole(0, taskCount - 1)] : []);
    return {
      plan: createHash('sha256').update(encode(plan)).digest('hex'),
      taskMs,
      files: dice.chance(0.7) ? dice.whole(1, 2) : 0,
      poison: some(0.15),
      killers: some(0.08),
      flaky: dice.chance(0.2) ? 0.1 : 0,
      differs: dice.chance(0.5),
    };
  }

  #someJob(at: Machine): JobRecord | undefined {
    const ids = at.queries?.jobIds().filter((id) => at.queries?.jobRecord(id)?.deleted === undefined) ?? [];
    return ids.length === 0 ? undefined : at.queries?.jobRecord(this.#dice.pick(ids));
  }

  #requeue(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    const index = this.#dice.whole(0, job.spec.tasks - 1);
    const tasks = this.#dice.weighted<'all' | 'failed' | string[]>([
      [5, [`#${index}`]],
      [2, 'failed'],
      [1, 'all'],
    ]);
    this.#tell({ kind: 'requeue', job: job.id, at, tasks });
    this.#do(at, `requeue ${job.id} ${String(tasks)}`, (components) => requeue(components, job.id, tasks));
  }

  #setJob(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    const wanted = this.#dice.weighted<Parameters<typeof setJob>[2]>([
      [2, { desired: 'paused' }],
      [3, { desired: 'active' }],
      [1, { desired: 'canceled' }],
      [2, { priority: this.#dice.whole(1, 100) }],
      [1, { machineLimit: this.#dice.whole(0, 2) }],
    ]);
    this.#tell({ kind: 'change', job: job.id, at });
    this.#do(at, `set ${job.id} ${JSON.stringify(wanted)}`, (components) =>
      setJob(components, job.id, wanted),
    );
  }

  #delete(at: Machine): void {
    const job = this.#someJob(at);
    if (job === undefined) return;
    this.#tell({ kind: 'delete', job: job.id, at });
    this.#do(at, `delete ${job.id}`, (components) => deleteJob(components, job.id));
  }

  #setNode(at: Machine): void {
    const desired = this.#dice.pick(['active', 'active', 'paused', 'draining'] as const);
    if (this.#dice.chance(0.5)) {
      this.#do(at, `own ${desired}`, (components) => setNode(components, at.peer, { ownerDesired: desired }));
      return;
    }
    const other = this.#dice.pick(this.#farm.machines);
    this.#do(at, `set ${other.name} ${desired}`, (components) =>
      setNode(components, other.peer, { desired }),
    );
  }

  /** Somebody takes a machine out of the farm, from another one. */
  remove(machine: Machine): void {
    const others = this.#farm.up().filter((one) => one !== machine && !one.host.isStalled);
    const at = others.length === 0 ? undefined : this.#dice.pick(others);
    const farm = at?.life?.farm;
    if (at === undefined || farm === undefined || machine.isRemoved) return;
    this.#note(at, `remove ${machine.name}`);
    farm.removeMember(machine.peer, 'sold').then(
      () => {
        machine.isRemoved = true;
        this.#tell({ kind: 'remove', machine, at });
      },
      () => undefined,
    );
  }

  /** Somebody opens the door for newcomers. */
  openDoor(): void {
    const at = this.#someMachine();
    if (at === undefined) return;
    this.#note(at, 'open the door');
    at.life?.farm.openDoor(DOOR_MS).catch(() => undefined);
  }

  /** Whoever comes in the morning lets everything go on. */
  release(at: Machine): void {
    for (const machine of this.#farm.machines) if (machine.isGone) this.remove(machine);
    if (this.#farm.up().some(({ queries }) => queries?.farmRecord() === undefined)) this.openDoor();
    for (const id of at.queries?.jobIds() ?? []) {
      const plan = at.queries?.jobRecord(id)?.spec.plan ?? '';
      // A job that only a destroyed machine could tell of has no use any more.
      if (this.#farm.lostDisks === 0 || this.#farm.machines.some(({ disk }) => disk.blobs.contents.has(plan)))
        continue;
      this.#tell({ kind: 'delete', job: id, at });
      this.#do(at, `delete ${id}`, (components) => deleteJob(components, id));
    }
    for (const machine of this.#farm.up()) {
      const fields = at.queries?.nodeRecord(machine.peer)?.fields;
      if ((fields?.desired?.value ?? 'active') !== 'active')
        this.#do(at, `release ${machine.name}`, (components) =>
          setNode(components, machine.peer, { desired: 'active' }),
        );
      if ((machine.queries?.nodeRecord(machine.peer)?.fields.ownerDesired?.value ?? 'active') !== 'active')
        this.#do(machine, 'own active', (components) =>
          setNode(components, machine.peer, { ownerDesired: 'active' }),
        );
    }
    for (const id of at.queries?.jobIds() ?? []) {
      if (at.queries?.job(id)?.state === 'paused')
        this.#do(at, `resume ${id}`, (components) => setJob(components, id, { desired: 'active' }));
    }
  }
}

/** A job's record as a submission makes it. */
function jobRecord(
  { signer, driver, clock, copies }: JobsComponents,
  draft: { id: string; plan: Plan; hash: string; after: string[]; dice: Dice },
): JobRecord {
  const { id, plan, hash, after, dice } = draft;
  const priority = dice.whole(1, 100);
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: `job ${id.slice(0, 4)}`,
      type: 'blender-animation',
      settings: { frames: framesIn(plan) },
      plan: hash,
      tasks: new PlanView(plan).taskCount,
      order: driver.queries.nextOrder(),
      after,
      outputFolder: '/output',
      wallTime: clock.wallTime(),
    }),
    control: { priority: signField(signer, 'job-control', fieldSubject(id, 'priority'), priority, 1) },
    requests: {},
    holders: { bundle: {}, plan: { [signer.peer]: { held: true, counter: 1 } } },
    acknowledged: copies.alone(),
  };
}

/** Tasks of the first group, of which the others are made. */
const framesIn = ({ groups }: Plan): number => groups[0]?.numbers[0]?.end ?? 0;
