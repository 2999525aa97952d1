import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EXIT } from '@cuadro/protocol';
import { hoursSince } from '../../../node/src/cli/commands/night.ts';
import { type Harness, startHarness } from './harness.ts';

describe('cuadro night', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness.stop());

  test('the night: what needs a person first, then jobs, machines and events', async () => {
    const { exit, out, err } = await harness.run(['night']);
    assert.deepEqual([exit, err], [EXIT.ok, '']);
    const lines = out.split('\n').filter((line) => line !== '');
    const order = ['NEEDS YOU', 'JOBS', 'MACHINES', 'WHAT HAPPENED'].map((head) => lines.indexOf(head));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.ok(
      order.every((at) => at > 0),
      out,
    );
    assert.equal(lines[0], '1 job done; 240 results rendered. 1 thing needs you.');
    assert.equal(lines[(order[0] ?? 0) + 1], "! Look after attic: it can't be reached.");
    assert.match(lines.at(-1) ?? '', /^\d\d:\d\d {2}attic was lost\.$/);
  });

  test('since when the night is told', async () => {
    const morning = new Date(2026, 0, 6, 6, 30);
    assert.equal(hoursSince('22:00', morning), 8.5);
    assert.equal(hoursSince('6:00', morning), 0.5);
    for (const wrong of ['24:00', '6:60', 'now', ''])
      assert.equal((await harness.run(['night', '--since', wrong])).exit, EXIT.usage, wrong);
    assert.equal((await harness.run(['night', '--since', '22:00', '--hours', '3'])).exit, EXIT.usage);
    assert.equal((await harness.run(['night', '--hours', '0'])).exit, EXIT.usage);
  });
});
