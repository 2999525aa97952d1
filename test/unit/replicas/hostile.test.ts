import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encode,
  recordKey,
  SYNC_FRAME_BYTES_MAX,
  syncAnswerSchema,
  type KnownRecord,
} from '@cuadro/protocol';
import { createVerifier } from '../../../node/src/system/identity.ts';
import type { MeshStream } from '../../../node/src/mesh/interface.ts';
import { digestOf } from '../../../node/src/replicas/digests.ts';
import { FrameStream } from '../../../node/src/replicas/frames.ts';
import { EXCHANGE_MAX_MS, FAULT_PAUSE_MS, FRAME_STALL_MS } from '../../../node/src/replicas/limits.ts';
import { assertSame, withLab, type Lab, type Replica } from './harness.ts';
import { doneTask, doneTasks, jobIdOf, jobRecord, JOBS } from './records.ts';

const [JOB, OTHER_JOB] = JOBS as [string, string, string];
const task = doneTask(JOB, 3);
const bytes = encode(task);
const digest = Uint8Array.from(digestOf(recordKey(task), bytes));
const wrong = new Uint8Array(16).fill(7);

type Answers = (
  request: { kind: string },
  frames: FrameStream,
  stream: MeshStream,
  lab: Lab,
) => Promise<void>;

/** Replica 1 answers as it likes; replica 0 is honest and asks. */
async function againstServer(
  answers: Answers,
  use: (honest: Replica, liar: Replica, lab: Lab) => Promise<void>,
): Promise<void> {
  await withLab(2, {}, async (lab) => {
    const [honest, liar] = [lab.at(0), lab.at(1)];
    liar.mesh.serve('sync', async (stream) => {
      const frames = new FrameStream({ clock: lab.clock, stream });
      for (;;) {
        const request = await frames.read();
        if (request === undefined) return;
        await answers(request as { kind: string }, frames, stream, lab);
      }
    });
    honest.take(doneTasks(OTHER_JOB, 3));
    await use(honest, liar, lab);
  });
}

const groups = { kind: 'groups', root: wrong, groups: [JOB], digests: wrong, last: true };
const buckets = {
  kind: 'buckets',
  lists: [{ group: JOB, buckets: [0], counts: [1], digests: wrong }],
  last: true,
};
const keys = {
  kind: 'keys',
  lists: [{ group: JOB, bucket: 0, names: Uint8Array.of(3), digests: digest }],
  last: true,
};
const records = { kind: 'records', records: [bytes], moved: 0, last: true };
/** What an honest one would say; cases replace one answer. */
const honestly: Record<string, object> = {
  hello: groups,
  'ask-buckets': buckets,
  'ask-keys': keys,
  pull: records,
  push: { kind: 'taken', refused: 0 },
};

test('R49: a server that answers as it should is no liar', async () => {
  await againstServer(
    (request, frames) =>
      request.kind === 'push' && (request as { last?: boolean }).last !== true
        ? Promise.resolve()
        : frames.write(honestly[request.kind] ?? {}),
    async (honest, liar) => {
      const outcome = await honest.sync.syncWith(liar.peer);
      assert.deepEqual(outcome, { kind: 'exchanged', pulled: 1, pushed: 3, news: 4, moved: 0 });
      assert.deepEqual(honest.held.get(recordKey(task)), task);
    },
  );
});

