import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { encode } from '@cuadro/protocol';
import { FrameReader } from '../../../node/src/blobs/transfer/frames.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import type { Swarm } from '../../../node/src/swarm/interface.ts';
import { createSwarm } from '../../../node/src/swarm/swarm.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { nodeView } from '../api/views.ts';
import { disguised } from '../disguised.ts';
import { type Machine, peerOf, reaches, storeBundle, TestFarm } from '../transfer/machines.ts';

const NAMES = ['here', 'other'];
const MIB = 2 ** 20;

interface Watching {
  readonly machine: Machine;
  readonly swarm: Swarm;
  /** What it alone holds; tests change it. */
  readonly copies: { results: number; jobs: number; logs: number; asked: number };
  /** How often it made a report, and was told of a change. */
  readonly counts: { reports: number; changes: number };
}

/** A machine with its swarm; time goes on for that as the test says, and for the rest as it does. */
async function start(farm: TestFarm, name: string, clock: ManualClock, wire = (mesh: Mesh) => mesh) {
  const copies = { results: 0, jobs: 0, logs: 0, asked: 0 };
  const counts = { reports: 0, changes: 0 };
  let swarm: Swarm | undefined;
  const machine = await farm.start(name, {
    more: async ({ mesh, blobs, transfer }) => {
      swarm = createSwarm({
        ...{ mesh: wire(mesh), blobs, clock, transfer },
        copies: {
          state: () => {
            counts.reports += 1;
            return copies;
          },
        },
        queries: {
          nodes: () =>
            NAMES.map((each) => ({ ...nodeView(), peer: peerOf(each), name: each, here: each === name })),
          job: () => undefined,
          jobIds: () => [],
          jobRecord: () => undefined,
          removed: () => new Set(),
          claimantsOf: () => [],
        },
        onChange: () => (counts.changes += 1),
      });
      await swarm.start();
      return () => swarm?.stop() ?? Promise.resolve();
    },
  });
  return { machine, swarm: swarm as Swarm, copies, counts } satisfies Watching;
}

async function startBoth(context: TestContext) {
  const clock = new ManualClock();
  const farm = new TestFarm(context, NAMES);
  const [here, other] = [await start(farm, 'here', clock), await start(farm, 'other', clock)];
  await reaches(here.machine, other.machine);
  return { clock, farm, here, other };
}

/** Second by second, so that what is told between machines arrives within each. */
async function pass(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await clock.advanceSettled(500);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    await clock.advanceSettled(500);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
  }
}

const toldOf = async ({ swarm }: Watching): Promise<string> =>
  (await swarm.read()).machines.map(({ name, told }) => `${name} ${told}`).join();

