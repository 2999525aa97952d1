import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { GossipTopic } from '../../node/src/mesh/interface.ts';
import type { MemoryMesh } from '../../node/src/mesh/memory-member.ts';
import { Dice } from './dice.ts';
import { Gossip } from './gossip.ts';
import { Timeline } from './timeline.ts';
import type { SimWire } from './wire.ts';

/** What the figures say of gossip that is overtaken: Alba says a few things, and each takes its own time to Belen. */

let timeline: Timeline;
let traffic: { disordered: number };
let heard: string[];
let latencyMs: number;
let gossip: Gossip;
let alba: MemoryMesh;
let belen: { host: unknown; mesh: MemoryMesh };
const newMesh = (self: string): MemoryMesh =>
  ({
    ...{ self, running: true, isMember: () => true },
    hearGossip: (_topic: GossipTopic, _from: string, [byte]: Uint8Array) => heard.push(`${byte}`),
  }) as unknown as MemoryMesh;

beforeEach(() => {
  timeline = new Timeline();
  traffic = { disordered: 0 };
  heard = [];
  const host = { isStalled: false, isSuspended: false, deliver: (run: () => void) => run() };
  alba = newMesh('alba');
  belen = { host, mesh: newMesh('belen') };
  const stations = new Map([
    ['alba', { host, mesh: alba }],
    ['belen', belen],
  ]);
  const way = { isCut: false, latency: () => latencyMs };
  const wire = {
    ...{ timeline, traffic, dice: new Dice(1n), gossipLoss: 0, gossipReplay: 0 },
    ...{ stations: () => stations, of: (peer: string) => stations.get(peer) },
    pair: () => ({ session: { isOpen: () => true }, way: () => way }),
  };
  gossip = new Gossip(wire as unknown as SimWire);
});

const say = (byte: number, ms: number, topic: GossipTopic = 'claims', origin = alba): void => {
  latencyMs = ms;
  gossip.say(origin, topic, Uint8Array.of(byte));
};

it('gossip that comes after what was said later is counted', async () => {
  say(1, 30);
  say(2, 10);
  say(3, 20);
  await timeline.run(100);
  assert.deepEqual(heard, ['2', '3', '1']);
  assert.equal(traffic.disordered, 1);
});

it('not what comes in its order, on another topic, or of another machine', async () => {
  say(1, 10);
  say(2, 10);
  say(3, 30, 'pulse');
  say(4, 20, 'records');
  await timeline.run(100);
  say(5, 30, 'claims', newMesh('carmen'));
  say(6, 20);
  await timeline.run(200);
  assert.equal(heard.length, 7, 'Alba hears Carmen too');
  assert.equal(traffic.disordered, 0);
});

it('nor what reaches a process that has not heard the later one', async () => {
  say(1, 30);
  say(2, 10);
  await timeline.run(20);
  belen.mesh = newMesh('belen');
  await timeline.run(100);
  assert.deepEqual(heard, ['2', '1']);
  assert.equal(traffic.disordered, 0);
});