const two = (first: string, second: string) => ({
  ...groups,
  groups: [first, second],
  digests: new Uint8Array(32).fill(7),
});
const noRecord = encode({ not: 'a record' });
const unsorted = Uint8Array.from([0xa2, 0x61, 0x62, 1, 0x61, 0x61, 2]);
const LIES: readonly (readonly [what: string, on: string, answer: object, reason: string])[] = [
  ['garbage for a message', 'hello', { kind: 'rubbish' }, 'malformed-frame'],
  ['an answer to another question', 'hello', keys, 'unexpected-frame'],
  ['busy in the middle', 'ask-keys', { kind: 'busy' }, 'unexpected-frame'],
  ['groups out of order', 'hello', two(OTHER_JOB, JOB), 'out-of-order'],
  ['a group twice', 'hello', two(JOB, JOB), 'out-of-order'],
  ['fewer digests than groups', 'hello', { ...groups, digests: new Uint8Array(0) }, 'malformed-frame'],
  [
    'an empty page that is not the last',
    'hello',
    { ...groups, groups: [], digests: new Uint8Array(0), last: false },
    'endless-list',
  ],
  [
    'buckets of a group that nobody asked for',
    'ask-buckets',
    { ...buckets, lists: [{ ...buckets.lists[0], group: JOBS[2] }] },
    'not-asked',
  ],
  [
    'a bucket that cannot be in a job',
    'ask-buckets',
    { ...buckets, lists: [{ ...buckets.lists[0], buckets: ['other'] }] },
    'not-asked',
  ],
  ['buckets for ever', 'ask-buckets', { ...buckets, lists: [], last: false }, 'endless-list'],
  ['keys of another bucket', 'ask-keys', { ...keys, lists: [{ ...keys.lists[0], bucket: 1 }] }, 'not-asked'],
  [
    'slots out of order',
    'ask-keys',
    { ...keys, lists: [{ group: JOB, bucket: 0, names: Uint8Array.of(3, 3), digests: new Uint8Array(32) }] },
    'out-of-order',
  ],
  [
    'whole keys where slots stand',
    'ask-keys',
    { ...keys, lists: [{ ...keys.lists[0], names: ['x'] }] },
    'malformed-frame',
  ],
  [
    'a record of another digest',
    'pull',
    { ...records, records: [encode(doneTask(JOB, 3, 666))] },
    'wrong-digest',
  ],
  [
    'a record that nobody asked for',
    'pull',
    { ...records, records: [encode(doneTask(JOB, 4))] },
    'not-asked',
  ],
  ['more records than asked for', 'pull', { ...records, records: [bytes, bytes] }, 'not-asked'],
  ['the same record again as moved', 'pull', { ...records, moved: 1 }, 'not-asked'],
  [
    'bytes that are no CBOR',
    'pull',
    { ...records, records: [Uint8Array.of(0xff, 0x00)] },
    'malformed-record',
  ],
  ['records for ever', 'pull', { ...records, records: [], last: false }, 'endless-list'],
];

for (const [what, on, answer, reason] of LIES) {
  test(`R49: ${what} ends the exchange, is counted and named, and the liar is left alone`, async () => {
    await againstServer(
      (request, frames) => frames.write(request.kind === on ? answer : (honestly[request.kind] ?? {})),
      async (honest, liar, lab) => {
        assert.deepEqual(await honest.sync.syncWith(liar.peer), { kind: 'fault', reason });
        assert.deepEqual(honest.sync.status().refused, { [reason]: { count: 1, peer: liar.peer } });
        assert.equal(honest.held.size, 3);
        honest.sync.heardRoot(liar.peer, '0'.repeat(32));
        await lab.pass(FAULT_PAUSE_MS - 1_000);
        assert.deepEqual(await honest.sync.syncWith(liar.peer), { kind: 'failed', reason: 'left-alone' });
        assert.equal(honest.sync.status().exchanges.fault, 1);
        await lab.pass(1_100);
        await lab.until(() => honest.sync.status().exchanges.fault === 2);
      },
    );
  });
}

test('R26 R49: records of an unknown kind, or badly signed, are left out; others of the same exchange come in', async () => {
  const unknown = [noRecord, encode({ ...task, results: 'none' })];
  await againstServer(
    (request, frames) =>
      frames.write(
        request.kind === 'ask-keys'
          ? {
              ...keys,
              lists: [
                {
                  ...keys.lists[0],
                  names: Uint8Array.of(2, 3, 4),
                  digests: Uint8Array.from([...wrong, ...digest, ...wrong]),
                },
              ],
            }
          : request.kind === 'pull'
            ? { ...records, records: [...unknown, bytes] }
            : (honestly[request.kind] ?? {}),
      ),
    async (honest, liar) => {
      const outcome = await honest.sync.syncWith(liar.peer);
      assert.equal(outcome.kind === 'exchanged' && outcome.pulled, 1);
      assert.deepEqual(honest.sync.status().refused, { 'unknown-record': { count: 2, peer: liar.peer } });
      assert.ok(honest.held.has(recordKey(task)));
    },
  );
});

