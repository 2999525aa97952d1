import { z } from 'zod';
import { checkedBy } from './checked-by.ts';
import { encode } from './codec.ts';
import type { PeerId } from './ids.ts';
import { signatureSchema, type Field } from './fields.ts';
import type {
  Admission,
  Deletion,
  JobRecord,
  JobSpec,
  KnownRecord,
  MemberRecord,
  Removal,
  Signed,
  TaskRequest,
} from './records.ts';
import { admissionKey, requestKey } from './records.ts';

/**
 * Who signs what (SPEC R30). The signature covers the canonical bytes of `[domain, subject, content]`, so that
 * one signed thing can never pass for another. Keys stay with the caller: this module is pure.
 */

/** Signs with the node's own key: Ed25519, 64 bytes. */
export interface Signer {
  readonly peer: PeerId;
  sign(bytes: Uint8Array): Uint8Array;
}

/** Whether `signature` over `bytes` was made by `peer`'s key; never throws. */
export type Verify = (peer: PeerId, bytes: Uint8Array, signature: Uint8Array) => boolean;

type Domain =
  | 'admission'
  | 'removal'
  | 'member-name'
  | 'node-field'
  | 'job-spec'
  | 'job-control'
  | 'request'
  | 'deleted';

function signedBytes(domain: Domain, subject: string, content: object): Uint8Array {
  const { signature: _own, ...rest } = content as Record<string, unknown>;
  return encode([`cuadro/1/${domain}`, subject, rest]);
}

type Unsigned<T extends Signed> = Omit<T, 'author' | 'signature'>;

function sign<T extends Signed>(signer: Signer, domain: Domain, subject: string, content: Unsigned<T>): T {
  const authored = { ...content, author: signer.peer };
  return { ...authored, signature: signer.sign(signedBytes(domain, subject, authored)) } as unknown as T;
}

export const signAdmission = (signer: Signer, peer: PeerId, admission: Unsigned<Admission>): Admission =>
  sign<Admission>(signer, 'admission', peer, admission);
export const signRemoval = (signer: Signer, peer: PeerId, removal: Unsigned<Removal>): Removal =>
  sign<Removal>(signer, 'removal', peer, removal);
export const signJobSpec = (signer: Signer, spec: Unsigned<JobSpec>): JobSpec =>
  sign<JobSpec>(signer, 'job-spec', spec.id, spec);
export const signTaskRequest = (signer: Signer, job: string, request: Unsigned<TaskRequest>): TaskRequest =>
  sign<TaskRequest>(signer, 'request', job, request);
export const signDeletion = (signer: Signer, job: string, deletion: Unsigned<Deletion>): Deletion =>
  sign<Deletion>(signer, 'deleted', job, deletion);

/** A signed write to a field; its counter is the highest seen plus one. */
export function signField<T>(
  signer: Signer,
  domain: 'member-name' | 'node-field' | 'job-control',
  subject: string,
  value: T,
  counter: number,
): Field<T> & { signature: Uint8Array } {
  const field = { value, counter, peer: signer.peer };
  return { ...field, signature: signer.sign(signedBytes(domain, subject, field)) };
}

/** The subject of a field of a record: its owner and its name. */
export const fieldSubject = (owner: string, name: string): string => `${owner}/${name}`;

interface Part {
  peer: PeerId;
  signature: Uint8Array;
  domain: Domain;
  subject: string;
  content: object;
}

/** Stands for what ought to be signed and isn't: a newer version's field may be of any form (SPEC R26, R30). */
const UNSIGNED = undefined;

/**
 * Whether every signature in a record is good; records without signed parts always are. Never throws, whatever a
 * record of the right form holds in places that this version does not know.
 */
export function verifyRecord(record: KnownRecord, verify: Verify): boolean {
  for (const part of signedParts(record)) if (part === UNSIGNED || !isWellSigned(part, verify)) return false;
  return true;
}

function isWellSigned({ peer, signature, domain, subject, content }: Part, verify: Verify): boolean {
  let bytes: Uint8Array;
  try {
    bytes = signedBytes(domain, subject, content);
  } catch {
    // It nests deeper than the encoder can follow, so nobody has signed it.
    return false;
  }
  return verify(peer, bytes, signature);
}

function* signedParts(record: KnownRecord): Generator<Part | undefined> {
  switch (record.kind) {
    case 'farm':
    case 'task':
    case 'diary':
      return;
    case 'member':
      yield* memberParts(record);
      return;
    case 'node':
      yield* fieldParts('node-field', record.peer, record.fields);
      return;
    case 'job':
      yield* jobParts(record);
  }
}

function* memberParts(record: MemberRecord): Generator<Part | undefined> {
  yield fieldPart('member-name', fieldSubject(record.peer, 'name'), record.name);
  for (const [key, admission] of Object.entries(record.admissions)) {
    const author = key === admissionKey(admission) ? admission.author : '';
    yield authored('admission', record.peer, author, admission);
  }
  for (const [author, removal] of Object.entries(record.removals)) {
    yield authored('removal', record.peer, author, removal);
  }
}

function* jobParts(record: JobRecord): Generator<Part | undefined> {
  yield authored('job-spec', record.id, record.spec.author, record.spec);
  yield* fieldParts('job-control', record.id, record.control);
  for (const [key, request] of Object.entries(record.requests)) {
    // The key is not signed, so it must follow from what is: else one request could be filed many times.
    const part = /\.(\d{1,6})\.[^.]+$/.exec(key)?.[1] ?? '';
    const author = key === requestKey({ ...request, part: Number(part) }) ? request.author : '';
    yield authored('request', record.id, author, request);
  }
  if (record.deleted) yield authored('deleted', record.id, record.deleted.author, record.deleted);
}

function* fieldParts(
  domain: Domain,
  owner: string,
  fields: Record<string, unknown>,
): Generator<Part | undefined> {
  for (const [name, field] of Object.entries(fields)) {
    if (field === undefined) continue;
    yield fieldPart(domain, fieldSubject(owner, name), field);
  }
}

/** What every signed field has, also one of a newer version. */
const writtenBy = z.object({ peer: z.string(), signature: signatureSchema });

function fieldPart(domain: Domain, subject: string, field: unknown): Part | undefined {
  const parsed = checkedBy(writtenBy, field);
  if (!parsed.success) return UNSIGNED;
  return { ...parsed.data, domain, subject, content: field as object };
}

/** `author` is the one the map names: a record that files one author's word under another's name is refused. */
function authored(domain: Domain, subject: string, author: PeerId, content: Signed): Part {
  const { signature } = content;
  return { peer: content.author === author ? author : '', signature, domain, subject, content };
}
