import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { attemptKey, encode, type Holders, type KnownRecord } from '@cuadro/protocol';
import type { Changes } from '../../node/src/core/interface.ts';
import { Kept } from './checkers/kept.ts';
import type { Talking } from './checkers/talking.ts';
import { newDisk, type SimDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';

/** The judge of what is kept, told by hand of three machines: of two that share a frame, and of one that is cut off. */

interface FakeMachine {
  readonly name: string;
  readonly peer: string;
  readonly disk: SimDisk;
  readonly queries: unknown;
  isUp: boolean;
  isOff: boolean;
  hasLeft: boolean;
  isRemoved: boolean;
}

const attempt = { epoch: { term: 1, peer: 'belen' }, sequence: 3 };
const FILE = '0bc374';
const PLAN = '5ce9e0';

const heldBy = (peers: readonly string[]): Holders =>
  Object.fromEntries(peers.map((peer) => [peer, { held: true, counter: 1 }]));

/** The job's record, with who holds its plan. */
function jobHeldBy(...peers: readonly string[]): KnownRecord {
  const plan = heldBy(peers);
  return {
    kind: 'job',
    id: 'job',
    requests: {},
    spec: { plan: PLAN },
    holders: { plan },
  } as unknown as KnownRecord;
}

/** The frame's record, which says of each of these whether it holds it. */
function taskHeldBy(held: Readonly<Record<string, boolean>>): KnownRecord {
  const entries = Object.entries(held).map(([peer, isHeld]) => [peer, { held: isHeld, counter: 1 }]);
  const result = { attempt, state: 'done', holders: Object.fromEntries(entries), files: [{ blob: FILE }] };
  const task = { kind: 'task', job: 'job', index: 0, redo: 0, retry: 0, failures: {} };
  return { ...task, results: { [attemptKey(attempt)]: result } } as unknown as KnownRecord;
}

const SHARED = taskHeldBy({ alba: true, belen: true });
const LEFT_BEHIND = taskHeldBy({ alba: true, belen: false });

function machineNamed(name: string): FakeMachine {
  const queries = { taskRecord: () => SHARED };
  const state = { isUp: true, isOff: false, isGone: false, hasLeft: false, isRemoved: false };
  const machine = { name, peer: name, disk: newDisk(), queries, ...state };
  write(machine, 'job/job', jobHeldBy());
  return machine;
}

function write({ disk }: FakeMachine, key: string, record: KnownRecord): void {
  disk.records.records.set(key, Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]));
}

function holds(machine: FakeMachine, task: KnownRecord): void {
  write(machine, 'task/job/0000000000', task);
  machine.disk.blobs.contents.set(FILE, new Uint8Array(1));
}

const timeline = { now: 20_000 };
let alba: FakeMachine;
let belen: FakeMachine;
let carmen: FakeMachine;
let machines: FakeMachine[];
let kept: Kept;
/** Those who could talk for as long as news takes. */
let talking: FakeMachine[];
beforeEach(() => {
  timeline.now = 20_000;
  [alba, belen, carmen] = [machineNamed('alba'), machineNamed('belen'), machineNamed('carmen')];
  machines = [alba, belen, carmen];
  const up = (): FakeMachine[] => machines.filter(({ isUp, isRemoved }) => isUp && !isRemoved);
  talking = [];
  const groups = (): FakeMachine[][] => [talking];
  kept = new Kept({ machines, up, timeline } as unknown as SimFarm, { groups } as unknown as Talking);
  holds(alba, SHARED);
  holds(belen, SHARED);
  const changes = { tasks: [{ job: 'job', indices: [0] }] } as unknown as Changes;
  kept.changed(belen as unknown as Machine, changes);
  assert.equal(kept.count, 1);
});

function belenLeaves(): void {
  Object.assign(belen, { isUp: false, isRemoved: true, hasLeft: true });
  write(alba, 'task/job/0000000000', LEFT_BEHIND);
}

function albaIsSwitchedOff(): void {
  Object.assign(alba, { isUp: false, isOff: true });
}

const UNKNOWN = { rule: 'done frames', message: /job\/0 .* is not known to carmen any more/ };

it('R162: who was cut off need not know of a frame that is on a machine which is off, where the other holder left', () => {
  belenLeaves();
  albaIsSwitchedOff();
  assert.doesNotThrow(() => kept.end(true));
});

