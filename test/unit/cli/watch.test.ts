import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EXIT, type JobView, liveEventSchema } from '@cuadro/protocol';
import { HASH, JOB_A, JOB_B, taskView } from '../api/fakes.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.stop());

const done: Partial<JobView> = {
  state: 'done',
  counts: { total: 3, open: 0, rendered: 3, done: 0, failed: 0, skipped: 0 },
};

/** Changes something once the watcher has read the jobs; it listens by then. */
async function whenRead(change: () => void): Promise<void> {
  const { node } = harness;
  const read = Promise.withResolvers<void>();
  node.onRead = () => {
    if (node.hub.listeners > 0) read.resolve();
  };
  await read.promise;
  node.onRead = undefined;
  change();
}

describe('watch', () => {
  const ends: [Partial<JobView>, number, RegExp][] = [
    [done, EXIT.ok, /3\/3, done\nFiles: \/tmp\/output\/1/],
    [
      { state: 'failed', reason: 'Too many frames failed.' },
      EXIT.jobFailed,
      /failed: Too many frames failed\./,
    ],
    [{ state: 'canceled' }, EXIT.jobFailed, /canceled/],
  ];
  for (const [change, exit, pattern] of ends) {
    test(`ends when the job is ${change.state}`, async () => {
      const [ran] = await Promise.all([
        harness.run(['watch', '1']),
        whenRead(() => harness.node.setJob(JOB_A, change)),
      ]);
      assert.match(ran.out, pattern);
      assert.equal(ran.exit, exit);
    });
  }

  test('of a job that has ended already ends at once', async () => {
    harness.node.setJob(JOB_A, done);
    const { exit, out } = await harness.run(['watch', JOB_A]);
    assert.equal(exit, EXIT.ok);
    assert.match(out, /done/);
  });

  test('ends when the last file is in the folder', async () => {
    const file = { name: '0001.png', blob: HASH, sizeBytes: 1, role: 'image' };
    harness.node.tasks = [taskView(0, { state: 'rendered', files: [file, file] })];
    let collected = false;
    const watched = harness.run(['watch', '1']).then((ran) => ({ ran, collected }));
    await whenRead(() => harness.node.setJob(JOB_A, { ...done, live: { running: 0, collected: 1 } }));
    // The files are counted through the route of tasks; only then can it know that one is missing.
    await harness.node.called('tasks');
    collected = true;
    harness.node.setJob(JOB_A, { live: { running: 0, collected: 1, keptForeign: 1 } });
    const result = await watched;
    assert.deepEqual([result.collected, result.ran.exit], [true, EXIT.ok]);
  });

  test('draws a bar on a terminal only', async () => {
    const [ran] = await Promise.all([
      harness.run(['watch', '1'], { terminal: true, env: { CUADRO_DATA: harness.folder, NO_COLOR: '1' } }),
      whenRead(() => harness.node.setJob(JOB_A, done)),
    ]);
    assert.match(ran.err, /█+░+ {2}1\/3/);
    assert.match(ran.out, /#1 job 1 {2}3\/3 {2}done\n/);
    // oxlint-disable-next-line no-control-regex -- NO_COLOR is what is asked
    assert.doesNotMatch(`${ran.out}${ran.err}`, /\u001b\[\d\dm/);
  });

  test('moves the bar with the frame that is running', async () => {
    const tasks = [taskView(0, { live: { running: true, fraction: 0.9 } })];
    const [ran] = await Promise.all([
      harness.run(['watch', '1'], { terminal: true }),
      whenRead(() => {
        harness.node.emit({ kind: 'tasks', job: JOB_A, tasks });
        harness.node.setJob(JOB_A, done);
      }),
    ]);
    assert.match(ran.err, /█{8}░{16} {2}1\/3/);
    assert.match(ran.err, /█{15}░{9} {2}1\/3/);
  });

  test('prints one line of JSON for each event', async () => {
    const [ran] = await Promise.all([
      harness.run(['watch', '1', '--json']),
      whenRead(() => harness.node.setJob(JOB_A, done)),
    ]);
    const events = ran.out
      .trimEnd()
      .split('\n')
      .map((line) => liveEventSchema.parse(JSON.parse(line)));
    assert.deepEqual(
      events.map((event) => (event.kind === 'job' ? event.job.state : event.kind)),
      ['active', 'done'],
    );
    assert.equal(ran.err, '');
  });

  test('without a job follows all that have not ended', async () => {
    const [ran] = await Promise.all([
      harness.run(['watch']),
      whenRead(() => {
        harness.node.setJob(JOB_A, done);
        harness.node.setJob(JOB_B, { state: 'canceled' });
      }),
    ]);
    assert.equal(ran.exit, EXIT.jobFailed);
    assert.match(ran.out, /#1 job 1 {2}3\/3 {2}done/);
    assert.match(ran.out, /#12 .*canceled/);
    const none = await harness.run(['watch']);
    assert.deepEqual([none.exit, none.out], [EXIT.ok, '']);
    assert.match(none.err, /No job is under way/);
  });

  test('says that the job was deleted', async () => {
    const [ran] = await Promise.all([
      harness.run(['watch', '1']),
      whenRead(() =>
        harness.node.hub.notify({ jobs: [], removed: [JOB_A], tasks: [], nodes: [], farm: false }),
      ),
    ]);
    assert.match(ran.out, /deleted/);
    assert.equal(ran.exit, EXIT.jobFailed);
  });

  test('says that the node is gone', async () => {
    const [ran] = await Promise.all([harness.run(['watch', '1']), whenRead(() => void harness.api.stop())]);
    assert.match(ran.err, /No node runs/);
    assert.equal(ran.exit, EXIT.noNode);
  });

  test('ends with Ctrl-C, and the job goes on', async () => {
    const interrupt = new AbortController();
    const [ran] = await Promise.all([
      harness.run(['watch', '1'], { signal: interrupt.signal }),
      whenRead(() => interrupt.abort()),
    ]);
    assert.equal(ran.exit, EXIT.interrupted);
  });

  test('follows a submission', async () => {
    const [ran] = await Promise.all([
      harness.run(['submit', harness.blend, '--watch']),
      whenRead(() => harness.node.setJob('nnnnbbbbccccdddd', { state: 'failed', reason: 'No.' })),
    ]);
    assert.match(ran.out, /Submitted #13[\s\S]*failed: No\./);
    assert.equal(ran.exit, EXIT.jobFailed);
  });
});
