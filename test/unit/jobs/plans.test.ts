import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { CuadroError, type JobView } from '@cuadro/protocol';
import { nodeOfOne } from './node-of-one.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

/** Settings that pass their schema and whose plan no node reads back: the job is accepted and never runs. */
for (const [what, settings] of [
  ['a step past 2^53', { frames: '1-10:99999999999999999999' }],
  [
    'overlapping stepped ranges whose union needs more than 10,000 parts',
    { frames: '1-300000:7,1-300000:11' },
  ],
  ['a failing frame outside the limit', { frames: '1', failFrames: [2_000_000] }],
] as const) {
  it(`runs or refuses a job with ${what} (promise 2)`, async () => {
    const node = await nodeOfOne({ outputBase: base });
    let job: JobView;
    try {
      job = await node.submit({ type: 'echo-sleep', settings });
    } catch (error) {
      assert.ok(error instanceof CuadroError, 'refused, with a sentence');
      await node.stop();
      return;
    }
    const [task] = node.core.tasks(job.id, { offset: 0, limit: 1 }).tasks;
    assert.notEqual(
      node.core.plannedTask(job.id, 0),
      undefined,
      `accepted; ${node.core.task(job.id, task?.index ?? 0)?.why}`,
    );
    await node.stop();
  });
}

const tries: Record<string, (node: Awaited<ReturnType<typeof nodeOfOne>>) => void> = {
  'after a pause': ({ clock }) => clock.advance(2_000),
  'as soon as a machine comes that may hold it': ({ driver }) =>
    driver.input({ kind: 'peer', peer: '12D3KooWBbbbbbbbbbbb', state: 'reachable' }),
};
for (const [when, pass] of Object.entries(tries)) {
  it(`reads a plan again that the disk would not give at first, ${when} (promise 2)`, async () => {
    const first = await nodeOfOne({ outputBase: base, work: () => undefined });
    const job = await first.submit({ type: 'echo-sleep', settings: { frames: '1-3', message: '' } });
    await first.stop();
    let reads = 0;
    const blobs = new Proxy(first.blobs, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (property === 'read' && reads++ === 0) {
          return () => Promise.reject(Object.assign(new Error('input/output error'), { code: 'EIO' }));
        }
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
    const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs });
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    assert.equal(second.core.plannedTask(job.id, 0), undefined);
    pass(second);
    for (let turn = 0; turn < 100 && reads < 2; turn++) await settle();
    await settle();
    assert.equal(second.core.plannedTask(job.id, 0)?.name, 'frame 1');
    await second.stop();
  });
}
