import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExchangeOutcome } from '../../../node/src/replicas/interface.ts';
import {
  BUSY_PAUSE_MS,
  DIFFERENCE_MS,
  EXCHANGES_OPENED_MAX,
  EXCHANGES_SERVED_MAX,
  FAILED_PAUSE_MS,
  VAIN_PAUSE_MS,
} from '../../../node/src/replicas/limits.ts';
import { OwnRoots, PeerRoots } from '../../../node/src/replicas/roots.ts';
import { ExchangeSchedule } from '../../../node/src/replicas/schedule.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { assertSame, withLab } from './harness.ts';
import { doneTask, doneTasks, jobRecord, JOBS } from './records.ts';

const [JOB] = JOBS as [string];

/** `own a` and `heard b` at a time, and since when the two differ after all of it. */
const HISTORIES: readonly (readonly [
  what: string,
  steps: readonly [number, 'own' | 'heard', string][],
  since: number | undefined,
])[] = [
  ['nothing is known', [], undefined],
  ['only one side is known', [[0, 'own', 'a']], undefined],
  [
    'the same',
    [
      [0, 'own', 'a'],
      [5, 'heard', 'a'],
    ],
    undefined,
  ],
  [
    'different from the first word on',
    [
      [0, 'own', 'a'],
      [5, 'heard', 'b'],
      [9, 'heard', 'c'],
    ],
    5,
  ],
  [
    'the peer lags: it is where we were until 40',
    [
      [0, 'own', 'a'],
      [10, 'heard', 'b'],
      [30, 'own', 'c'],
      [40, 'own', 'd'],
      [45, 'heard', 'c'],
    ],
    40,
  ],
  [
    'we lag: it was where we are until 20',
    [
      [0, 'own', 'a'],
      [10, 'heard', 'a'],
      [20, 'heard', 'a'],
      [25, 'heard', 'b'],
    ],
    25,
  ],
  [
    'we come late to where it was until 18',
    [
      [0, 'own', 'x'],
      [10, 'heard', 'a'],
      [18, 'heard', 'a'],
      [20, 'heard', 'b'],
      [25, 'own', 'a'],
    ],
    18,
  ],
  [
    'we came to where it was, and it went on',
    [
      [0, 'own', 'a'],
      [10, 'heard', 'b'],
      [15, 'own', 'b'],
      [30, 'heard', 'c'],
    ],
    30,
  ],
  [
    'it came to where we are',
    [
      [0, 'own', 'a'],
      [10, 'heard', 'b'],
      [20, 'heard', 'a'],
    ],
    undefined,
  ],
  [
    'we came to where it is',
    [
      [0, 'own', 'a'],
      [10, 'heard', 'b'],
      [20, 'own', 'b'],
    ],
    undefined,
  ],
  [
    'we went and came back',
    [
      [0, 'own', 'a'],
      [1, 'own', 'b'],
      [2, 'own', 'a'],
      [3, 'heard', 'a'],
    ],
    undefined,
  ],
  [
    'both go on and never meet',
    [
      [0, 'own', 'a'],
      [1, 'heard', 'x'],
      [2, 'own', 'b'],
      [3, 'heard', 'y'],
      [4, 'own', 'c'],
    ],
    1,
  ],
];
for (const [what, steps, since] of HISTORIES) {
  test(`R47: since when two differ: ${what}`, () => {
    const own = new OwnRoots();
    const peer = new PeerRoots(own);
    for (const [at, kind, root] of steps) {
      if (kind === 'own') own.set(root, at);
      else peer.hear(root, at);
    }
    assert.equal(peer.differsSince(), since);
  });
}

/** A schedule whose exchanges end as told. */
function scheduleOf(outcomes: (peer: string) => ExchangeOutcome | Promise<ExchangeOutcome>) {
  const clock = new ManualClock();
  const own = new OwnRoots();
  own.set('mine', 0);
  const opened: [peer: string, atMs: number][] = [];
  const schedule = new ExchangeSchedule({ clock, random: createSeededRandom(1), own }, async (peer) => {
    opened.push([peer, clock.now()]);
    return outcomes(peer);
  });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await nextTurn();
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  return { clock, own, opened, schedule, pass, settle };
}

const inVain: ExchangeOutcome = { kind: 'exchanged', pulled: 1, pushed: 1, news: 0, moved: 0 };

test('R47: an exchange begins when two differ for 2 s, and not while the own root is unknown', async () => {
  const { opened, schedule, pass } = scheduleOf(() => ({ kind: 'equal' }));
  schedule.heard('p', 'other');
  await pass(DIFFERENCE_MS + 1_000);
  assert.deepEqual(opened, []);
  schedule.ready();
  await pass(0);
  assert.deepEqual(opened, [['p', DIFFERENCE_MS + 1_000]]);
  schedule.heard('p', 'other');
  await pass(DIFFERENCE_MS - 1);
  assert.equal(opened.length, 1);
  await pass(1);
  assert.equal(opened.length, 2);
  schedule.heard('p', 'mine');
  await pass(60_000);
  assert.equal(opened.length, 2);
});

test('R47: few exchanges at once, one per peer; who asks meanwhile joins', async () => {
  const ends = new Map<string, (outcome: ExchangeOutcome) => void>();
  const { opened, schedule, settle } = scheduleOf(
    (peer) => new Promise((resolve) => ends.set(peer, resolve)),
  );
  schedule.ready();
  const asked = ['a', 'b', 'c', 'd', 'a'].map((peer) => schedule.request(peer));
  await settle();
  assert.equal(asked[0], asked[4]);
  assert.deepEqual(
    opened.map(([peer]) => peer),
    ['a', 'b', 'c', 'd'].slice(0, EXCHANGES_OPENED_MAX),
  );
  ends.get('a')?.({ kind: 'equal' });
  await settle();
  assert.equal(opened.length, EXCHANGES_OPENED_MAX + 1);
  schedule.stop();
  ends.get('b')?.({ kind: 'equal' });
  ends.get('c')?.({ kind: 'equal' });
  const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['equal', 'equal', 'equal', 'failed', 'equal']);
});

