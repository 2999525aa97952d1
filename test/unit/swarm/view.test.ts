import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { swarmViewSchema, type SwarmReport } from '@cuadro/protocol';
import { type SwarmJob, swarmView } from '../../../node/src/swarm/view.ts';
import { jobView } from '../api/views.ts';
import { peerOf } from '../transfer/machines.ts';

const [A, B, C] = ['belen', 'carmen', 'dolores'].map(peerOf) as [string, string, string];
const STRANGER = peerOf('stranger');
const BUNDLE = 'b'.repeat(64);
const OTHER = 'c'.repeat(64);
const nodes = [
  { peer: C, name: 'dolores', here: false },
  { peer: B, name: 'carmen', here: true },
  { peer: A, name: 'belen', here: false },
];

const report = (change: Partial<SwarmReport> = {}): SwarmReport => ({
  kind: 'report',
  fetching: [],
  from: [],
  copies: { results: 0, jobs: 0, logs: 0, asked: 0 },
  shunned: [],
  full: false,
  ...change,
});
const fetching = (change: Partial<SwarmReport['fetching'][number]> = {}) => ({
  bundle: BUNDLE,
  ...{ sizeBytes: 1_000, doneBytes: 400, files: 10, doneFiles: 4, from: [], awaited: [] },
  ...change,
});
const job = (id: string, order: number, change: Partial<SwarmJob & SwarmJob['view']> = {}): SwarmJob => {
  const { bundle = BUNDLE, holders = [A], ...view } = change;
  return { view: jobView(id, order, { oneCopyOnly: 0, ...view }), bundle, holders };
};
const view = (reports: [string, SwarmReport][], ...jobs: SwarmJob[]) => {
  const made = swarmView({ nodes, reports: new Map(reports), jobs });
  assert.deepEqual(swarmViewSchema.parse(made), made);
  return made;
};

