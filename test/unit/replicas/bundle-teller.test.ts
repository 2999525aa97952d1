import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobRecord } from '@cuadro/protocol';
import { createBundleTeller } from '../../../node/src/replicas/bundle-teller.ts';

const [SELF, OTHER] = ['12D3KooWAaaaaaaaaaaa', '12D3KooWBbbbbbbbbbbb'] as const;
const held = (...peers: string[]) =>
  Object.fromEntries(peers.map((peer) => [peer, { held: true, counter: 1 }]));
const jobOf = (id: string, bundle: string | undefined, holders: object, more: object = {}): JobRecord =>
  ({
    kind: 'job',
    id,
    spec: { bundle },
    holders: { bundle: holders, plan: {} },
    ...more,
  }) as unknown as JobRecord;

function tellerOf(...jobs: JobRecord[]) {
  const records = new Map(jobs.map((job) => [job.id, job]));
  const told: string[] = [];
  const teller = createBundleTeller({
    mesh: { self: SELF },
    transfer: { announce: (hash) => void told.push(hash) },
    queries: { jobRecord: (id) => records.get(id), jobIds: () => [...records.keys()] },
  });
  const changed = (job: JobRecord): void => {
    records.set(job.id, job);
    teller.changed({ jobs: [job.id], removed: [] });
  };
  return { teller, told, changed, records };
}

describe('the farm is told of bundles', () => {
  it('at a start, of every job whose bundle is held here', async () => {
    const { teller, told } = tellerOf(
      jobOf('a', 'one', held(SELF)),
      jobOf('b', 'two', held(OTHER)),
      jobOf('c', undefined, {}),
      jobOf('d', 'four', held(OTHER, SELF)),
      jobOf('e', 'five', { [SELF]: { held: false, counter: 2 } }),
      jobOf('f', 'six', held(SELF), { deleted: {} }),
    );
    await teller.start();
    assert.deepEqual(told, ['one', 'four']);
  });

  it('once, when a job is submitted here or has come to be held here', async () => {
    const { teller, told, changed } = tellerOf();
    await teller.start();
    changed(jobOf('a', 'one', held(SELF)));
    changed(jobOf('b', 'two', held(OTHER)));
    changed(jobOf('a', 'one', held(SELF, OTHER)));
    assert.deepEqual(told, ['one']);
    changed(jobOf('b', 'two', held(OTHER, SELF)));
    assert.deepEqual(told, ['one', 'two']);
  });
});