test('R47: an exchange in vain is repeated ever later while the roots stay, and as usual once one changes', async () => {
  const { opened, own, schedule, pass, clock } = scheduleOf(() => inVain);
  schedule.ready();
  // The peer goes on telling its root once a second.
  const listen = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      schedule.heard('p', 'other');
      await pass(1_000);
    }
  };
  await listen(130);
  const times = opened.map(([, at]) => at);
  const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
  assert.ok(times.length >= 5 && times.length <= 8, times.join());
  assert.ok((gaps[0] as number) >= VAIN_PAUSE_MS);
  for (const [i, gap] of gaps.entries()) if (i > 0) assert.ok(gap >= (gaps[i - 1] as number), gaps.join());
  own.set('mine too', clock.now());
  const before = opened.length;
  await listen(4);
  assert.equal(opened.length, before + 1);
});

test('R47: after busy soon again, after a failure later each time', async () => {
  for (const [outcome, leastMs, mostMs] of [
    [{ kind: 'busy' }, BUSY_PAUSE_MS, 2 * BUSY_PAUSE_MS],
    [{ kind: 'failed', reason: 'stream-cut' }, FAILED_PAUSE_MS, FAILED_PAUSE_MS],
  ] as const) {
    const { opened, schedule, pass } = scheduleOf(() => outcome);
    schedule.ready();
    schedule.heard('p', 'other');
    await pass(DIFFERENCE_MS);
    for (let i = 0; i < 4; i++) await pass(leastMs === mostMs ? FAILED_PAUSE_MS * 2 ** i : mostMs);
    assert.equal(opened.length, 5);
    const gap = (opened[1] as [string, number])[1] - (opened[0] as [string, number])[1];
    assert.ok(gap >= leastMs && gap <= mostMs, `${gap} ms`);
  }
});

for (const [what, how] of [
  ['a connection came to stand', 'met'],
  ['an exchange went well that somebody asked for', 'asked'],
] as const) {
  test(`R47: what failed before ${what} holds nothing up after that`, async () => {
    const failed: ExchangeOutcome = { kind: 'failed', reason: 'peer-unreachable' };
    const outcomes = [failed, failed, failed, failed];
    const { opened, schedule, pass, settle } = scheduleOf(() => outcomes.shift() ?? { kind: 'equal' });
    schedule.ready();
    schedule.heard('p', 'other');
    for (const ms of [DIFFERENCE_MS, FAILED_PAUSE_MS, 2 * FAILED_PAUSE_MS, 4 * FAILED_PAUSE_MS])
      await pass(ms);
    assert.equal(opened.length, 4);
    if (how === 'asked') await schedule.request('p');
    else schedule.met('p');
    await settle();
    assert.equal(opened.length, 5);
    schedule.heard('p', 'another');
    await pass(DIFFERENCE_MS);
    assert.equal(opened.length, 6);
  });
}

test('R47: lost gossip is made up for within 5 s of the last change, by beacons alone', async () => {
  await withLab(4, {}, async (lab) => {
    lab.network.dropGossip(() => true);
    for (let i = 0; i < 20; i++) lab.at(i % 4).change([doneTask(JOB, i)]);
    await lab.beacons(5);
    for (const other of [1, 2, 3]) assertSame(lab.at(0), lab.at(other));
    const before = lab.opened();
    await lab.beacons(20);
    assert.equal(lab.opened(), before, 'Equal replicas went on exchanging.');
  });
});

test('R47: gossip that arrives needs no exchange, however long the work goes on', async () => {
  await withLab(3, {}, async (lab) => {
    const before = lab.opened();
    for (let second = 0; second < 15; second++) {
      lab.at(0).change(doneTasks(JOB, 5, second * 5));
      await lab.beacons(1);
    }
    assert.equal(lab.opened(), before);
    for (const other of [1, 2]) assertSame(lab.at(0), lab.at(other));
  });
});

test('R47: a member that becomes reachable is brought up to date at once', async () => {
  await withLab(2, {}, async (lab) => {
    const [one, other] = [lab.at(0), lab.at(1)];
    lab.network.cut(one.peer, other.peer, { reset: true });
    await lab.until(() => one.mesh.reachable().length === 0);
    one.change([jobRecord(JOB), ...doneTasks(JOB, 400)]);
    other.change(doneTasks(JOB, 300, 200));
    lab.network.restore(one.peer, other.peer);
    await lab.until(() => one.sync.root() === other.sync.root());
    assertSame(one, other);
    // The twin's own attempts to reach each other run out.
    await lab.pass(3_000);
  });
});

test('a node serves few at once and answers busy to the others', async () => {
  const count = EXCHANGES_SERVED_MAX + 2;
  await withLab(count, {}, async (lab) => {
    const served = lab.at(0);
    served.take(doneTasks(JOB, 600));
    const outcomes = await Promise.all(lab.replicas.slice(1).map(({ sync }) => sync.syncWith(served.peer)));
    const kinds = outcomes.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'exchanged').length, EXCHANGES_SERVED_MAX);
    assert.equal(kinds.filter((kind) => kind === 'busy').length, 1);
    await lab.beacons(5);
    for (const other of lab.replicas.slice(1)) assertSame(served, other);
  });
});
