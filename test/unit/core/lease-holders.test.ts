import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Claim } from '@cuadro/protocol';
import { LeaseHolders } from '../../../node/src/core/lease-holders.ts';
import { type Lease, type Machine, newMachine } from '../../../node/src/core/machine.ts';

const NAMES = ['ana', 'belen', 'carmen', 'dolores', 'self'];
const WANTS_MAX = 3;

type Deed = { machine: number; kind: 'claims' | 'granted' | 'ended' | 'heard' | 'mirrored' | 'refused' };
const deeds: fc.Arbitrary<Deed[]> = fc.array(
  fc.record({
    machine: fc.nat(NAMES.length - 1),
    kind: fc.constantFrom('claims', 'granted', 'granted', 'ended', 'heard', 'mirrored', 'refused'),
  }),
  { maxLength: 60, size: 'max' },
);

it('R52: names whose leases end first, and who has room, as a look at all machines does', () => {
  let compared = 0;
  fc.assert(
    fc.property(deeds, (all) => {
      const holders = new LeaseHolders('self');
      const machines = NAMES.map((name) => newMachine(name, 0, true));
      const refused = new Set<Machine>();
      const freshAt = ({ heardAt, leasedAt }: Machine): number => Math.max(heardAt, leasedAt);
      for (const [now, { machine: number, kind }] of all.entries()) {
        const machine = machines[number] as Machine;
        if (kind === 'claims') machine.claim = { wants: now % (WANTS_MAX + 1) } as Claim;
        if (kind === 'granted') {
          if (machine.leases.size === 0) machine.leasedAt = now;
          machine.leases.set(String(now), {} as Lease);
        }
        if (kind === 'ended') machine.leases.delete(machine.leases.keys().next().value ?? '');
        if (kind === 'heard' || kind === 'mirrored') {
          machine.heardAt = now;
          holders[kind](machine);
        } else if (kind === 'refused') holders.refused(machine);
        else holders.changed(machine);
        if (kind === 'heard') refused.delete(machine);
        if (kind === 'refused') refused.add(machine);
        const hold = machines.filter(({ peer, leases }) => peer !== 'self' && leases.size > 0);
        const first = [...holders.first()];
        assert.equal(first.length > 0, hold.length > 0);
        if (hold.length > 0) compared += 1;
        assert.equal(
          Math.min(...first.map(freshAt)),
          Math.min(...hold.map(freshAt)),
          'the one that was heard longest ago',
        );
        for (const one of hold) if (refused.has(one)) assert.ok(first.includes(one));
        const withRoom = machines.filter(({ leases, claim }) => leases.size < (claim?.wants ?? 0));
        assert.deepEqual(new Set(holders.withRoom), new Set(withRoom));
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(compared > 500, `${compared} compared`);
});
