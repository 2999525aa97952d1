import assert from 'node:assert/strict';
import {
  attemptKey,
  emptyTask,
  safetyWithout,
  type Grant,
  type JobRecord,
  type JobView,
  type Plan,
  type TaskRecord,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { oracleJob, type OracleJob } from '../protocol/oracle.ts';
import {
  BELEN,
  CARMEN,
  deleted,
  Farm,
  framesPlan,
  grantsTo,
  jobIdOf,
  nodeDesired,
  SELF,
  stopsTo,
  withDesired,
  withRequest,
} from './farm.ts';

/** A machine of the simulation: what it was granted and has not ended. */
interface FakeMachine {
  peer: string;
  held: Map<string, Grant>;
  alive: boolean;
  sequence: number;
}

/** One move: what kind, and two numbers that choose among what there is. */
export type Move = readonly [kind: number, a: number, b: number];
export const MOVE_KINDS = 20;

const LEASE_MS = 4_000;

/** A farm whose machines render, fail, die and lie at random; everything that must hold is checked at each move. */
export class Simulation {
  farm = new Farm().start();
  readonly #machines: FakeMachine[] = [BELEN, CARMEN].map((peer) => {
    return { peer, held: new Map(), alive: true, sequence: 0 };
  });
  readonly #plans = new Map<string, Plan>();
  readonly #attempts = new Set<string>();
  /** Task → the grant of it that a machine holds, as seen from outside. */
  readonly #granted = new Map<string, { key: string; peer: string }>();
  readonly #heardAt = new Map<string, number>();
  #term = 1;
  #jobs = 0;
  #counter = 1;
  #level = 1;
  /** Whether machines stop failing and dying, so that everything must end. */
  #calm = false;

  constructor() {
    for (const machine of this.#machines) this.#claim(machine);
    this.#submit(1);
  }

  move([kind, a, b]: Move): void {
    switch (kind) {
      case 0:
      case 1:
      case 2:
      case 3:
        this.#endSelf(a, 'result');
        break;
      case 4:
        this.#endSelf(a, 'failure');
        break;
      case 5:
      case 6:
      case 7:
        this.#endOther(a, b, 'result');
        break;
      case 8:
        this.#endOther(a, b, 'failure');
        break;
      case 9:
      case 10:
        for (const machine of this.#machines) this.#beacon(machine);
        break;
      case 11:
        this.#advance(1 + (a % 3_000));
        break;
      case 12:
        this.#kill(a, b);
        break;
      case 13:
        this.#revive(a);
        break;
      case 14:
        this.#desire(a, (['paused', 'active', 'active', 'canceled'] as const)[b % 4] as 'active');
        break;
      case 15:
        this.#request(a, b);
        break;
      case 16:
        if (b % 3 === 0) this.#change(a, deleted);
        break;
      case 17:
        this.#submit(b);
        break;
      case 18:
        this.#desireNode(a, b);
        break;
      case 19:
        if (b % 3 === 0) this.#restart();
        break;
    }
    this.#check();
  }

  /** Heals everything and lets all machines work: every job must end. */
  finish(): void {
    this.#calm = true;
    for (let i = 0; i < 3; i++) this.#desireNode(i, 1);
    for (let i = 0; i < this.#machines.length; i++) this.#revive(i);
    for (const id of this.#plans.keys()) {
      const record = this.farm.core.jobRecord(id);
      if (record?.control.desired?.value === 'paused')
        this.#take(this.farm.records(withDesired(record, 'active')));
    }
    for (let round = 0; round < 2_000 && !this.#allEnded(); round++) {
      for (let i = 0; i < 4; i++) this.#endSelf(i, 'result');
      for (let i = 0; i < this.#machines.length; i++) this.#endOther(i, 0, 'result');
      for (const machine of this.#machines) this.#beacon(machine);
      this.#advance(500);
      this.#check();
    }
    assert.ok(this.#allEnded(), `jobs go on for ever: ${JSON.stringify(this.#describe())}`);
    assert.equal(this.farm.held().length, 0, 'nothing runs once all has ended');
    assert.deepEqual(this.farm.core.farm().live.running, 0);
  }

  #describe() {
    return this.farm.core.jobs().map(({ id, state, counts }) => {
      const open = this.farm.core.tasks(id, { offset: 0, limit: 1, state: 'open' }).tasks[0];
      return { state, counts, why: open && this.farm.core.task(id, open.index)?.why };
    });
  }

  #allEnded(): boolean {
    const ends = ['done', 'failed', 'canceled', 'skipped'];
    return this.farm.core.jobs().every(({ state, live }) => ends.includes(state) && live.running === 0);
  }

  /** Takes effects as the world does, and holds what was granted to the rules. */
  #take(effects: readonly CoreEffect[]): void {
    for (const peer of [SELF, BELEN, CARMEN]) {
      for (const attempt of stopsTo(peer, effects)) this.#forget(attemptKey(attempt));
    }
    for (const effect of effects) {
      if (effect.kind === 'run') this.#sawGrant(SELF, effect.grant);
      if (effect.kind === 'send') assert.notEqual(effect.to, SELF, 'nothing is sent to oneself');
    }
    for (const machine of this.#machines) {
      for (const grant of grantsTo(machine.peer, effects)) {
        this.#sawGrant(machine.peer, grant);
        if (machine.alive) machine.held.set(attemptKey(grant.attempt), grant);
        else this.#forget(attemptKey(grant.attempt));
      }
      for (const attempt of stopsTo(machine.peer, effects)) {
        const grant = machine.held.get(attemptKey(attempt));
        if (grant !== undefined && machine.alive) this.#end(machine, grant, 'stopped');
      }
    }
    for (const attempt of stopsTo(SELF, effects)) {
      if (this.farm.running.has(attemptKey(attempt))) this.#take(this.farm.stopped(attempt));
    }
  }

  #sawGrant(peer: string, grant: Grant): void {
    const key = attemptKey(grant.attempt);
    assert.ok(!this.#attempts.has(key), 'an attempt id is used once');
    this.#attempts.add(key);
    assert.deepEqual(grant.attempt.epoch, { term: this.#term, peer: SELF }, 'grants are of this reign');
    const task = `${grant.job}/${grant.task}`;
    const other = this.#granted.get(task);
    assert.equal(other, undefined, `${task} is granted twice at once`);
    this.#granted.set(task, { key, peer });
    const { core } = this.farm;
    assert.ok(['queued', 'active'].includes(core.job(grant.job)?.state ?? ''), 'only of jobs that may run');
    assert.notEqual(core.nodeRecord(peer)?.fields.desired?.value, 'paused', 'paused machines get nothing');
  }

  #forget(key: string): void {
    for (const [task, granted] of this.#granted) if (granted.key === key) this.#granted.delete(task);
  }

  #endSelf(a: number, how: 'result' | 'failure'): void {
    const held = this.farm.held();
    const run = held[a % Math.max(1, held.length)];
    if (run === undefined) return;
    const { attempt } = run.grant;
    this.#forget(attemptKey(attempt));
    this.#take(how === 'result' ? this.farm.finish(attempt) : this.farm.fail(attempt, `code-${a % 2}`));
  }

  #endOther(a: number, b: number, how: 'result' | 'failure'): void {
    const machine = this.#machines[a % this.#machines.length] as FakeMachine;
    const held = [...machine.held.values()];
    const grant = held[b % Math.max(1, held.length)];
    if (machine.alive && grant !== undefined) this.#end(machine, grant, how);
  }

  #end(machine: FakeMachine, grant: Grant, how: 'result' | 'failure' | 'stopped'): void {
    machine.held.delete(attemptKey(grant.attempt));
    this.#forget(attemptKey(grant.attempt));
    this.#heardAt.set(machine.peer, this.farm.now);
    this.#take(this.farm.ended(machine.peer, grant, how));
  }

  #beacon(machine: FakeMachine): void {
    if (!machine.alive) return;
    this.#heardAt.set(machine.peer, this.farm.now);
    this.#take(this.farm.beacon(machine.peer, [...machine.held.values()]));
  }

  #claim(machine: FakeMachine): void {
    machine.sequence++;
    this.#heardAt.set(machine.peer, this.farm.now);
    this.#take(this.farm.claim(machine.peer, { sequence: machine.sequence }));
  }

  #advance(ms: number): void {
    // Who was silent for a whole lease has lost what it holds, whether it goes on with it or not.
    for (const [task, { peer }] of this.#granted) {
      const quietMs = this.farm.now + ms - (this.#heardAt.get(peer) ?? 0);
      if (peer !== SELF && quietMs >= LEASE_MS) this.#granted.delete(task);
    }
    this.#take(this.farm.advance(ms));
  }

  #kill(a: number, b: number): void {
    const machine = this.#machines[a % this.#machines.length] as FakeMachine;
    if (this.#calm) return;
    machine.alive = false;
    // Half of them lose what they ran, the others are only cut off and tell later.
    if (b % 2 === 1) return;
    for (const key of machine.held.keys()) this.#forget(key);
    machine.held.clear();
  }

  #revive(a: number): void {
    const machine = this.#machines[a % this.#machines.length] as FakeMachine;
    machine.alive = true;
    this.#claim(machine);
  }

  #jobAt(a: number): JobRecord | undefined {
    const ids = [...this.#plans.keys()];
    return this.farm.core.jobRecord(ids[a % Math.max(1, ids.length)] ?? '');
  }

  #change(a: number, change: (record: JobRecord) => JobRecord): void {
    const record = this.#jobAt(a);
    if (record !== undefined) this.#take(this.farm.records(change(record)));
  }

  #desire(a: number, desired: 'active' | 'paused' | 'canceled'): void {
    this.#change(a, (record) => withDesired(record, desired));
  }

  #request(a: number, b: number): void {
    this.#level++;
    this.#change(a, (record) =>
      withRequest(record, b % 2 === 0 ? 'redo' : 'retry', [b % 5, (b >> 3) % 7], this.#level),
    );
  }

  #submit(b: number): void {
    if (this.#jobs >= 6) return;
    this.#jobs++;
    const plan = framesPlan(`1-${1 + (b % 7)}`, {
      film: b % 2 === 0,
      order: b % 3 ? 'sequential' : 'coarse-to-fine',
    });
    const after = this.#jobs > 2 && b % 5 === 0 ? [jobIdOf(this.#jobs - 1)] : [];
    const record = this.farm.submit(plan, { id: this.#jobs, priority: 50 + (b % 3), after });
    this.#plans.set(record.id, plan);
    this.#take(this.farm.effects.splice(0).filter((effect) => effect.kind !== 'persist'));
  }

  #desireNode(a: number, b: number): void {
    const peer = [SELF, BELEN, CARMEN][a % 3] as string;
    const desired = (['paused', 'active', 'active', 'draining'] as const)[b % 4] as 'active';
    this.#counter++;
    this.#take(this.farm.records(nodeDesired(peer, desired, this.#counter)));
  }

  /** The node is killed: its records stay, what it ran is gone, the others tell their results later. */
  #restart(): void {
    const records = [...this.farm.stored.values()];
    const { now } = this.farm;
    for (const run of this.farm.held()) this.#forget(attemptKey(run.grant.attempt));
    // A new reign asks nobody what runs (that is the election's part), so the old grants bind it no more.
    this.#granted.clear();
    const farm = new Farm(records, {}, this.#term);
    this.#term++;
    farm.now = now;
    for (const record of records) {
      const key = record.kind === 'task' ? `task/${record.job}/${record.index}` : undefined;
      assert.ok(key === undefined || farm.core.jobRecord((record as TaskRecord).job) !== undefined);
    }
    for (const [key, record] of this.farm.stored) farm.stored.set(key, record);
    this.farm = farm;
    farm.start();
    for (const [job, plan] of this.#plans) farm.step({ kind: 'plan', job, plan });
    this.#take(farm.effects.splice(0).filter((effect) => effect.kind !== 'persist'));
    for (const machine of this.#machines) if (machine.alive) this.#claim(machine);
  }

  /** What the core keeps step by step equals what the oracle derives from the stored records. */
  #check(): void {
    this.farm.effects.length = 0;
    const records = [...this.farm.stored.values()];
    const tasks = records.filter((record) => record.kind === 'task');
    const jobs = new Map(records.flatMap((record) => (record.kind === 'job' ? [[record.id, record]] : [])));
    const derived = new Map<string, OracleJob>();
    const derive = (id: string): OracleJob | undefined => {
      const record = jobs.get(id);
      if (record === undefined) return undefined;
      const known = derived.get(id) ?? oracleJob(record, this.#plans.get(id), tasks, (x) => derive(x)?.state);
      derived.set(id, known);
      return known;
    };
    for (const id of jobs.keys()) {
      const expected = derive(id) as OracleJob;
      const view = this.farm.core.job(id);
      if (expected.state === 'deleted') {
        assert.equal(view, undefined);
        assert.ok(!tasks.some((task) => task.job === id), 'a deleted job absorbs its task records');
        continue;
      }
      assert.equal(view?.state, expected.state);
      assert.deepEqual(view.counts, expected.counts);
      assert.equal(view.oneCopyOnly, expected.oneCopyOnly);
      const states = expected.tasks.map((_, index) => this.farm.core.taskState(id, index));
      assert.deepEqual(states, expected.tasks);
      this.#checkSafety(jobs.get(id) as JobRecord, view.safety);
    }
    this.#checkSentences();
  }

  /** The figures that are kept step by step are those of a walk over all tasks (SPEC R58). */
  #checkSafety(job: JobRecord, { sentence, ...shown }: JobView['safety']): void {
    const tasks = Array.from(
      { length: job.spec.tasks },
      (_, index) => this.farm.core.taskRecord(job.id, index) ?? emptyTask(job.id, index),
    );
    assert.deepEqual(shown, safetyWithout(job, tasks, job.spec.author));
    assert.match(sentence, /^[A-Z].*\.$/);
  }

  #checkSentences(): void {
    const { core } = this.farm;
    for (const { id, counts } of core.jobs()) {
      for (let index = 0; index < counts.total; index++) {
        const task = core.task(id, index);
        assert.match(task?.why ?? '', /^[A-Z].*[.…]$/s);
      }
    }
    for (const node of core.nodes()) {
      assert.equal(node.live.idleReason === undefined, node.live.running.length > 0);
    }
  }
}