describe('what people see of what travels', () => {
  test('R184: a flow is told by whom it comes to, the fastest first, and sums up for both', () => {
    const { flows, machines, flowsLeftOut } = view([
      [
        B,
        report({
          from: [
            { peer: A, bytesPerSecond: 5 },
            { peer: C, bytesPerSecond: 7 },
          ],
        }),
      ],
      [C, report({ from: [{ peer: A, bytesPerSecond: 6 }] })],
    ]);
    assert.deepEqual(
      flows.map(({ fromName, toName, bytesPerSecond }) => [fromName, toName, bytesPerSecond]),
      [
        ['dolores', 'carmen', 7],
        ['belen', 'dolores', 6],
        ['belen', 'carmen', 5],
      ],
    );
    assert.equal(flowsLeftOut, 0);
    assert.deepEqual(
      machines.map(({ name, here, told, receivesPerSecond, sendsPerSecond }) => [
        ...[name, here, told],
        ...[receivesPerSecond, sendsPerSecond],
      ]),
      [
        ['carmen', true, true, 12, 0],
        ['belen', false, false, 0, 11],
        ['dolores', false, true, 6, 7],
      ],
    );
  });

  test('R184: of a farm of a hundred the fastest flows are told, and how many are left out', () => {
    const from = Array.from({ length: 100 }, (_, i) => ({ peer: peerOf(`m${i}`), bytesPerSecond: i }));
    const { flows, flowsLeftOut } = view([[B, report({ from })]]);
    assert.deepEqual([flows.length, flowsLeftOut], [64, 36]);
    assert.deepEqual([flows[0]?.bytesPerSecond, flows.at(-1)?.bytesPerSecond], [99, 36]);
  });

  test('R184: who has a scene whole is known from the records, unless it tells that something is missing', () => {
    const { bundles } = view(
      [[C, report({ fetching: [fetching({ from: [{ peer: A, bytesPerSecond: 9 }] })] })]],
      job('oneaaaaaaaaaaaaa', 1, { holders: [A, B, C, A] }),
      job('twoaaaaaaaaaaaaa', 2, { holders: [STRANGER] }),
    );
    assert.deepEqual(bundles, [
      {
        bundle: BUNDLE,
        jobs: [
          { job: 'oneaaaaaaaaaaaaa', order: 1, name: 'job 1' },
          { job: 'twoaaaaaaaaaaaaa', order: 2, name: 'job 2' },
        ],
        whole: { machines: 2, names: ['belen', 'carmen'] },
        coming: [
          {
            ...{ peer: C, name: 'dolores' },
            ...{ sizeBytes: 1_000, doneBytes: 400, files: 10, doneFiles: 4, bytesPerSecond: 9 },
            from: [{ peer: A, name: 'belen', bytesPerSecond: 9 }],
          },
        ],
      },
    ]);
  });

  test('R184: scenes of ended jobs are told while somebody fetches them, and come first where they travel', () => {
    const ended = job('oldaaaaaaaaaaaaa', 1, { state: 'done', bundle: OTHER });
    const open = job('newaaaaaaaaaaaaa', 2);
    assert.deepEqual(
      view([], open, ended).bundles.map(({ bundle }) => bundle),
      [BUNDLE],
    );
    const fetched: [string, SwarmReport][] = [[C, report({ fetching: [fetching({ bundle: OTHER })] })]];
    assert.deepEqual(
      view(fetched, open, ended).bundles.map(({ bundle, jobs }) => [bundle, jobs.length]),
      [
        [OTHER, 1],
        [BUNDLE, 1],
      ],
    );
    assert.deepEqual(view(fetched).bundles[0]?.jobs, [], 'a scene of no job that is known here');
  });

  test('R184: says in a sentence why a scene is not there', () => {
    const why = (change: Partial<SwarmReport['fetching'][number]>) =>
      view([[C, report({ fetching: [fetching(change)] })]]).bundles[0]?.coming[0]?.why;
    assert.equal(why({}), undefined);
    assert.equal(why({ lack: 'no-room' }), 'There is no room for what is missing.');
    assert.match(why({ lack: 'failed' }) ?? '', /^What is missing could not be taken in; the log /);
    assert.equal(why({ lack: 'unreachable' }), 'No machine within reach has what is missing.');
    const out = 'What is missing is out of reach: it waits for';
    assert.equal(why({ lack: 'unreachable', awaited: [A] }), `${out} belen.`);
    assert.equal(why({ lack: 'unreachable', awaited: [A, B] }), `${out} belen or carmen.`);
    const many = [A, B, C, STRANGER, peerOf('x')];
    assert.equal(why({ lack: 'unreachable', awaited: many }), `${out} belen, carmen, dolores or 2 others.`);
  });

  test('R184: says what stands in the way of a machine: a full store, and whom it leaves alone', () => {
    const { machines } = view([[C, report({ full: true, shunned: [A, STRANGER] })]]);
    assert.deepEqual(machines.find(({ name }) => name === 'dolores')?.notes, [
      'Its store takes nothing more.',
      `It asks belen or …${STRANGER.slice(-6)} for nothing for a while: what came did not fit.`,
    ]);
  });

  test('R184: jobs of which something is on one machine only, and who has still to give copies away', () => {
    const onlyOn = (scene: boolean) => [{ peer: A, machine: 'belen', results: 2, scene }];
    const { single, machines } = view(
      [[A, report({ copies: { results: 2, jobs: 1, logs: 3, asked: 4 } })]],
      job('safeaaaaaaaaaaaa', 1),
      job('resultsaaaaaaaaa', 2, { state: 'done', oneCopyOnly: 2, onlyOn: onlyOn(false) }),
      job('sceneaaaaaaaaaaa', 3, { onlyOn: onlyOn(true) }),
    );
    assert.deepEqual(single, [
      { job: 'resultsaaaaaaaaa', order: 2, name: 'job 2', results: 2, scene: false, on: ['belen'] },
      { job: 'sceneaaaaaaaaaaa', order: 3, name: 'job 3', results: 0, scene: true, on: ['belen'] },
    ]);
    assert.deepEqual(machines.find(({ name }) => name === 'belen')?.copies, {
      ...{ results: 2, jobs: 1, logs: 3, asked: 4 },
    });
  });
});
