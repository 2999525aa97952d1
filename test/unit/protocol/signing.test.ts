import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, verify as verifyBytes, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import {
  fieldSubject,
  requestKey,
  signAdmission,
  signDeletion,
  signField,
  signJobSpec,
  signRemoval,
  signTaskRequest,
  verifyRecord,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
  type NodeRecord,
  type Signer,
  type TaskRequest,
  type Verify,
} from '@cuadro/protocol';
import { JOB, PEERS } from './arbitraries.ts';

const [ANA, BELEN] = PEERS as [string, string];
const OTHER_JOB = 'eeeeeeeeeeeeeeee';
const keys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>(
  [ANA, BELEN].map((peer) => [peer, generateKeyPairSync('ed25519')]),
);
const signerOf = (peer: string): Signer => ({
  peer,
  sign: (bytes) => new Uint8Array(sign(null, bytes, keys.get(peer)?.privateKey as KeyObject)),
});
const verify: Verify = (peer, bytes, signature) => {
  const key = keys.get(peer)?.publicKey;
  return key !== undefined && verifyBytes(null, bytes, key, signature);
};
const ana = signerOf(ANA);

const request = (kind: 'redo' | 'retry'): TaskRequest =>
  signTaskRequest(ana, JOB, {
    kind,
    level: 1,
    tasks: [{ start: 0, end: 3, step: 1 }],
    newest: { epoch: { term: 1, peer: ANA }, sequence: 1 },
    wallTime: 5,
  });

function job(): JobRecord {
  return {
    kind: 'job',
    id: JOB,
    spec: signJobSpec(ana, {
      id: JOB,
      name: 'film',
      type: 'echo-sleep',
      settings: { frames: '1-3', nested: { deep: [1, 2] } },
      plan: '0'.repeat(64),
      tasks: 3,
      order: 1,
      after: [],
      outputFolder: '/out',
      wallTime: 5,
    }),
    control: {
      desired: signField(ana, 'job-control', fieldSubject(JOB, 'desired'), 'paused' as const, 1),
      priority: signField(ana, 'job-control', fieldSubject(JOB, 'priority'), 60, 1),
    },
    requests: { [requestKey(request('redo'))]: request('redo') },
    holders: { bundle: {}, plan: {} },
    acknowledged: true,
    deleted: signDeletion(ana, JOB, { wallTime: 5 }),
  };
}

const member = (): MemberRecord => ({
  kind: 'member',
  peer: BELEN,
  name: signField(ana, 'member-name', fieldSubject(BELEN, 'name'), 'Belén', 1),
  admissions: { [ANA]: signAdmission(ana, BELEN, { role: 'artist', wallTime: 5 }) },
  removals: { [ANA]: signRemoval(ana, BELEN, { reason: 'left', wallTime: 5 }) },
});

const node = (): NodeRecord => ({
  kind: 'node',
  peer: BELEN,
  fields: {
    desired: signField(ana, 'node-field', fieldSubject(BELEN, 'desired'), 'paused' as const, 1),
    tags: signField(ana, 'node-field', fieldSubject(BELEN, 'tags'), ['gpu'], 1),
  },
});

const RECORDS: Record<string, () => KnownRecord> = { job, member, node };

/** Every way to change one leaf of a value, as a path and a changed copy. */
function* tamperings(
  value: unknown,
  path: string[] = [],
): Generator<{ path: string[]; make: () => unknown }> {
  if (value instanceof Uint8Array) {
    yield { path, make: () => value.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) };
  } else if (Array.isArray(value)) {
    yield { path, make: () => [...value, 1] };
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      for (const { path: at, make } of tamperings(inner, [...path, key])) {
        yield { path: at, make: () => ({ ...value, [key]: make() }) };
      }
    }
    yield { path: [...path, '+'], make: () => ({ ...value, added: 1 }) };
  } else if (typeof value === 'number') yield { path, make: () => value + 1 };
  else if (typeof value === 'string') {
    yield { path, make: () => (value === ANA ? BELEN : value === BELEN ? ANA : `${value}x`) };
  }
}

/** Parts that nobody signs: who holds what, and what derives from it. */
const UNSIGNED =
  /^(kind|holders|acknowledged|\+|control\.\+|fields\.\+|requests\.\+|admissions\.\+|removals\.\+)/;

for (const [name, make] of Object.entries(RECORDS)) {
  test(`R30: a ${name} record as signed is good, and any changed signed value is refused`, () => {
    const record = make();
    assert.ok(verifyRecord(record, verify));
    let tried = 0;
    for (const { path, make: tampered } of tamperings(record)) {
      if (UNSIGNED.test(path.join('.'))) continue;
      tried++;
      assert.equal(verifyRecord(tampered() as KnownRecord, verify), false, `${path.join('.')} was changed`);
    }
    assert.ok(tried >= 8);
  });
}

test('R30: nothing signed passes for another thing or in another place', () => {
  const good = job();
  const { desired, priority } = good.control;
  const swapped: KnownRecord[] = [
    // A field under another name.
    { ...good, control: { desired: priority as never } },
    // A control of another job.
    {
      ...good,
      control: { desired: signField(ana, 'job-control', fieldSubject(OTHER_JOB, 'desired'), 'paused', 1) },
    },
    // A node's field as a job's.
    {
      ...good,
      control: { desired: signField(ana, 'node-field', fieldSubject(JOB, 'desired'), 'paused', 1) },
    },
    // A deletion of another job, and a request's signature as a deletion's.
    { ...good, deleted: signDeletion(ana, OTHER_JOB, { wallTime: 5 }) },
    { ...good, deleted: { ...good.deleted, signature: request('redo').signature } as never },
    // A whole spec under another id.
    { ...good, id: OTHER_JOB },
    // A removal as an admission, and one author's admission as another's.
    { ...member(), admissions: { [ANA]: member().removals[ANA] as never } },
    { ...member(), admissions: { [BELEN]: member().admissions[ANA] as never } },
    // An admission of one peer for another.
    { ...member(), peer: ANA },
    // A machine's field for another machine.
    { ...node(), peer: ANA },
    // One request filed under further keys.
    { ...good, requests: { ...good.requests, [`redo.1.x.${ANA}`]: request('redo') } },
    { ...good, requests: { [`retry.1.0.${ANA}`]: request('redo') } },
  ];
  assert.ok(desired && verifyRecord(good, verify));
  for (const [i, record] of swapped.entries()) assert.equal(verifyRecord(record, verify), false, `case ${i}`);
});

test('R33: parts of one request are filed by number', () => {
  const parts = [0, 1, 17].map(
    (part) => [requestKey({ ...request('redo'), part }), request('redo')] as const,
  );
  assert.ok(verifyRecord({ ...job(), requests: Object.fromEntries(parts) }, verify));
});