it('R162: it has to while the one that keeps it is on', () => {
  belenLeaves();
  assert.throws(() => kept.end(true), UNKNOWN);
});

it('and where nobody left: the other holder only does not run', () => {
  belen.isUp = false;
  albaIsSwitchedOff();
  assert.throws(() => kept.end(true), UNKNOWN);
});

it('and where the one that is off has the frame no more', () => {
  belenLeaves();
  albaIsSwitchedOff();
  alba.disk.blobs.contents.delete(FILE);
  assert.throws(() => kept.end(true), UNKNOWN);
});

it('and where that one has only heard of it', () => {
  belenLeaves();
  albaIsSwitchedOff();
  write(alba, 'task/job/0000000000', taskHeldBy({ alba: false, belen: false }));
  assert.throws(() => kept.end(true), UNKNOWN);
});

it('and where the two could talk for as long as news takes, after the frame was shown as done', () => {
  talking = [alba, carmen];
  timeline.now += 7_000;
  kept.look();
  belenLeaves();
  albaIsSwitchedOff();
  assert.throws(() => kept.end(true), UNKNOWN);
});

it('but not where they could talk only before', () => {
  talking = [alba, carmen];
  timeline.now += 3_000;
  kept.look();
  belenLeaves();
  albaIsSwitchedOff();
  assert.doesNotThrow(() => kept.end(true));
});

it('and where another one that is on knows of it', () => {
  const dolores = machineNamed('dolores');
  write(dolores, 'task/job/0000000000', LEFT_BEHIND);
  machines.push(dolores);
  belenLeaves();
  albaIsSwitchedOff();
  assert.throws(() => kept.end(true), UNKNOWN);
});

const HELD_BY_NOBODY = { rule: 'done frames', message: /job\/0 .* is held by nobody any more/ };

it('R162: who heard of the frame before the one that keeps it had it need not know of that copy', () => {
  write(carmen, 'task/job/0000000000', taskHeldBy({ belen: false }));
  belenLeaves();
  albaIsSwitchedOff();
  assert.doesNotThrow(() => kept.end(true));
});

it('but has to find it where nobody left, where the two could talk, and where it knows that it was there', () => {
  const heard = taskHeldBy({ belen: false });
  write(carmen, 'task/job/0000000000', heard);
  albaIsSwitchedOff();
  belen.isUp = false;
  assert.throws(() => kept.end(true), HELD_BY_NOBODY);
  belenLeaves();
  write(carmen, 'task/job/0000000000', taskHeldBy({ alba: false, belen: false }));
  assert.throws(() => kept.end(true), HELD_BY_NOBODY);
  write(carmen, 'task/job/0000000000', heard);
  assert.doesNotThrow(() => kept.end(true));
  Object.assign(alba, { isUp: true, isOff: false });
  talking = [alba, carmen];
  timeline.now += 7_000;
  kept.look();
  albaIsSwitchedOff();
  assert.throws(() => kept.end(true), HELD_BY_NOBODY);
});

/** All three have the plan; of whom nothing was promised it is a copy that may be swept away. */
function planIsHeldBy(...peers: readonly string[]): void {
  for (const machine of machines) {
    machine.disk.blobs.contents.set(PLAN, new Uint8Array(1));
    write(machine, 'job/job', jobHeldBy(...peers));
  }
}

const mayRotAt = (machine: FakeMachine): boolean => kept.staysWhole(PLAN, machine as unknown as Machine);

it('R24: a plan may rot where another holds it', () => {
  planIsHeldBy('alba', 'belen');
  assert.equal(mayRotAt(alba), true);
  assert.equal(mayRotAt(carmen), true);
});

it('but not where others only have it, and hold it for nobody', () => {
  planIsHeldBy('alba');
  assert.equal(mayRotAt(alba), false);
  assert.equal(mayRotAt(belen), true);
});

it('nor where the other holder has lost it, or has not written down that it holds it', () => {
  planIsHeldBy('alba', 'belen');
  belen.disk.faults.damaged.add(PLAN);
  assert.equal(mayRotAt(alba), false);
  belen.disk.faults.damaged.delete(PLAN);
  write(belen, 'job/job', jobHeldBy('alba'));
  assert.equal(mayRotAt(alba), false);
});

