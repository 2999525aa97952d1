import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CuadroError, doorViewSchema, EXIT } from '@cuadro/protocol';
import { doorView } from '../api/door.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
beforeEach(() => {
  harness.node.door = doorView();
});
after(() => harness.stop());

const lastCall = () => harness.node.calls.at(-1);

describe('cuadro door', () => {
  test('shows who is in, who wants in, and what else is around', async () => {
    const { exit, out, err } = await harness.run(['door']);
    assert.match(out, /The door of farm is open.*\n12 min 34 s left; cuadro door close ends it\./);
    assert.match(out, /WANTS IN.*\nlaptop\s+amber piano river\s+192\.168\.1\.7:7789/);
    assert.match(out, /attic\s+gggggggggggggggg\s+2\s+3\s+closed\s+tower\s+wanted there: cuadro door merge/);
    assert.match(out, /studio \(here\)\s+artist\s+reachable\s+founder/);
    assert.match(out, /render-1\s+machine\s+not reachable\s+by studio/);
    assert.match(out, /cuadro join 192\.168\.1\.5\n$/);
    assert.deepEqual([exit, err], [EXIT.ok, '']);
  });

  test('shows the three words of a machine that waits itself', async () => {
    const asked = { farm: { id: 'gggggggggggggggg', name: 'attic' }, machine: 'tower' };
    harness.node.door = doorView({
      state: 'waiting',
      message: 'This machine waits to be let into attic.',
      newcomers: [],
      found: [],
      members: [],
      asked: [{ ...asked, words: 'river nut ladder', state: 'waiting' }],
    });
    const { out } = await harness.run(['door']);
    assert.match(out, /At the door of attic \(tower\), this machine's three words:\n {2}river nut ladder/);
  });

  test('says what to do where no other node is seen, and who was removed', async () => {
    harness.node.door = doorView({
      alone: { message: 'No other node was seen for 20 s. Looked on eth0.', interfaces: [] },
      removed: [{ peer: 'x'.repeat(20), name: 'old', by: 'studio', reason: 'sold', removedAt: 1 }],
    });
    const { out } = await harness.run(['door']);
    assert.match(out, /No other node was seen for 20 s\. Looked on eth0\./);
    assert.match(out, /old\s+removed\s+by studio/);
  });

  test('names from the network cannot steer the terminal', async () => {
    const [newcomer] = doorView().newcomers;
    assert.ok(newcomer);
    harness.node.door = doorView({
      newcomers: [{ ...newcomer, name: 'a\u001b[2J\nb', addresses: ['\u0007x'] }],
    });
    const { out } = await harness.run(['door'], { terminal: false });
    // oxlint-disable-next-line no-control-regex -- that there are none is what is asked
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f]/);
  });

  test('--json gives the whole view', async () => {
    const { out } = await harness.run(['door', '--json']);
    assert.deepEqual(doorViewSchema.parse(JSON.parse(out)), harness.node.door);
  });

  const changes: [args: string[], name: string, callArgs: unknown[]][] = [
    [['door', 'open'], 'openDoor', [900_000]],
    [['door', 'open', '10m'], 'openDoor', [600_000]],
    [['door', 'open', '90s'], 'openDoor', [90_000]],
    [['door', 'open', '2h'], 'openDoor', [7_200_000]],
    [['door', 'open', '5'], 'openDoor', [300_000]],
    [['door', 'close'], 'closeDoor', []],
    [['door', 'admit'], 'admit', [undefined]],
    [['door', 'admit', 'amber', 'piano', 'river'], 'admit', ['amber piano river']],
    [['door', 'refuse', 'laptop'], 'refuse', ['laptop']],
    [['door', 'remove', 'laptop'], 'removeMember', ['laptop', '']],
    [['door', 'remove', 'laptop', '--reason', 'sold'], 'removeMember', ['laptop', 'sold']],
    [['door', 'merge'], 'mergeFarm', [undefined]],
    [['door', 'merge', 'the', 'attic'], 'mergeFarm', ['the attic']],
    [['door', 'found'], 'foundFarm', []],
    [['join', '192.168.1.5:7790'], 'joinAddress', ['192.168.1.5:7790']],
  ];
  for (const [args, name, callArgs] of changes) {
    test(args.join(' '), async () => {
      const { exit, out, err } = await harness.run(args);
      assert.deepEqual(lastCall(), { name, args: callArgs });
      assert.deepEqual([exit, err], [EXIT.ok, '']);
      assert.notEqual(out, '');
      const json = await harness.run([...args, '--json']);
      assert.equal(typeof (JSON.parse(json.out) as { message: string }).message, 'string');
    });
  }

  test('a removal is asked about on a terminal', async () => {
    const calls = harness.node.calls.length;
    const no = await harness.run(['door', 'remove', 'laptop'], { ask: async () => false });
    assert.equal(no.exit, EXIT.failure);
    assert.equal(harness.node.calls.length, calls);
    await harness.run(['door', 'remove', 'laptop'], { ask: async (question) => /final/.test(question) });
    assert.equal(lastCall()?.name, 'removeMember');
    await harness.run(['door', 'remove', 'laptop', '--yes'], { ask: async () => assert.fail('It asked.') });
  });

  for (const args of [['jobs'], ['nodes']]) {
    test(`R107: ${args.join(' ')} on a machine that was removed says so beside the result`, async () => {
      const { door } = harness.node;
      harness.node.door = doorView({ state: 'removed', message: 'This machine was removed by studio.' });
      try {
        const shown = await harness.run(args);
        assert.equal(shown.err, 'This machine was removed by studio.\n');
        assert.ok(shown.out.length > 0);
        assert.equal((await harness.run([...args, '--json'])).err, '');
      } finally {
        harness.node.door = door;
      }
    });
  }

  const wrong: [args: string[], exit: number, pattern: RegExp][] = [
    [['door', 'slam'], EXIT.usage, /can't "slam"; it can open, close, admit/],
    [['door', 'open', 'long'], EXIT.usage, /"long" is no time for a door/],
    [['door', 'open', '0m'], EXIT.usage, /no time/],
    [['door', 'open', '25h'], EXIT.usage, /a day at most/],
    [['door', 'close', 'now'], EXIT.usage, /takes no more words/],
    [['door', 'remove'], EXIT.usage, /Name the machine/],
    [['join'], EXIT.usage, /[Mm]issing required argument 'address'/],
  ];
  for (const [args, exit, pattern] of wrong) {
    test(`${args.join(' ')} is refused`, async () => {
      const ran = await harness.run(args);
      assert.match(ran.err, pattern);
      assert.deepEqual([ran.exit, ran.out], [exit, '']);
    });
  }

  const failures: [error: CuadroError, args: string[], exit: number][] = [
    [new CuadroError('newcomer-not-found', { newcomer: 'x' }), ['door', 'admit', 'x'], EXIT.notFound],
    [new CuadroError('newcomer-ambiguous', { newcomers: 'a, b' }), ['door', 'admit'], EXIT.notFound],
    [new CuadroError('farm-not-found', { farm: 'x' }), ['door', 'merge', 'x'], EXIT.notFound],
    [new CuadroError('machine-removed', { farm: 'tablao', by: 'studio' }), ['submit', 'FILE'], EXIT.refused],
    [new CuadroError('door-refused', { why: 'This machine is in a farm.' }), ['door', 'found'], EXIT.refused],
    [new CuadroError('address-invalid', { address: 'x' }), ['join', 'x'], EXIT.usage],
    [new CuadroError('lobby-unreachable', { address: '1.2.3.4' }), ['join', '1.2.3.4'], EXIT.noNode],
  ];
  for (const [error, args, exit] of failures) {
    test(`${error.code} ends with ${exit}`, async () => {
      harness.node.failure = error;
      const ran = await harness.run(args.map((word) => (word === 'FILE' ? harness.blend : word)));
      assert.deepEqual([ran.exit, ran.out, ran.err], [exit, '', `cuadro: ${error.message}\n`]);
    });
  }
});
