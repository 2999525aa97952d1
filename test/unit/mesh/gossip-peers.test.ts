import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Gossip } from '../../../node/src/mesh/gossip.ts';
import { createFarmLibp2p, type FarmLibp2p } from '../../../node/src/mesh/host.ts';
import { defaultMeshLimits, GOSSIP_BYTES_MAX } from '../../../node/src/mesh/limits.ts';
import { Listeners, Tally } from '../../../node/src/mesh/tally.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { until } from '../../contract/mesh/harness.ts';

const FARM = 'aaaaaaaaaaaaaaaa';
const hosts: FarmLibp2p[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
});

/** A real host whose gossip is as in a node; `say` says a new word, and `heard` holds those of others. */
async function hostWithGossip(seed: number) {
  const host = await createFarmLibp2p({
    privateKey: new Uint8Array(32).fill(seed),
    listen: ['127.0.0.1'],
    port: 0,
    upgradeMs: defaultMeshLimits.upgradeMs,
    farm: FARM,
    isMember: () => true,
  });
  hosts.push(host);
  await host.start();
  const heard: string[] = [];
  const listeners = new Listeners();
  listeners.add({ gossip: (_topic, _from, bytes) => void heard.push(Buffer.from(bytes).toString()) });
  const components = {
    clock: createSystemClock(),
    host,
    tally: new Tally(),
    listeners,
    limits: defaultMeshLimits,
  };
  const gossip = new Gossip(components, { farm: FARM, isMember: () => true });
  gossip.start();
  let words = 0;
  const say = (): string => {
    const word = `${seed}/${(words += 1)}`;
    gossip.publish('claims', Buffer.from(word));
    return word;
  };
  return { host, heard, say, tick: () => gossip.tick(), tally: components.tally };
}

type Side = Awaited<ReturnType<typeof hostWithGossip>>;

/** As the reconnect loop dials: by address alone. */
function dial(from: Side, to: Side): Promise<Connection> {
  const [address] = to.host.getMultiaddrs();
  return from.host.dial(multiaddr(String(address).replace(/\/p2p\/.*$/, '')), { force: true });
}

/** Words are said until one arrives: gossip may lose some. */
async function hears(listener: Side, speaker: Side, what: string): Promise<void> {
  const said = new Set([speaker.say()]);
  let saidMs = performance.now();
  await until(what, () => {
    if (performance.now() - saidMs > 100) {
      said.add(speaker.say());
      saidMs = performance.now();
    }
    return listener.heard.some((word) => said.has(word));
  });
}

describe('gossip between two that have two connections', () => {
  for (const ended of ['first', 'second', 'the one by the other side'] as const)
    it(`goes on over the one that stays when the other ends (${ended})`, async () => {
      const [a, b] = [await hostWithGossip(1), await hostWithGossip(2)];
      const first = await dial(a, b);
      const second = ended === 'the one by the other side' ? await dial(b, a) : await dial(a, b);
      await hears(b, a, 'b hears a');
      await hears(a, b, 'a hears b');
      (ended === 'first' ? first : second).abort(new Error('One too many.'));
      await until('one is left', () => [a, b].every(({ host }) => host.getConnections().length === 1));
      await hears(b, a, 'b hears a over the other');
      await hears(a, b, 'a hears b over the other');
    });
});

describe('gossip between two that stay connected', () => {
  it('goes on where the stream alone ended, or could not be opened', async () => {
    const [a, b] = [await hostWithGossip(1), await hostWithGossip(2)];
    await dial(a, b);
    await hears(b, a, 'b hears a');
    const { streamsOutbound } = a.host.services.gossip as unknown as Inside;
    const id = b.host.peerId.toString();
    streamsOutbound.get(id)?.rawStream.abort(new Error('It could not be opened.'));
    await until('a has no stream to b', () => !streamsOutbound.has(id));
    a.tick();
    await hears(b, a, 'b hears a again');
    assert.equal(a.host.getConnections().length, 1);
  });
});

/** What the library keeps to itself. */
interface Inside {
  readonly streamsInbound: ReadonlyMap<string, unknown>;
  readonly streamsOutbound: ReadonlyMap<
    string,
    {
      push(bytes: Uint8Array): void;
      readonly rawStream: {
        send(bytes: { subarray(): Uint8Array }): boolean;
        abort(error: Error): void;
      };
    }
  >;
}

describe('R120: what the library drops by itself', () => {
  it('is heard by nobody and counted by nobody, and gossip goes on', async () => {
    const [a, b] = [await hostWithGossip(1), await hostWithGossip(2)];
    await dial(a, b);
    await hears(b, a, 'b hears a');
    const [speaker, listener] = [a, b].map(({ host }) => host.services.gossip as unknown as Inside);
    const stream = speaker?.streamsOutbound.get(b.host.peerId.toString());
    assert.ok(stream !== undefined);
    const { rawStream } = stream;
    const send = rawStream.send.bind(rawStream);
    let sent: Uint8Array[] = [];
    rawStream.send = (bytes) => {
      sent.push(bytes.subarray().slice());
      return send(bytes);
    };
    const word = a.say();
    await until('b hears that word', () => b.heard.includes(word));
    const [message] = sent.filter((bytes) => Buffer.from(bytes).includes(word));
    assert.ok(message !== undefined);
    sent = [];
    // Said once more as it was; with another word under the same signature; and no protobuf at all.
    send(message);
    const forged = Buffer.from(message);
    forged.write('?', forged.indexOf(word));
    send(forged);
    stream.push(Uint8Array.of(0xff, 0xff, 0xff));
    await hears(b, a, 'b hears what a says after that');
    assert.equal(b.heard.filter((one) => one === word).length, 1, 'what was said is heard once');
    assert.deepEqual(
      b.heard.filter((one) => one.includes('?')),
      [],
    );
    stream.push(new Uint8Array(2 * GOSSIP_BYTES_MAX));
    const id = a.host.peerId.toString();
    await until('b ends its gossip with a', () => listener?.streamsInbound.has(id) === false);
    assert.deepEqual(b.tally.counts().refused, {});
  });
});
