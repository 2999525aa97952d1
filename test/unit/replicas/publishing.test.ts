import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decode,
  encode,
  GOSSIPED_BATCH_BYTES_MAX,
  GOSSIPED_RECORDS_MAX,
  type JobRecord,
  type KnownRecord,
  RecordBytes,
  signJobSpec,
} from '@cuadro/protocol';
import { EARLY_BATCHES, GOSSIP_INTERVAL_MS, WAITING_RECORDS_MAX } from '../../../node/src/replicas/limits.ts';
import { RecordPublisher } from '../../../node/src/replicas/publisher.ts';
import { createRememberingVerify } from '../../../node/src/replicas/remembering-verify.ts';
import { createVerifier, temporaryIdentity } from '../../../node/src/system/identity.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { assertSame, withLab } from './harness.ts';
import { doneTask, doneTasks, jobRecord, JOBS } from './records.ts';

const [JOB] = JOBS as [string];

function publisherOf(reachable: readonly string[] = ['someone']) {
  const clock = new ManualClock();
  const sent: { at: number; bytes: number; records: KnownRecord[] }[] = [];
  const publisher = new RecordPublisher({
    clock,
    bytes: new RecordBytes(),
    mesh: {
      reachable: () => reachable,
      gossip: (_topic, message) => {
        const { records } = decode(message) as { records: Uint8Array[] };
        sent.push({
          at: clock.now(),
          bytes: message.length,
          records: records.map((one) => decode(one) as KnownRecord),
        });
      },
    },
  });
  const publish = (records: readonly KnownRecord[]): void => publisher.publish(records);
  return { clock, sent, publisher, publish };
}

test('R46: batches are at most 32 KiB, at most 10 a second, and hold everything in order', () => {
  const { clock, sent, publish } = publisherOf();
  publish(doneTasks(JOB, 1_500));
  clock.advance(0);
  assert.equal(sent.length, 1, 'The first batch waits for nothing.');
  clock.advance(60_000);
  assert.deepEqual(
    sent.flatMap(({ records }) => records),
    doneTasks(JOB, 1_500),
  );
  const record = encode(doneTask(JOB, 1)).length;
  for (const [i, { at, bytes, records }] of sent.entries()) {
    assert.ok(bytes <= GOSSIPED_BATCH_BYTES_MAX && records.length <= GOSSIPED_RECORDS_MAX, `${bytes} bytes`);
    // A batch before the last has no room for one record more.
    if (i < sent.length - 1) assert.ok(bytes > GOSSIPED_BATCH_BYTES_MAX - record - 20, `${bytes} bytes`);
    assert.equal(at, i * GOSSIP_INTERVAL_MS);
  }
});

test('R46: of the versions of a record that wait, the last is sent, once', () => {
  const { clock, sent, publish } = publisherOf();
  publish([doneTask(JOB, 0)]);
  clock.advance(0);
  publish([doneTask(JOB, 1, 501), doneTask(JOB, 2, 501)]);
  publish([doneTask(JOB, 1, 502)]);
  clock.advance(1_000);
  assert.deepEqual(
    sent.map(({ records }) => records),
    [[doneTask(JOB, 0)], [doneTask(JOB, 1, 502), doneTask(JOB, 2, 501)]],
  );
});

test('R46: a record that is too large is left to exchanges, as is what is too much; the rest goes out', () => {
  const { clock, sent, publish, publisher } = publisherOf();
  const large = jobRecord(JOB, {
    spec: { ...jobRecord(JOB).spec, settings: { text: 'x'.repeat(GOSSIPED_BATCH_BYTES_MAX) } },
  });
  publish([doneTask(JOB, 0), large, doneTask(JOB, 1)]);
  clock.advance(1_000);
  assert.deepEqual(
    sent.map(({ records }) => records),
    [[doneTask(JOB, 0), doneTask(JOB, 1)]],
  );
  assert.equal(publisher.counts.left, 1);
  publish(doneTasks(JOB, WAITING_RECORDS_MAX + 10));
  assert.equal(publisher.waiting, WAITING_RECORDS_MAX);
  assert.equal(publisher.counts.left, 11);
});

test('R46: alone, nothing is kept to be said, and after a stop nothing is said', () => {
  const alone = publisherOf([]);
  alone.publish(doneTasks(JOB, 10));
  assert.equal(alone.publisher.waiting, 0);
  assert.equal(alone.clock.pendingTimers, 0);
  const stopped = publisherOf();
  stopped.publish(doneTasks(JOB, 10));
  stopped.publisher.stop();
  stopped.clock.advance(1_000);
  assert.equal(stopped.sent.length, 0);
});

test('R46: a large record that gossip leaves behind comes by exchange', async () => {
  await withLab(2, {}, async (lab) => {
    const large = jobRecord(JOB, {
      spec: { ...jobRecord(JOB).spec, settings: { text: 'x'.repeat(1_000_000) } },
    });
    lab.at(0).change([large, doneTask(JOB, 1)]);
    await lab.beacons(4);
    assertSame(lab.at(0), lab.at(1));
    assert.equal(lab.at(1).held.size, 2);
  });
});