describe('what machines tell each other of what travels', () => {
  test('R183: nothing is asked while nobody looks; the first look waits for the answers', async (context) => {
    const { clock, here, other } = await startBoth(context);
    await pass(clock, 5);
    assert.deepEqual([here.counts.reports, other.counts.reports], [0, 0]);
    assert.equal(await toldOf(here), 'here true,other true');
    assert.ok(other.counts.reports > 0);
  });

  test('R182, R183: a change comes with the next second, and the rest is told again without being one', async (context) => {
    const { clock, here, other } = await startBoth(context);
    await here.swarm.read();
    await pass(clock, 2);
    const before = here.counts.changes;
    await pass(clock, 12);
    assert.equal(here.counts.changes, before, 'nothing has changed');
    other.copies.results = 3;
    await pass(clock, 2);
    assert.equal(here.counts.changes, before + 1);
    const { machines } = await here.swarm.read();
    assert.equal(machines.find(({ name }) => name === 'other')?.copies.results, 3);
  });

  test('R183: whoever looks is asked after 20 s, and where nobody answers all is at rest', async (context) => {
    const { clock, here, other } = await startBoth(context);
    await here.swarm.read();
    await pass(clock, 5);
    const { changes } = here.counts;
    await pass(clock, 14);
    assert.equal(here.counts.changes, changes);
    await pass(clock, 2);
    assert.equal(here.counts.changes, changes + 1, 'does anybody still look?');
    await here.swarm.read();
    await pass(clock, 19);
    assert.equal(here.counts.changes, changes + 1, 'somebody did');
    await pass(clock, 10);
    assert.equal(here.counts.changes, changes + 2);
    const { reports } = other.counts;
    other.copies.jobs = 1;
    await pass(clock, 10);
    assert.deepEqual([here.counts.changes, other.counts.reports], [changes + 2, reports]);
    assert.equal(await toldOf(here), 'here true,other true');
  });

  test('R182, R184: a scene that comes is told by its sums, and one that nobody has as that', async (context) => {
    const { clock, here, other } = await startBoth(context);
    const contents = [new Uint8Array(3 * MIB).fill(1), new Uint8Array(10).fill(2)];
    const bundle = await storeBundle(other.machine.blobs, contents);
    const holders = (): string[] => [other.machine.peer];
    await here.machine.transfer.ensureTree(bundle, { holders });
    const { flows, bundles } = await here.swarm.read();
    assert.deepEqual(
      flows.map(({ fromName, toName }) => [fromName, toName]),
      [['other', 'here']],
    );
    assert.deepEqual(bundles, [], 'it is here');
    const unknown = 'e'.repeat(64);
    await assert.rejects(here.machine.transfer.ensureTree(unknown, { holders }));
    await pass(clock, 1);
    const told = (await other.swarm.read()).bundles[0]?.coming[0];
    assert.equal(told?.why, 'What is missing is out of reach: it waits for other.');
    assert.deepEqual([told?.name, told?.sizeBytes], ['here', 0]);
  });

  test('R184: one that is gone tells nothing any more', async (context) => {
    const { clock, here, other } = await startBoth(context);
    assert.equal(await toldOf(here), 'here true,other true');
    await other.machine.stop();
    await pass(clock, 2);
    assert.equal(await toldOf(here), 'here true,other false');
  });

  test('R182: what is no report is counted with its sender, and asked for again after a pause', async (context) => {
    const clock = new ManualClock();
    const farm = new TestFarm(context, NAMES);
    const here = await start(farm, 'here', clock);
    let opened = 0;
    const liar = await start(farm, 'other', clock, (mesh) =>
      disguised(mesh, {
        serve: () =>
          mesh.serve('swarm', async (stream) => {
            opened += 1;
            await stream.write(framed(encode({ kind: 'report', fetching: 'all' })));
            for await (const _ of stream.chunks);
          }),
      }),
    );
    await reaches(here.machine, liar.machine);
    await here.swarm.read();
    await pass(clock, 2);
    const { 'invalid-report': refused } = here.machine.mesh.status().refused;
    assert.deepEqual(refused, { count: 1, peer: liar.machine.peer });
    assert.equal(await toldOf(here), 'here true,other false');
    assert.equal(opened, 1);
    await pass(clock, 5);
    assert.equal(opened, 2);
  });

  test('R182: what rests is told once, and again after 10 s, so that the stream is not taken for a dead one', async (context) => {
    const { clock, here, other } = await startBoth(context);
    const stream = await here.machine.mesh.open(other.machine.peer, 'swarm');
    let frames = 0;
    const reading = (async () => {
      const reader = new FrameReader(stream.chunks);
      while ((await reader.next()) !== undefined) frames += 1;
    })();
    await pass(clock, 8);
    assert.equal(frames, 1);
    await pass(clock, 4);
    assert.equal(frames, 2);
    await pass(clock, 10);
    assert.equal(frames, 3);
    stream.abort();
    await assert.rejects(reading);
  });

  test('R182: whoever says something on its stream is told nothing more, and counted', async (context) => {
    const { here, other } = await startBoth(context);
    const stream = await here.machine.mesh.open(other.machine.peer, 'swarm');
    await stream.write(Uint8Array.of(1));
    await assert.rejects(async () => {
      for await (const _ of stream.chunks);
    });
    const { refused } = other.machine.mesh.status();
    assert.deepEqual(
      Object.values(refused).map(({ peer }) => peer),
      [here.machine.peer],
    );
  });
});

function framed(head: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + head.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 8);
  return bytes;
}
