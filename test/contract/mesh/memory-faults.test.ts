import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryNetwork, type MemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { identityOf } from '../../../node/src/system/identity.ts';
import { bytesOfText, FARM, membersOf, type NetworkUnderTest, type Node, nodeOn, textOf } from './harness.ts';

const DETECT_MS = 3_000;
const DIAL_MS = 2_000;

/** The same keys in each run. */
const seedOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);

async function farmOf(count: number): Promise<{ network: MemoryNetwork; clock: ManualClock; nodes: Node[] }> {
  const clock = new ManualClock();
  const network = createMemoryNetwork({ clock, detectMs: DETECT_MS, dialMs: DIAL_MS });
  const under: NetworkUnderTest = {
    mesh: (init) => network.mesh(init),
    reset: () => undefined,
    addressesOf: async () => [],
    stop: async () => undefined,
  };
  const nodes = Array.from({ length: count }, (_, index) =>
    nodeOn(under, { privateKey: seedOf(index), serviceName: 'cuadro-test' }),
  );
  for (const { mesh } of nodes) mesh.setMembership({ farm: FARM, members: membersOf(...nodes) });
  for (const { mesh } of nodes) await mesh.start();
  await clock.advanceSettled(0);
  return { network, clock, nodes };
}

async function three(): Promise<{
  network: MemoryNetwork;
  clock: ManualClock;
  a: Node;
  b: Node;
  c: Node;
}> {
  const { nodes, ...rest } = await farmOf(3);
  const [a, b, c] = nodes as [Node, Node, Node];
  return { ...rest, a, b, c };
}

const texts = (node: Node): string[] => node.told.messages.map(({ bytes }) => textOf(bytes));

