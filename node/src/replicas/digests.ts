import { hash } from 'node:crypto';
import {
  compareBuckets,
  compareGroups,
  compareText,
  DIGEST_BYTES,
  placeOf,
  recordDigest,
  TASKS_PER_BUCKET,
  taskKeyAt,
  toggleDigest,
  type BucketName,
  type GroupName,
} from '@cuadro/protocol';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** What nearly all digests are made over fits in here, and has to be there no longer than that takes. */
const input = new Uint8Array(4_096);

/** The digest of a record by its canonical bytes (SPEC R45). */
export function digestOf(key: string, bytes: Uint8Array): Uint8Array {
  const length = key.length + 1 + bytes.length;
  if (length > input.length) return recordDigest(sha256, key, bytes);
  for (let i = 0; i < key.length; i++) input[i] = key.charCodeAt(i);
  input[key.length] = 0;
  input.set(bytes, key.length + 1);
  // As text it comes in half of the time that a buffer of its own would take.
  const sum = hash('sha256', input.subarray(0, length), 'binary');
  const digest = new Uint8Array(DIGEST_BYTES);
  for (let i = 0; i < DIGEST_BYTES; i++) digest[i] = sum.charCodeAt(i);
  return digest;
}

/** 32 lower-case hexadecimal characters, as beacons and pulses carry it. */
export const digestText = (digest: Uint8Array): string =>
  Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('hex');