test('R46: what is held already is not looked at again, and what is gossiped is not passed on by hand', async () => {
  await withLab(3, {}, async (lab) => {
    lab.at(0).change(doneTasks(JOB, 5));
    await lab.pass(100);
    for (const other of [1, 2]) {
      assert.equal(lab.at(other).delivered.length, 5);
      assert.equal(lab.at(other).sync.status().gossip.batches, 0);
    }
    lab.at(1).sync.publish(doneTasks(JOB, 5));
    await lab.pass(100);
    assert.equal(lab.at(0).delivered.length, 0);
    assert.equal(lab.at(2).delivered.length, 5);
  });
});

test('R30: a good signature is remembered, and only for the same words of the same peer', () => {
  const signer = temporaryIdentity();
  const verifier = createVerifier();
  let asked = 0;
  const verify = createRememberingVerify(
    (...words) => {
      asked += 1;
      return verifier(...words);
    },
    { remembered: 4 },
  );
  const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
  const signature = signer.sign(one);
  for (let i = 0; i < 3; i++) assert.equal(verify(signer.peer, one, signature), true);
  assert.equal(asked, 1);
  assert.equal(verify(signer.peer, two, signature), false);
  assert.equal(verify(temporaryIdentity().peer, one, signature), false);
  assert.equal(verify(signer.peer, two, signature), false);
  assert.equal(asked, 4);
  // Others push it out in the end, and then it is asked for again.
  for (let i = 10; i < 20; i++)
    assert.equal(verify(signer.peer, Uint8Array.of(i), signer.sign(Uint8Array.of(i))), true);
  assert.equal(verify(signer.peer, one, signature), true);
  assert.equal(asked, 15);
});

test('R30: records signed by their authors pass, and one whose word was changed does not', async () => {
  const signer = temporaryIdentity();
  const { author: _author, signature: _signature, ...spec } = jobRecord(JOB).spec;
  const good: JobRecord = jobRecord(JOB, { spec: signJobSpec(signer, spec) });
  const bad: JobRecord = { ...good, spec: { ...good.spec, order: 99 } };
  await withLab(2, { verify: createVerifier() }, async (lab) => {
    lab.at(0).change([bad]);
    await lab.pass(100);
    assert.equal(lab.at(1).held.size, 0);
    assert.equal(lab.at(1).sync.status().refused['badly-signed-record']?.count, 1);
    lab.at(0).sync.publish([good]);
    await lab.pass(100);
    assert.deepEqual([...lab.at(1).held.values()], [good]);
  });
});

/** What a farm may gossip in all, less two pulses a second and the claims that change. */
const FARM_MESSAGES_PER_SECOND = 100 - 10;

test('sixteen machines at full load gossip within the budget of a farm, and all come to hold the same', async () => {
  await withLab(16, {}, async (lab) => {
    const originated = (): number =>
      lab.replicas.reduce((sum, { mesh }) => sum + mesh.status().gossip.sent, 0);
    let next = 0;
    /** One second in which every machine ends a task every 50 ms, faster than a batch may go out. */
    const second = async (): Promise<number> => {
      const before = originated();
      for (let step = 0; step < 20; step++) {
        for (const replica of lab.replicas) replica.change([doneTask(JOB, next++)]);
        await lab.clock.advanceSettled(50);
      }
      return originated() - before;
    };
    // In the first moments nobody knows yet how many others have something to say.
    await second();
    for (let seconds = 0; seconds < 2; seconds++) {
      const sent = await second();
      assert.ok(sent <= FARM_MESSAGES_PER_SECOND, `${sent} messages in a second`);
      assert.ok(sent >= 40, `only ${sent} messages in a second: the budget is there to be used`);
    }
    await lab.pass(2_000);
    for (const replica of lab.replicas) assertSame(replica, lab.at(0));
  });
});

test('what people do is told before its turn, and takes turns away from what waits behind it', () => {
  const { clock, sent, publish } = publisherOf();
  const batches = (): number => sent.length;
  publish(doneTasks(JOB, 1_500));
  clock.advance(1);
  assert.equal(batches(), 1);
  publish([jobRecord(JOB)]);
  clock.advance(0);
  assert.equal(batches(), 2, 'A job does not wait behind its frames.');
  assert.equal(sent.at(-1)?.records.at(0)?.kind, 'job');
  for (let change = 1; change <= 100; change++) {
    publish([jobRecord(JOB, { acknowledged: change % 2 === 0 })]);
    clock.advance(GOSSIP_INTERVAL_MS / 10);
  }
  const expected = 1 + (100 * GOSSIP_INTERVAL_MS) / 10 / GOSSIP_INTERVAL_MS + EARLY_BATCHES;
  assert.ok(
    Math.abs(batches() - expected) <= 1,
    `${batches()} batches: in the long run no more than without`,
  );
});

test('a machine whose others have gone quiet has the budget to itself again', () => {
  const { clock, sent, publisher, publish } = publisherOf();
  const others = Array.from({ length: 31 }, (_, index) => `machine ${index}`);
  publish(doneTasks(JOB, 1_500));
  clock.advance(0);
  for (const other of others) publisher.heard(other);
  clock.advance(1_000);
  assert.deepEqual(
    sent.map(({ at }) => at),
    [0, 400, 800],
    'Each of 32 gets 2.5 of 80 messages a second.',
  );
  clock.advance(2_000);
  const before = sent.length;
  publish(doneTasks(JOB, 1_500));
  clock.advance(500);
  assert.equal(sent.length - before, 500 / GOSSIP_INTERVAL_MS);
});