describe('the memory twin under faults', () => {
  it('notices a silent cut after a while, then calls the other silent, and meets it again', async () => {
    const { network, clock, a, b, c } = await three();
    network.cut(a.peer, b.peer);
    await clock.advanceSettled(DETECT_MS - 1);
    assert.deepEqual(a.statesOf(b.peer), ['reachable']);
    await clock.advanceSettled(1);
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost']);
    await clock.advanceSettled(DIAL_MS);
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const)
      assert.deepEqual(node.statesOf(other.peer), ['reachable', 'lost', 'silent']);
    assert.deepEqual(a.statesOf(c.peer), ['reachable']);
    network.restore(a.peer, b.peer);
    await clock.advanceSettled(0);
    assert.equal(a.statesOf(b.peer).at(-1), 'reachable');
  });

  it('goes on as if nothing had been where a cut ends before it is noticed', async () => {
    const { network, clock, a, b } = await three();
    network.cut(a.peer, b.peer);
    a.mesh.send(b.peer, bytesOfText('held'));
    await clock.advanceSettled(DETECT_MS / 2);
    assert.deepEqual(texts(b), []);
    network.restore(a.peer, b.peer);
    a.mesh.send(b.peer, bytesOfText('after'));
    await clock.advanceSettled(2 * DETECT_MS);
    assert.deepEqual(texts(b), ['held', 'after']);
    assert.deepEqual(a.statesOf(b.peer), ['reachable']);
  });

  it('swallows one way only, unnoticed', async () => {
    const { network, clock, a, b } = await three();
    network.cut(a.peer, b.peer, { oneWay: true });
    a.mesh.send(b.peer, bytesOfText('lost'));
    b.mesh.send(a.peer, bytesOfText('heard'));
    await clock.advanceSettled(2 * DETECT_MS);
    assert.deepEqual(texts(b), []);
    assert.deepEqual(texts(a), ['heard']);
    assert.deepEqual(b.statesOf(a.peer), ['reachable']);
    network.restore(a.peer, b.peer);
    a.mesh.send(b.peer, bytesOfText('back'));
    await clock.advanceSettled(0);
    assert.deepEqual(texts(b), ['back']);
  });

  it('tells a killed process from a power cut', async () => {
    const { network, clock, a, b, c } = await three();
    network.kill(b.peer);
    await clock.advanceSettled(0);
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost', 'refused']);
    network.kill(c.peer, { silent: true });
    await clock.advanceSettled(DETECT_MS + DIAL_MS);
    assert.deepEqual(a.statesOf(c.peer), ['reachable', 'lost', 'silent']);
    assert.deepEqual(b.told.states.slice(2), [], 'the dead hear nothing');
    const again = network.mesh({ ...b.init });
    again.setMembership({ farm: FARM, members: membersOf(a, b, c) });
    await again.start();
    await clock.advanceSettled(0);
    assert.equal(a.statesOf(b.peer).at(-1), 'reachable');
  });

  it('passes gossip round a cut link, and loses what it is told to', async () => {
    const { network, clock, a, b, c } = await three();
    network.cut(a.peer, b.peer, { reset: true });
    await clock.advanceSettled(0);
    assert.deepEqual(a.statesOf(b.peer), ['reachable', 'lost']);
    a.mesh.gossip('claims', bytesOfText('by way of c'));
    await clock.advanceSettled(0);
    assert.deepEqual(
      [b, c].map(({ told }) => told.gossip.map(({ from, bytes }) => [from, textOf(bytes)])),
      [[[a.peer, 'by way of c']], [[a.peer, 'by way of c']]],
    );
    network.dropGossip((topic, origin, to) => topic === 'pulse' && origin === a.peer && to === c.peer);
    a.mesh.gossip('pulse', bytesOfText('not for c'));
    await clock.advanceSettled(0);
    assert.deepEqual(
      [b, c].map(({ told }) => told.gossip.length),
      [2, 1],
    );
    network.dropGossip(undefined);
    a.mesh.gossip('pulse', bytesOfText('for both'));
    await clock.advanceSettled(0);
    assert.deepEqual(
      [b, c].map(({ told }) => told.gossip.length),
      [3, 2],
    );
  });

  it('delays without changing the order', async () => {
    const { network, clock, a, b } = await three();
    network.delay(a.peer, b.peer, 40);
    a.mesh.send(b.peer, bytesOfText('first'));
    await clock.advanceSettled(20);
    network.delay(a.peer, b.peer, 5);
    a.mesh.send(b.peer, bytesOfText('second'));
    await clock.advanceSettled(4);
    assert.deepEqual(texts(b), []);
    await clock.advanceSettled(40);
    assert.deepEqual(texts(b), ['first', 'second']);
  });

  it('hears no announcements while multicast is off', async () => {
    const { network, clock, a } = await three();
    network.multicast(false);
    const late = network.mesh({ ...a.init, privateKey: seedOf(9) });
    const found: string[] = [];
    late.subscribe({ found: ({ peer }) => found.push(peer) });
    await late.start();
    await clock.advanceSettled(100);
    assert.deepEqual(found, []);
    network.multicast(true);
    await clock.advanceSettled(0);
    assert.equal(found.length, 3);
    assert.ok(a.told.found.some(({ peer }) => peer === identityOf(seedOf(9)).peer));
  });

  it('does the same in every run that does the same', async () => {
    const run = async (): Promise<unknown> => {
      const { network, clock, nodes } = await farmOf(6);
      const [first, second] = nodes as [Node, Node];
      network.delay(first.peer, second.peer, 3);
      for (let round = 0; round < 20; round += 1) {
        for (const [index, node] of nodes.entries()) {
          node.mesh.gossip('claims', Uint8Array.of(round, index));
          for (const other of nodes) if (other !== node) node.mesh.send(other.peer, Uint8Array.of(round));
        }
        if (round === 7) network.cut(first.peer, second.peer);
        if (round === 15) network.restore(first.peer, second.peer);
        await clock.advanceSettled(500);
      }
      return nodes.map(({ told }) => told);
    };
    assert.deepEqual(await run(), await run());
  });

  it('lets timers and input have their turn while two answer each other without an end', async () => {
    const { network, a, b } = await three();
    let count = 0;
    for (const { mesh } of [a, b])
      mesh.subscribe({
        message: (from, bytes) => {
          count += 1;
          if (mesh.reachable().length > 0) mesh.send(from, bytes);
        },
      });
    a.mesh.send(b.peer, Uint8Array.of(1));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(count > 0);
    network.kill(a.peer);
  });
});
