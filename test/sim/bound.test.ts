import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { attemptKey, encode, type TaskResult } from '@cuadro/protocol';
import { leftMs } from './bound.ts';
import { newDisk } from './disk.ts';
import type { SimFarm } from './farm.ts';
import type { Machine } from './machine.ts';
import { HEAD_BYTES } from './on-disk.ts';
import type { Nature } from './workshop.ts';

/** How long the work that is left may take, told by hand what three machines have of two frames of a second each. */

const FILES = ['0bc374', '0bc375'];
const attempt: TaskResult['attempt'] = { epoch: { term: 1, peer: 'belen' }, sequence: 3 };
const PLAIN: Nature = {
  ...{ plan: 'plan', meanMs: 1_000, taskMs: [1_000, 1_000], files: 1 },
  ...{ poison: new Set(), killers: new Set(), flaky: 0, differs: false },
};
/** Clocks may be wrong by so much, a second may take so much more, and each attempt so long beside it. */
const CLOCKS = 1.03;
const ATTEMPT_MS = 1_200 + 200;
const PAUSES_MS = 6_000;

let machines: Machine[];
let natures: Map<string, Nature>;
let isUnderWay: boolean;
beforeEach(() => {
  machines = ['alba', 'belen', 'carmen'].map((name) => {
    const queries = { job: () => ({ state: 'active' }) };
    const state = { isUp: true, isOff: false, isGone: false, isRemoved: false };
    return { name, peer: name, disk: newDisk(), queries, ...state } as unknown as Machine;
  });
  natures = new Map([['job', PLAIN]]);
  isUnderWay = false;
  jobIs({});
});

function write(key: string, record: object, at = machines): void {
  const bytes = Buffer.concat([Buffer.alloc(HEAD_BYTES), encode(record)]);
  for (const { disk } of at) disk.records.records.set(key, bytes);
}

const jobIs = (more: object, at?: Machine[]): void =>
  write('job/job', { kind: 'job', id: 'job', requests: {}, spec: { plan: 'plan', tasks: 2 }, ...more }, at);
const isShownAs = (state: string): void => {
  for (const { queries } of machines) Object.assign(queries ?? {}, { job: () => ({ state }) });
};
const taskIs = (index: number, more: object): void =>
  write(`task/job/000000000${index}`, {
    ...{ kind: 'task', job: 'job', index, redo: 0, retry: 0, results: {}, failures: {} },
    ...more,
  });

/** A frame that these say they hold; of those all but some have its files. */
function isDone(index: number, holders: readonly string[], without: readonly string[] = []): void {
  const held = Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }]));
  const result = { attempt, state: 'done', holders: held, files: FILES.map((blob) => ({ blob })) };
  taskIs(index, { results: { [attemptKey(attempt)]: result } });
  for (const { peer, disk } of machines)
    if (holders.includes(peer) && !without.includes(peer))
      for (const hash of FILES) disk.blobs.contents.set(hash, new Uint8Array(1));
}

/** So much more than where nothing is left, in milliseconds of true time. */
function moreMs(): number {
  const farm = (works: ReadonlyMap<string, Nature>, all: readonly Machine[]): SimFarm =>
    ({
      ...{ workshop: { natures: works }, machines: all },
      up: () => machines.filter(({ isUp, isRemoved }) => isUp && !isRemoved),
    }) as unknown as SimFarm;
  const nothingMs = leftMs(farm(new Map(), []), { isUnderWay: false });
  return Math.round((leftMs(farm(natures, machines), { isUnderWay }) - nothingMs) / CLOCKS);
}

it('each open task takes its time, with the mood of a machine and what is beside the work', () => {
  assert.equal(moreMs(), 2 * ATTEMPT_MS);
  isDone(0, ['alba', 'belen']);
  assert.equal(moreMs(), ATTEMPT_MS);
  isDone(1, ['alba', 'belen']);
  assert.equal(moreMs(), 0);
});

it('one that may fail is tried again, and one that fails everywhere three times, after pauses', () => {
  natures = new Map([['job', { ...PLAIN, flaky: 0.1 }]]);
  assert.equal(moreMs(), 4 * ATTEMPT_MS + PAUSES_MS);
  natures = new Map([['job', { ...PLAIN, killers: new Set([0]) }]]);
  assert.equal(moreMs(), 3 * ATTEMPT_MS + PAUSES_MS);
  natures = new Map([['job', { ...PLAIN, poison: new Set([0]) }]]);
  assert.equal(moreMs(), 4 * ATTEMPT_MS + PAUSES_MS);
});