test('R49: a listing that never ends is left at the bound', async () => {
  // Ascending jobs for ever: each page is in order and brings something.
  let next = 0;
  const page = () => {
    const listed = Array.from({ length: 4_000 }, () => jobIdOf(next++));
    return { ...groups, groups: listed, digests: new Uint8Array(16 * listed.length).fill(9), last: false };
  };
  await againstServer(
    async (_request, frames) => {
      for (;;) await frames.write(page());
    },
    async (honest, liar) => {
      assert.deepEqual(await honest.sync.syncWith(liar.peer), { kind: 'fault', reason: 'endless-list' });
      assert.ok(next < 300_000, `${next} groups were taken`);
    },
  );
});

test('R49: a frame that is too large is refused by its length alone', async () => {
  await againstServer(
    async (_request, _frames, stream) => {
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, SYNC_FRAME_BYTES_MAX + 1);
      await stream.write(head);
    },
    async (honest, liar) => {
      assert.deepEqual(await honest.sync.syncWith(liar.peer), { kind: 'fault', reason: 'frame-too-large' });
    },
  );
});

test('R49: who says nothing is given up after a time, and who always says something as well', async () => {
  await againstServer(
    () => Promise.resolve(),
    async (honest, liar, lab) => {
      const outcome = honest.sync.syncWith(liar.peer);
      await lab.pass(FRAME_STALL_MS + 100, 1_000);
      assert.deepEqual(await outcome, { kind: 'failed', reason: 'exchange-stalled' });
    },
  );
  let job = 0;
  await againstServer(
    async (_request, frames, _stream, lab) => {
      // One more group each 10 s.
      for (;;) {
        job += 1;
        await frames.write({ ...groups, groups: [jobIdOf(job)], last: false });
        await lab.clock.sleep(10_000);
      }
    },
    async (honest, liar, lab) => {
      const outcome = honest.sync.syncWith(liar.peer);
      await lab.pass(EXCHANGE_MAX_MS + 10_000, 1_000);
      assert.equal((await outcome).kind, 'failed');
    },
  );
});

/** Replica 1 opens and says what it likes; replica 0 is honest and serves. Gives back what was answered to the last. */
async function asOpener(
  messages: readonly unknown[],
  use: (honest: Replica, liar: Replica, lab: Lab, answers: unknown[]) => Promise<void> | void,
): Promise<void> {
  await withLab(2, { verify: createVerifier() }, async (lab) => {
    const [honest, liar] = [lab.at(0), lab.at(1)];
    honest.take(doneTasks(JOB, 5));
    const stream = await liar.mesh.open(honest.peer, 'sync');
    const frames = new FrameStream({ clock: lab.clock, stream });
    const answers: unknown[] = [];
    try {
      for (const message of messages) await frames.write(message as object);
      for (;;) answers.push(await frames.read());
    } catch {
      // The honest one has cut the stream.
    }
    await use(honest, liar, lab, answers);
  });
}

const push = (pushed: readonly Uint8Array[]) => ({ kind: 'push', records: pushed, last: true });
const PUSHES: readonly (readonly [what: string, messages: readonly unknown[], reason: string])[] = [
  ['garbage', [{ kind: 'rubbish' }], 'malformed-frame'],
  ['a question without a kind', [{}], 'malformed-frame'],
  ['bytes that are no record', [push([Uint8Array.of(0xff)])], 'malformed-record'],
  ['a record whose bytes are not canonical', [push([reordered(bytes)])], 'malformed-record'],
  ['many records of no use', [push(Array.from({ length: 20 }, () => noRecord))], 'too-many-bad-records'],
  [
    'unsigned jobs',
    [push(Array.from({ length: 20 }, () => encode(jobRecord(OTHER_JOB))))],
    'too-many-bad-records',
  ],
  [
    'more wants than a page has',
    [
      {
        kind: 'pull',
        wants: Array.from({ length: 20 }, (_, bucket) => ({
          group: JOB,
          bucket,
          names: Uint8Array.from({ length: 256 }, (_, i) => i),
          digests: new Uint8Array(4_096),
        })),
      },
    ],
    'malformed-frame',
  ],
];
for (const [what, messages, reason] of PUSHES) {
  test(`R49: an opener that sends ${what} is cut off, counted and named, and answered busy for a time`, async () => {
    await asOpener(messages, async (honest, liar, lab) => {
      assert.equal(honest.sync.status().refused[reason]?.peer, liar.peer);
      assert.equal(honest.held.size, 5);
      assert.equal((await liar.sync.syncWith(honest.peer)).kind, 'busy');
      await lab.pass(FAULT_PAUSE_MS + 100);
      await liar.sync.syncWith(honest.peer);
      assertSame(honest, liar);
    });
  });
}

