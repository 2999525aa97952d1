import assert from 'node:assert/strict';
import type { networkInterfaces } from 'node:os';
import { it } from 'node:test';
import { readInterfaces } from '../../../node/src/mesh/interfaces.ts';

const one = (address: string, internal: boolean) => ({
  ...{ address, internal, netmask: '255.255.255.0', family: 'IPv4', mac: '', cidr: null },
});
const system = (() => ({
  lo: [one('127.0.0.1', true)],
  eth0: [one('10.0.0.2', false)],
  tun0: [],
})) as unknown as typeof networkInterfaces;

it('reads the interfaces that lead to others, or those that are named', () => {
  const outward = readInterfaces(undefined, system);
  assert.deepEqual(
    outward?.usable.map(({ name, address }) => [name, address]),
    [['eth0', '10.0.0.2']],
  );
  const named = readInterfaces(['lo', 'wlan0'], system);
  assert.deepEqual(
    named?.usable.map(({ name }) => name),
    ['lo'],
  );
  assert.deepEqual(named.problems, [{ name: 'wlan0', problem: 'It is not up.' }]);
});

it('says nothing where the system tells none, as with too many files open, and does not end the node', () => {
  const none = (): never => {
    throw new Error('uv_interface_addresses returned Unknown system error 24');
  };
  assert.equal(readInterfaces(undefined, none), undefined);
});