it('what nobody wants any more takes none, nor does what failed for good', () => {
  taskIs(0, { failed: { message: 'Blender crashed.' } });
  assert.equal(moreMs(), ATTEMPT_MS);
  for (const state of ['failed', 'canceled', 'skipped']) {
    isShownAs(state);
    assert.equal(moreMs(), 0, state);
  }
  Object.assign(machines[2]?.queries ?? {}, { job: () => ({ state: 'active' }) });
  assert.equal(moreMs(), ATTEMPT_MS, 'one has not heard that nobody wants it');
  isShownAs('done');
  assert.equal(moreMs(), ATTEMPT_MS, 'what is done may have to be done again');
  jobIs({ deleted: {} }, machines.slice(1, 2));
  assert.equal(moreMs(), 0, 'one knows that it is deleted');
});

it('what somebody asked for again is open, also where one machine alone knows that', () => {
  isDone(0, ['alba', 'belen']);
  taskIs(1, { failed: { message: 'Blender crashed.' } });
  assert.equal(moreMs(), 0);
  const asks = (kind: string): object => ({ kind, level: 1, tasks: [{ start: 0, end: 1, step: 1 }] });
  jobIs({ requests: { one: asks('retry') } }, machines.slice(1, 2));
  assert.equal(moreMs(), ATTEMPT_MS);
  jobIs({ requests: { two: asks('redo') } }, machines.slice(2));
  assert.equal(moreMs(), 2 * ATTEMPT_MS);
});

/** A minute, four pauses after substitutes that failed, and ten minutes where two held it; with the looks between. */
const AWAY_MS = 60_000 + 5_000;
const SUBSTITUTES_MS = 4 * 60_000;
const AWAY_ON_TWO_MS = 600_000 + 5_000;
/** The frame itself, and one that is open anyway. */
const BOTH_MS = 2 * ATTEMPT_MS;

it('R59: a frame whose file is out of reach is rendered again after a while', () => {
  isDone(0, ['alba'], ['alba']);
  assert.equal(moreMs(), BOTH_MS + AWAY_MS + SUBSTITUTES_MS);
  isDone(0, ['alba', 'belen'], ['alba', 'belen']);
  assert.equal(moreMs(), BOTH_MS + AWAY_MS + AWAY_ON_TWO_MS + SUBSTITUTES_MS);
});

it('not where one of those that are on has it whole', () => {
  isDone(0, ['alba', 'belen'], ['alba']);
  assert.equal(moreMs(), ATTEMPT_MS);
  machines[1]?.disk.faults.damaged.add('0bc375');
  assert.equal(moreMs(), BOTH_MS + AWAY_MS + AWAY_ON_TWO_MS + SUBSTITUTES_MS);
});

it('and one of two holders that is known to be out counts for none', () => {
  isDone(0, ['alba', 'belen'], ['alba', 'belen']);
  write('member/belen', { kind: 'member', peer: 'belen', removals: { carmen: {} } });
  assert.equal(moreMs(), BOTH_MS + AWAY_MS + SUBSTITUTES_MS);
});

it('where a machine is missing, a scene is left, or somebody leaves, there is time for that', () => {
  for (const missing of ['isOff', 'isGone', 'isRemoved']) {
    Object.assign(machines[2] ?? {}, { isUp: false, [missing]: true });
    assert.equal(moreMs(), BOTH_MS + AWAY_MS, missing);
    Object.assign(machines[2] ?? {}, { isUp: true, [missing]: false });
  }
  jobIs({ spec: { plan: 'plan', bundle: 'bundle', tasks: 2 } });
  assert.equal(moreMs(), BOTH_MS + 20_000 + 120_000);
  for (const index of [0, 1]) isDone(index, ['alba', 'belen']);
  assert.equal(moreMs(), 0, 'a scene of which all is rendered is no work');
  for (const index of [0, 1]) taskIs(index, {});
  jobIs({});
  isUnderWay = true;
  assert.equal(moreMs(), BOTH_MS + 2 * 5_000 + 2 * 30_000);
});