/** The same map with two of its entries in another order: well-formed CBOR, and not canonical. */
function reordered(canonical: Uint8Array): Uint8Array {
  // A map of seven; its first entry is `job`, of 1 + 3 + 1 + 16 bytes.
  const entry = canonical.subarray(1, 22);
  const rest = canonical.subarray(22);
  return Uint8Array.from([canonical[0] as number, ...rest, ...entry]);
}

test('R4 R46: gossip of no use is dropped and counted, whatever it is, and the good of a batch comes in', async () => {
  await withLab(2, { verify: createVerifier() }, async (lab) => {
    const [honest, liar] = [lab.at(0), lab.at(1)];
    const deep = Uint8Array.from([...new Uint8Array(30_000).fill(0x81), 0x00]);
    const nothings: Uint8Array[] = [
      Uint8Array.of(0xff),
      encode({ kind: 'records' }),
      encode({ kind: 'records', records: [new Uint8Array(0)] }),
      encode({ kind: 'records', records: [new Uint8Array(60_000)] }),
      deep,
    ];
    for (const nothing of nothings) liar.mesh.gossip('records', nothing);
    const unsignedField = { kind: 'node', peer: liar.peer, fields: { future: null } };
    const one = (record: unknown) => encode({ kind: 'records', records: [encode(record), bytes] });
    liar.mesh.gossip('records', one(jobRecord(JOB)));
    liar.mesh.gossip('records', one(unsignedField));
    liar.mesh.gossip('records', one({ kind: 'lamp', id: 7 }));
    liar.mesh.gossip('records', encode({ kind: 'records', records: [unsorted, reordered(bytes), bytes] }));
    await lab.until(() => honest.held.size === 1);
    await lab.pass(50);
    const { refused } = honest.sync.status();
    assert.equal(refused['malformed-gossip']?.count, 5);
    assert.equal(refused['badly-signed-record']?.count, 2);
    assert.equal(refused['unknown-record']?.count, 2);
    assert.equal(refused['malformed-record']?.count, 1);
    for (const { peer } of Object.values(refused)) assert.equal(peer, liar.peer);
    assert.deepEqual([...honest.held.values()], [task] satisfies KnownRecord[]);
  });
});

test('R49: every answer of an honest node has the form that is asked for', async () => {
  const asked = [
    { kind: 'hello', root: wrong },
    { kind: 'ask-buckets', groups: [JOB, OTHER_JOB, JOB] },
    {
      kind: 'ask-keys',
      buckets: [
        { group: JOB, bucket: 0 },
        { group: JOB, bucket: 9 },
        { group: 'other', bucket: 'other' },
      ],
    },
    {
      kind: 'pull',
      wants: [
        { group: JOB, bucket: 0, names: Uint8Array.of(0, 1), digests: new Uint8Array(16) },
        { group: 'other', bucket: 'other', names: ['x'], digests: wrong },
      ],
    },
  ];
  await withLab(2, {}, async (lab) => {
    lab.at(0).take(doneTasks(JOB, 5));
    const stream = await lab.at(1).mesh.open(lab.at(0).peer, 'sync');
    const frames = new FrameStream({ clock: lab.clock, stream });
    const kinds: string[] = [];
    for (const question of asked) {
      await frames.write(question);
      const answer = syncAnswerSchema.parse(await frames.read());
      kinds.push(answer.kind);
      if (answer.kind === 'records') assert.deepEqual([answer.records.length, answer.moved], [0, 3]);
    }
    assert.deepEqual(kinds, ['groups', 'buckets', 'keys', 'records']);
    await stream.end();
  });
});