it('and a plan where another holds that, although it does not hold the scene, of which no file may rot then', () => {
  const [bundle, texture] = ['b04af9', '062c01'];
  const holders = { plan: heldBy(['alba', 'belen']), bundle: heldBy(['alba']) };
  const job = { kind: 'job', id: 'job', requests: {}, spec: { plan: PLAN, bundle }, holders };
  const tree = encode({ files: [{ blob: texture }] });
  for (const machine of machines) {
    const { contents } = machine.disk.blobs;
    for (const hash of [PLAN, texture]) contents.set(hash, new Uint8Array(1));
    contents.set(bundle, tree);
    write(machine, 'job/job', job as unknown as KnownRecord);
  }
  assert.equal(mayRotAt(alba), true);
  assert.equal(kept.staysWhole(texture, alba as unknown as Machine), false);
});

/** An accepted job whose plan and scene these hold, while all files of both are on the disks of all who are on. */
function acceptedJobOf(plan: readonly string[], scene: readonly string[]): void {
  const [bundle, texture] = ['b04af9', '062c01'];
  const holders = { plan: heldBy(plan), bundle: heldBy(scene) };
  const job = { kind: 'job', id: 'job', requests: {}, spec: { plan: PLAN, bundle }, holders };
  for (const machine of machines) {
    const { contents } = machine.disk.blobs;
    for (const hash of [PLAN, texture]) contents.set(hash, new Uint8Array(1));
    contents.set(bundle, encode({ files: [{ blob: texture }] }));
    write(machine, 'job/job', job as unknown as KnownRecord);
  }
  carmen.isUp = false;
  const at = alba as unknown as Machine;
  kept.deed({ kind: 'accepted', job: 'job', at, kept: { machines: 2, others: 'enough' } });
}

const IN_PARTS = { rule: 'accepted jobs', message: 'No machine holds all of job any more.' };

it('R185: in the end one machine holds all of an accepted job, where the parts are there', () => {
  acceptedJobOf(['alba'], ['belen']);
  assert.throws(() => kept.end(true), IN_PARTS);
  assert.doesNotThrow(() => kept.end(false), 'something is under way');
  acceptedJobOf(['alba', 'carmen'], ['belen']);
  assert.doesNotThrow(() => kept.end(true), 'one that is off may hold all');
  acceptedJobOf(['alba', 'belen'], ['belen']);
  assert.doesNotThrow(() => kept.end(true));
  belen.disk.faults.damaged.add(PLAN);
  assert.throws(() => kept.end(true), IN_PARTS);
});

it('but where a person deleted the job', () => {
  planIsHeldBy('alba');
  const at = alba as unknown as Machine;
  kept.deed({ kind: 'delete', job: 'job', at });
  assert.equal(mayRotAt(alba), true);
});

it('a further disk may be lost where two of those that are left hold what was accepted, not where one only has it', () => {
  planIsHeldBy('alba', 'belen');
  const at = alba as unknown as Machine;
  kept.deed({ kind: 'accepted', job: 'job', at, kept: { machines: 2, others: 'enough' } });
  assert.equal(kept.isSafe(), true);
  planIsHeldBy('alba');
  assert.equal(kept.isSafe(), false);
});

it('nor where one of the two is out by what a disk says, although who removed it was never told so', () => {
  planIsHeldBy('alba', 'belen');
  const at = alba as unknown as Machine;
  kept.deed({ kind: 'accepted', job: 'job', at, kept: { machines: 2, others: 'enough' } });
  const removed = { kind: 'member', peer: 'belen', admissions: {}, removals: { carmen: {} } };
  write(carmen, 'member/belen', removed as unknown as KnownRecord);
  assert.equal(kept.isSafe(), false);
});

/** A person discards the frame at this machine, which tells nobody. */
function isDiscardedAt(machine: FakeMachine): void {
  const redo = { kind: 'redo', level: 1, tasks: [{ start: 0, end: 0, step: 1 }] };
  const job = { ...jobHeldBy(), requests: { 'redo.1.0.person': redo } };
  write(machine, 'job/job', job as unknown as KnownRecord);
}

it('nor where a machine that alone has a frame alone knows that it is discarded', () => {
  Object.assign(belen, { isGone: true });
  isDiscardedAt(alba);
  assert.equal(kept.isSafe(), false, 'the others would show it for ever');
  isDiscardedAt(carmen);
  assert.equal(kept.isSafe(), true);
});

it('but where one has the frame, and another one knows that', () => {
  Object.assign(belen, { isGone: true });
  assert.equal(kept.isSafe(), false);
  isDiscardedAt(carmen);
  assert.equal(kept.isSafe(), true);
});
