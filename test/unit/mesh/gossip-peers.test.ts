import { afterEach, describe, it } from 'node:test';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Gossip } from '../../../node/src/mesh/gossip.ts';
import { createFarmLibp2p, type FarmLibp2p } from '../../../node/src/mesh/host.ts';
import { defaultMeshLimits } from '../../../node/src/mesh/limits.ts';
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
  return { host, heard, say };
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