export function sameDigest(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  for (let i = 0; i < DIGEST_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Slots of a task bucket at first; it doubles, so that a job of few frames costs little. */
const SLOTS_FIRST = 16;

/** A set of records known by their digests: tasks in columns, since a job may have a million. */
abstract class Bucket {
  readonly digest = new Uint8Array(DIGEST_BYTES);
  count = 0;
  /** Puts, replaces or (undefined) removes one; gives back the digest that stood there. */
  abstract set(key: string, slot: number, digest: Uint8Array | undefined): Uint8Array | undefined;
  abstract get(key: string, slot: number): Uint8Array | undefined;
}

class TaskBucket extends Bucket {
  /** Digests by slot; one of zeros is none, which no record has (2^-128). */
  #digests = new Uint8Array(DIGEST_BYTES * SLOTS_FIRST);

  override get(_key: string, slot: number): Uint8Array | undefined {
    const at = slot * DIGEST_BYTES;
    for (let i = at; i < at + DIGEST_BYTES; i++) {
      if ((this.#digests[i] ?? 0) !== 0) return this.#digests.slice(at, at + DIGEST_BYTES);
    }
    return undefined;
  }

  override set(key: string, slot: number, digest: Uint8Array | undefined): Uint8Array | undefined {
    const before = this.get(key, slot);
    if (digest === undefined) {
      if (before !== undefined)
        this.#digests.fill(0, slot * DIGEST_BYTES, slot * DIGEST_BYTES + DIGEST_BYTES);
      return before;
    }
    while (slot * DIGEST_BYTES >= this.#digests.length) {
      const grown = new Uint8Array(this.#digests.length * 2);
      grown.set(this.#digests);
      this.#digests = grown;
    }
    this.#digests.set(digest, slot * DIGEST_BYTES);
    return before;
  }

  /** The slots that hold a record, ascending, and their digests one after the other. */
  entries(): { slots: Uint8Array; digests: Uint8Array } {
    const slots: number[] = [];
    const digests = new Uint8Array(this.count * DIGEST_BYTES);
    for (let slot = 0; slot < TASKS_PER_BUCKET && slots.length < this.count; slot++) {
      const digest = this.get('', slot);
      if (digest === undefined) continue;
      digests.set(digest, slots.length * DIGEST_BYTES);
      slots.push(slot);
    }
    return { slots: Uint8Array.from(slots), digests };
  }
}

class KeyedBucket extends Bucket {
  readonly digests = new Map<string, Uint8Array>();

  override get(key: string): Uint8Array | undefined {
    return this.digests.get(key);
  }

  override set(key: string, _slot: number, digest: Uint8Array | undefined): Uint8Array | undefined {
    const before = this.digests.get(key);
    if (digest === undefined) this.digests.delete(key);
    else this.digests.set(key, Uint8Array.from(digest));
    return before;
  }
}

interface Group {
  readonly digest: Uint8Array;
  readonly buckets: Map<BucketName, TaskBucket | KeyedBucket>;
}

/** What stands in one bucket: `names` as in the messages of the exchange (slots, or keys). */
export interface BucketListing {
  readonly names: Uint8Array | string[];
  readonly digests: Uint8Array;
}

/**
 * The digests of all records that this node holds durably (SPEC R45), kept step by step: a change costs the same
 * whether there are ten records or a million. A record costs 16 to 32 bytes.
 */
export class RecordDigests {
  readonly #root = new Uint8Array(DIGEST_BYTES);
  readonly #groups = new Map<GroupName, Group>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The record is held in this form now, whatever stood there before. */
  put(key: string, digest: Uint8Array): void {
    this.#set(key, digest);
  }

  remove(key: string): void {
    this.#set(key, undefined);
  }

  get(key: string): Uint8Array | undefined {
    const { group, bucket, slot } = placeOf(key);
    return this.#groups
      .get(group)
      ?.buckets.get(bucket)
      ?.get(key, slot ?? 0);
  }

  /** Digest of everything. */
  root(): Uint8Array {
    return this.#root.slice();
  }

  groupDigest(group: GroupName): Uint8Array | undefined {
    return this.#groups.get(group)?.digest.slice();
  }

  /** In the order of an exchange. */
  groups(): GroupName[] {
    return [...this.#groups.keys()].sort(compareGroups);
  }

  /** In the order of an exchange; none of a group that isn't held. */
  buckets(group: GroupName): { bucket: BucketName; count: number; digest: Uint8Array }[] {
    const entries = [...(this.#groups.get(group)?.buckets ?? [])];
    return entries
      .sort(([a], [b]) => compareBuckets(a, b))
      .map(([bucket, { count, digest }]) => ({ bucket, count, digest: digest.slice() }));
  }

  list(group: GroupName, bucket: BucketName): BucketListing {
    const found = this.#groups.get(group)?.buckets.get(bucket);
    if (found instanceof TaskBucket) {
      const { slots, digests } = found.entries();
      return { names: slots, digests };
    }
    const entries = [...(found?.digests ?? [])].sort(([a], [b]) => compareText(a, b));
    return {
      names: entries.map(([key]) => key),
      digests: Uint8Array.from(entries.flatMap(([, digest]) => [...digest])),
    };
  }

  #set(key: string, digest: Uint8Array | undefined): void {
    const { group: name, bucket: bucketName, slot } = placeOf(key);
    let group = this.#groups.get(name);
    let bucket = group?.buckets.get(bucketName);
    if (group === undefined || bucket === undefined) {
      if (digest === undefined) return;
      group ??= { digest: new Uint8Array(DIGEST_BYTES), buckets: new Map() };
      bucket ??= slot === undefined ? new KeyedBucket() : new TaskBucket();
      this.#groups.set(name, group);
      group.buckets.set(bucketName, bucket);
    }
    const before = bucket.set(key, slot ?? 0, digest);
    for (const changed of [before, digest]) {
      if (changed === undefined) continue;
      for (const sum of [bucket.digest, group.digest, this.#root]) toggleDigest(sum, changed);
    }
    const added = Number(digest !== undefined) - Number(before !== undefined);
    bucket.count += added;
    this.#count += added;
    if (bucket.count > 0) return;
    group.buckets.delete(bucketName);
    if (group.buckets.size === 0) this.#groups.delete(name);
  }
}

/** Keys of a listing, in its order. */
export function keysOf(
  group: GroupName,
  bucket: BucketName,
  names: Uint8Array | readonly string[],
): string[] {
  if (typeof bucket !== 'number') return typeof names[0] === 'string' ? [...(names as string[])] : [];
  return Array.from(names as Uint8Array, (slot) => taskKeyAt(group, bucket, slot));
}
