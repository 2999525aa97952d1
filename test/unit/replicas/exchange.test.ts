import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode, knownRecordSchema, recordKey, SYNC_PAGE_BYTES, type KnownRecord } from '@cuadro/protocol';
import { PAGES_STORING_MAX } from '../../../node/src/replicas/limits.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { assertSame, withLab } from './harness.ts';
import { anyRecord, doneTask, doneTasks, jobIdOf, jobRecord, JOBS, tombstone } from './records.ts';

const [JOB, OTHER_JOB] = JOBS as [string, string, string];

test('R48: replicas that hold anything at all hold the same after one exchange, whoever opens it', async () => {
  const records = fc.array(anyRecord, { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(records, records, fc.nat({ max: 1 }), async (left, right, opener) => {
      await withLab(2, {}, async (lab) => {
        lab.at(0).take(left);
        lab.at(1).take(right);
        const outcome = await lab.at(opener).sync.syncWith(lab.at(1 - opener).peer);
        assertSame(lab.at(0), lab.at(1));
        assert.ok(outcome.kind === 'equal' || outcome.kind === 'exchanged', outcome.kind);
      });
    }),
    { numRuns: 100 },
  );
});

test('R20: changes gossiped in any order, lost and repeated, end in the same records everywhere', async () => {
  const change = fc.record({
    at: fc.nat({ max: 2 }),
    records: fc.array(anyRecord, { minLength: 1, maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.integer(), async (changes, seed) => {
      await withLab(3, {}, async (lab) => {
        let random = seed;
        lab.network.dropGossip(() => {
          random = (Math.imul(random, 1_103_515_245) + 12_345) | 0;
          return (random & 0x30000) === 0;
        });
        for (const { at, records } of changes) {
          lab.at(at).change(records);
          // Said again later, in another order, as a node does that was asked for it twice.
          lab
            .at(at)
            .sync.publish(
              [...records].reverse().map((record) => lab.at(at).held.get(recordKey(record)) ?? record),
            );
          if (seed % 2 === 0) await lab.pass(50);
        }
        await lab.beacons(5);
        for (const other of [1, 2]) assertSame(lab.at(other), lab.at(0));
      });
    }),
    { numRuns: 25 },
  );
});

test('R48: a newcomer gets 10,000 records in one exchange, and gives its own', async () => {
  const all: KnownRecord[] = [jobRecord(JOB), ...doneTasks(JOB, 10_000)];
  await withLab(2, { fill: (replica, i) => i === 0 && replica.take(all) }, async (lab) => {
    lab.at(1).take([jobRecord(OTHER_JOB), ...doneTasks(OTHER_JOB, 3)]);
    const outcome = await lab.at(1).sync.syncWith(lab.at(0).peer);
    assert.deepEqual(outcome, { kind: 'exchanged', pulled: 10_001, pushed: 4, news: 10_005, moved: 0 });
    assertSame(lab.at(1), lab.at(0));
  });
});

for (const differences of [1, 5, 50]) {
  test(`R48: ${differences} differences among 10,000 records cost in proportion`, async () => {
    const all: KnownRecord[] = [jobRecord(JOB), ...doneTasks(JOB, 10_000)];
    const jobs = Array.from({ length: 100 }, (_, i) => jobRecord(jobIdOf(i)));
    await withLab(2, { fill: (replica) => replica.take([...all, ...jobs]) }, async (lab) => {
      // Half of them newer here, half there, and far apart: each in a bucket of its own while there are enough.
      const changed = Array.from({ length: differences }, (_, i) => doneTask(JOB, (i * 197) % 10_000, 700));
      for (const [i, task] of changed.entries()) lab.at(i % 2).take([task]);
      const outcome = await lab.at(0).sync.syncWith(lab.at(1).peer);
      assert.ok(outcome.kind === 'exchanged');
      assert.equal(outcome.news, differences);
      assert.ok(outcome.pulled <= differences && outcome.pushed <= differences, JSON.stringify(outcome));
      assert.equal(lab.at(0).sync.root(), lab.at(1).sync.root());
      const { sent, received } = lab.at(0).sync.status().bytes;
      const record = encode(doneTask(JOB, 1)).length;
      // All buckets of one job once, at most one listing of 256 and two versions for each difference; 8 MB are held.
      const bound = 4_000 + 40 * 24 + 100 * 36 + differences * (256 * 17 + 2 * (record + 200) + 100);
      assert.ok(sent + received <= bound, `${sent + received} bytes, the bound is ${bound}`);
    });
  });
}

test('R34: a tombstone on either side absorbs the tasks, and none of them travels', async () => {
  for (const buried of [0, 1]) {
    await withLab(
      2,
      { fill: (replica) => replica.take([jobRecord(JOB), ...doneTasks(JOB, 600)]) },
      async (lab) => {
        lab.at(1 - buried).take(doneTasks(JOB, 300, 600));
        lab.at(buried).take([tombstone(JOB)]);
        const outcome = await lab.at(0).sync.syncWith(lab.at(1).peer);
        assert.ok(outcome.kind === 'exchanged');
        assert.deepEqual(
          { pulled: outcome.pulled, pushed: outcome.pushed },
          buried === 0 ? { pulled: 1, pushed: 1 } : { pulled: 1, pushed: 0 },
        );
        assert.deepEqual([...lab.at(0).held.keys()], [`job/${JOB}`]);
        assertSame(lab.at(1), lab.at(0));
        const { sent, received } = lab.at(0).sync.status().bytes;
        assert.ok(sent + received < 8_000, `${sent + received} bytes`);
      },
    );
  }
});

test('R26: what this version does not know is kept at any depth, and the roots agree', async () => {
  const task = doneTask(JOB, 1) as unknown as { results: Record<string, { attempt: object }> };
  const [result] = Object.values(task.results);
  assert.ok(result);
  result.attempt = { ...result.attempt, leap: { of: 'a newer version' } };
  const record = task as unknown as KnownRecord;
  assert.ok(knownRecordSchema.safeParse(record).success);
  await withLab(2, {}, async (lab) => {
    lab.at(0).take([record]);
    await lab.at(1).sync.syncWith(lab.at(0).peer);
    assertSame(lab.at(1), lab.at(0));
  });
});

test('R49: a record that changed after it was listed is left out, and comes with the next exchange', async () => {
  await withLab(2, {}, async (lab) => {
    const [one, other] = [lab.at(0), lab.at(1)];
    one.take([jobRecord(JOB), ...doneTasks(JOB, 20)]);
    // Merged and not yet durable: the digests still have the old version.
    const newer = doneTask(JOB, 7, 901);
    one.held.set(recordKey(newer), newer);
    const outcome = await other.sync.syncWith(one.peer);
    assert.deepEqual(outcome, { kind: 'exchanged', pulled: 20, pushed: 0, news: 20, moved: 1 });
    one.sync.persisted([newer], []);
    assert.deepEqual(await other.sync.syncWith(one.peer), {
      kind: 'exchanged',
      pulled: 1,
      pushed: 0,
      news: 1,
      moved: 0,
    });
    assertSame(other, one);
  });
});

test('R49: a record is pushed only as it is durable', async () => {
  await withLab(2, {}, async (lab) => {
    const [one, other] = [lab.at(0), lab.at(1)];
    one.take([jobRecord(JOB), ...doneTasks(JOB, 20)]);
    // Merged and not yet durable: if its disk fails now, this machine never held it.
    const newer = doneTask(JOB, 7, 901);
    one.held.set(recordKey(newer), newer);
    const outcome = await one.sync.syncWith(other.peer);
    assert.equal(outcome.kind === 'exchanged' && outcome.pushed, 20);
    assert.equal(other.held.get(recordKey(newer)), undefined);
    one.sync.persisted([newer], []);
    await one.sync.syncWith(other.peer);
    assertSame(other, one);
  });
});

test('R47: two that open at once have one exchange, and both have everything', async () => {
  await withLab(2, {}, async (lab) => {
    lab.at(0).take(doneTasks(JOB, 500));
    lab.at(1).take(doneTasks(OTHER_JOB, 500));
    const lower = lab.at(0).peer < lab.at(1).peer ? 0 : 1;
    const [one, other] = [lab.at(lower), lab.at(1 - lower)];
    const outcomes = await Promise.all([
      one.sync.syncWith(other.peer),
      other.sync.syncWith(one.peer).then((outcome) => {
        assertSame(one, other);
        return outcome;
      }),
      other.sync.syncWith(one.peer),
    ]);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['exchanged', 'busy', 'busy'],
    );
    assert.equal(one.sync.status().exchanges.exchanged, 1);
    assert.equal(other.sync.status().exchanges.exchanged, 0);
  });
});

test('an exchange that is cut fails, and the next one brings the rest', async () => {
  await withLab(2, {}, async (lab) => {
    const [one, other] = [lab.at(0), lab.at(1)];
    one.take(doneTasks(JOB, 5_000));
    const exchange = other.sync.syncWith(one.peer);
    await lab.until(() => other.held.size > 100);
    lab.network.reset(one.peer, other.peer);
    const outcome = await exchange;
    assert.equal(outcome.kind, 'failed');
    assert.ok(other.held.size < 5_000);
    await lab.until(() => other.mesh.reachable().length === 1);
    await lab.beacons(5);
    assertSame(other, one);
  });
});

test('giving up a wait ends no exchange, and stopping ends them all', async () => {
  await withLab(2, {}, async (lab) => {
    const [one, other] = [lab.at(0), lab.at(1)];
    one.take(doneTasks(JOB, 2_000));
    const controller = new AbortController();
    const given = other.sync.syncWith(one.peer, { signal: controller.signal });
    const kept = other.sync.syncWith(one.peer);
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(given, reason);
    assert.equal((await kept).kind, 'exchanged');
    one.take(doneTasks(OTHER_JOB, 2_000));
    const last = other.sync.syncWith(one.peer);
    await lab.until(() => other.held.size > 2_100);
    await other.sync.stop();
    assert.equal((await last).kind, 'failed');
    assert.deepEqual(await other.sync.syncWith(one.peer), { kind: 'failed', reason: 'sync-stopped' });
  });
});

test('R48: equal replicas part after one question', async () => {
  const all = [jobRecord(JOB), ...doneTasks(JOB, 1_000)];
  await withLab(2, { fill: (replica) => replica.take(all) }, async (lab) => {
    const before = lab.at(0).sync.status().bytes;
    assert.deepEqual(await lab.at(0).sync.syncWith(lab.at(1).peer), { kind: 'equal' });
    const after = lab.at(0).sync.status().bytes;
    assert.ok(after.sent + after.received - before.sent - before.received < 200);
  });
});

for (const [who, opener] of [
  ['pulls', 1],
  ['is pushed to', 0],
] as const) {
  test(`who ${who} and has a slow disk takes no more than it can store`, async () => {
    await withLab(2, {}, async (lab) => {
      const [full, slow] = [lab.at(0), lab.at(1)];
      full.take(doneTasks(JOB, 5_000));
      const disk = Promise.withResolvers<void>();
      slow.disk = disk.promise;
      const exchange = lab.at(opener).sync.syncWith(lab.at(1 - opener).peer);
      try {
        await lab.until(() => slow.delivered.length > 0);
        for (let turn = 0; turn < 500; turn++) await nextTurn();
        const pageRecords = SYNC_PAGE_BYTES / encode(doneTask(JOB, 1)).length;
        assert.ok(
          slow.delivered.length <= (PAGES_STORING_MAX + 1) * pageRecords,
          `${slow.delivered.length} records`,
        );
      } finally {
        disk.resolve();
      }
      assert.equal((await exchange).kind, 'exchanged');
      assertSame(full, slow);
    });
  });
}

test('R130: what one learned by an exchange goes on from member to member, though no root is told', async () => {
  await withLab(6, {}, async (lab) => {
    const before = lab.opened();
    // Stored and not gossiped, as by one whose network was cut.
    lab.at(0).take([jobRecord(JOB), ...doneTasks(JOB, 20)]);
    await lab.at(1).sync.syncWith(lab.at(0).peer);
    assert.equal(lab.at(2).held.size, 0);
    await lab.pass(5_000);
    for (const other of lab.replicas) assertSame(lab.at(0), other);
    const opened = lab.opened();
    assert.ok(opened - before <= 1 + 4 * 6, `${opened - before} exchanges`);
    await lab.pass(10_000);
    assert.equal(lab.opened(), opened, 'and it ends');
  });
});

test('R130: what one was asked to hold goes on as well, by one that says it to nobody else', async () => {
  await withLab(4, {}, async (lab) => {
    lab.at(1).take([jobRecord(JOB)]);
    await lab.pass(5_000);
    assert.equal(lab.at(2).held.size, 0);
    lab.at(1).sync.learned(lab.at(0).peer);
    await lab.pass(5_000);
    for (const other of lab.replicas) assertSame(lab.at(1), other);
  });
});

test('R130: while records change all the time nobody asks others what gossip is about to bring', async () => {
  await withLab(4, {}, async (lab) => {
    const before = lab.opened();
    lab.at(0).take([jobRecord(JOB)]);
    await lab.at(1).sync.syncWith(lab.at(0).peer);
    for (let index = 0; index < 20; index++) {
      lab.at(1).change([doneTask(JOB, index)]);
      await lab.pass(500);
    }
    assert.equal(lab.opened() - before, 1);
    await lab.pass(5_000);
    for (const other of lab.replicas) assertSame(lab.at(1), other);
  });
});
