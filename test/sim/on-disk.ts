import {
  decode,
  type Bundle,
  type Holders,
  type JobRecord,
  type KnownRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import type { Machine } from './machine.ts';

/** What is on the disk of a machine: read past its node. */

/** The head of a stored record: a mark and a sum; what follows is the record. */
export const HEAD_BYTES = 5;

const taskKeyOf = (job: string, index: number): string => `task/${job}/${String(index).padStart(10, '0')}`;

/** Of bytes that were looked at before: what is written is never changed in its place. */
const decoded = new WeakMap<Uint8Array, KnownRecord>();

export function onDisk(machine: Machine, key: string): KnownRecord | undefined {
  const stored = machine.disk.records.records.get(key);
  if (stored === undefined) return undefined;
  const known = decoded.get(stored);
  if (known !== undefined) return known;
  const record = decode(stored.subarray(HEAD_BYTES), Number.POSITIVE_INFINITY) as KnownRecord;
  decoded.set(stored, record);
  return record;
}

export function jobOn(machine: Machine, id: string): JobRecord | undefined {
  const record = onDisk(machine, `job/${id}`);
  return record?.kind === 'job' ? record : undefined;
}

export function taskOn(machine: Machine, id: string, index: number): TaskRecord | undefined {
  const record = onDisk(machine, taskKeyOf(id, index));
  return record?.kind === 'task' ? record : undefined;
}

/** Whether the disk of a machine says that another is to leave, whoever wants that. */
export function knowsThatItIsToLeave(machine: Machine, { peer }: Machine): boolean {
  const record = onDisk(machine, `node/${peer}`);
  return record?.kind === 'node' && record.fields.leaving?.value.wanted === true;
}

/** Whether the disk of a machine says that another was removed, or has left. */
export function knowsThatItIsOut(machine: Machine, { peer }: Machine): boolean {
  const record = onDisk(machine, `member/${peer}`);
  return record?.kind === 'member' && Object.keys(record.removals).length > 0;
}

export const has = (machine: Machine, hash: string): boolean => machine.disk.blobs.contents.has(hash);

export const hadOnce = (machine: Machine, hash: string): boolean => machine.disk.faults.everDamaged.has(hash);

/** Whether a file is there, and its bytes are what was written. */
export const isGood = (machine: Machine, hash: string): boolean =>
  has(machine, hash) && !machine.disk.faults.damaged.has(hash);

/** The plan of a job, or its scene with all that this is made of. */
interface Part {
  readonly files: readonly string[];
  /** Who says that it holds all of them (SPEC R24). */
  readonly holders: Holders;
}

/** What a job that a machine's disk tells of is made of, as far as any of these can say what its scene holds. */
export function partsOf({ spec, holders }: JobRecord, machines: readonly Machine[]): Part[] {
  const plan = { files: [spec.plan], holders: holders.plan };
  const { bundle } = spec;
  if (bundle === undefined) return [plan];
  const tree = machines
    .map(({ disk }) => disk.blobs.contents.get(bundle))
    .find((bytes) => bytes !== undefined);
  const files = tree === undefined ? [] : (decode(tree, Number.POSITIVE_INFINITY) as Bundle).files;
  return [plan, { files: [bundle, ...files.map(({ blob }) => blob)], holders: holders.bundle }];
}

/** All files of such a job. */
export const contentOf = (job: JobRecord, machines: readonly Machine[]): string[] =>
  partsOf(job, machines).flatMap(({ files }) => files);

/** Whether a machine says of a part of a job that it holds it, and does: a file that it only has may go at any time. */
export const holdsPart = (machine: Machine, { files, holders }: Part): boolean =>
  holders[machine.peer]?.held === true && files.every((hash) => isGood(machine, hash));

/** Jobs of which the disk of a machine tells and that nobody deleted. */
export function jobsOn(machine: Machine): JobRecord[] {
  const jobs: JobRecord[] = [];
  for (const key of machine.disk.records.records.keys()) {
    const job = key.startsWith('job/') ? jobOn(machine, key.slice('job/'.length)) : undefined;
    if (job !== undefined && job.deleted === undefined) jobs.push(job);
  }
  return jobs;
}
