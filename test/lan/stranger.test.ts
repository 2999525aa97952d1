import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { listenersOf } from '../e2e/support/listeners.ts';
import { until } from '../e2e/support/wait.ts';
import { Lan, type Host, whyNoHosts } from './support/hosts.ts';
import { LanFarm, type LanNode } from './support/lan-farm.ts';

/** Tries to connect to each port of an address and says which take connections. */
const KNOCKER = `
const { connect } = require('node:net');
const [address, ...ports] = process.argv.slice(1);
const tries = ports.map((port) => new Promise((resolve) => {
  const socket = connect(Number(port), address);
  const end = (taken) => { socket.destroy(); resolve(taken ? [Number(port)] : []); };
  socket.on('connect', () => end(true));
  socket.on('error', () => end(false));
  socket.setTimeout(3000, () => end(false));
}));
Promise.all(tries).then((taken) => process.stdout.write(JSON.stringify(taken.flat())));
`;

async function portsTaken(from: Host, address: string, ports: readonly number[]): Promise<number[]> {
  const child = from.spawn(process.execPath, ['-e', KNOCKER, '--', address, ...ports.map(String)]);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await new Promise((resolve) => child.once('close', resolve));
  return (JSON.parse(text) as number[]).sort((a, b) => a - b);
}

const why = whyNoHosts();

describe('a machine seen from another one on its network', { skip: why ?? false }, () => {
  let lan: Lan;
  let farm: LanFarm;
  let node: LanNode;
  before(async () => {
    lan = new Lan();
    farm = await LanFarm.open();
    node = await farm.add(lan.host({ name: 'a', networks: [1] }), 'a');
    await node.start();
    await until('it to have a farm', async () => (await node.door()).farm !== undefined);
  });
  after(async () => {
    await farm.close();
    await lan.remove();
  });

  it('R91, R100: takes connections at the mesh and the lobby, and at nothing else: its API is for itself only', async () => {
    const stranger = lan.host({ name: 'b', networks: [1] });
    const ports = (await listenersOf(node.pid)).map(({ port }) => port).sort((a, b) => a - b);
    assert.ok(ports.includes(node.apiPort));
    const own = await portsTaken(node.host, '127.0.0.1', ports);
    assert.deepEqual(own, [...new Set(ports)], 'the machine itself reaches all of them');
    const outside = await portsTaken(stranger, node.host.addressOn(1), own);
    assert.deepEqual(
      outside,
      own.filter((port) => port !== node.apiPort),
    );
    assert.equal(outside.length, 2);
  });
});
