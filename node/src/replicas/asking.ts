import {
  checkedBy,
  compareBuckets,
  compareGroups,
  compareText,
  DIGEST_BYTES,
  SYNC_GROUPS_MAX,
  SYNC_RECORDS_MAX,
  syncAnswerSchema,
  type BucketName,
  type GroupName,
  type SyncAnswer,
} from '@cuadro/protocol';
import { SyncEndedError, SyncFault } from './errors.ts';
import type { FrameStream } from './frames.ts';
import { keysOf, sameDigest } from './digests.ts';
import { digestAt } from './pages.ts';

export interface BucketOf {
  readonly group: GroupName;
  readonly bucket: BucketName;
}

/** A record as the other announced it. */
export interface Announced extends BucketOf {
  readonly key: string;
  /** Its slot, or its key: as the messages name it. */
  readonly name: number | string;
  readonly digest: Uint8Array;
}

export interface BucketDigest extends BucketOf {
  readonly count: number;
  readonly digest: Uint8Array;
}

const compareBucketsOf = (a: BucketOf, b: BucketOf): number =>
  compareGroups(a.group, b.group) || compareBuckets(a.bucket, b.bucket);

/** The asking side of an exchange: each answer is held to the rules (SPEC R49) before anything is made of it. */
export class Asking {
  readonly #frames: FrameStream;
  #groups = 0;
  #records = 0;

  constructor(frames: FrameStream) {
    this.#frames = frames;
  }

  /** The other's groups; `equal` where its root is the same, `busy` where it serves no one more. */
  async groups(root: Uint8Array): Promise<Map<GroupName, Uint8Array> | 'equal' | 'busy'> {
    await this.#frames.write({ kind: 'hello', root });
    const groups = new Map<GroupName, Uint8Array>();
    let before: GroupName | undefined;
    for (;;) {
      const page = await this.#answer();
      if (page.kind === 'busy' && groups.size === 0) return 'busy';
      if (page.kind !== 'groups') throw new SyncFault('unexpected-frame');
      if (groups.size === 0 && sameDigest(page.root, root)) return 'equal';
      lengthsAgree(page.groups.length, page.digests);
      for (const [i, group] of page.groups.entries()) {
        if (before !== undefined && compareGroups(before, group) >= 0) throw new SyncFault('out-of-order');
        before = group;
        groups.set(group, digestAt(page.digests, i));
      }
      this.#groups = this.#bounded(this.#groups + page.groups.length, SYNC_GROUPS_MAX);
      if (page.last) return groups;
      notEmpty(page.groups.length);
    }
  }

  /** The buckets of groups that were told. */
  async buckets(groups: readonly GroupName[]): Promise<BucketDigest[]> {
    if (groups.length === 0) return [];
    await this.#frames.write({ kind: 'ask-buckets', groups });
    const asked = new Set(groups);
    const buckets: BucketDigest[] = [];
    for (;;) {
      const page = await this.#answer();
      if (page.kind !== 'buckets') throw new SyncFault('unexpected-frame');
      for (const { group, buckets: names, counts, digests } of page.lists) {
        lengthsAgree(names.length, digests);
        if (counts.length !== names.length) throw new SyncFault('malformed-frame');
        for (const [i, bucket] of names.entries()) {
          const one = { group, bucket, count: counts[i] as number, digest: digestAt(digests, i) };
          if (!asked.has(group) || !belongs(one)) throw new SyncFault('not-asked');
          const before = buckets.at(-1);
          if (before !== undefined && compareBucketsOf(before, one) >= 0) throw new SyncFault('out-of-order');
          buckets.push(one);
        }
        this.#records = this.#bounded(this.#records + names.length, SYNC_RECORDS_MAX);
      }
      if (page.last) return buckets;
      notEmpty(page.lists.length);
    }
  }

  /** The records of buckets that were told. */
  async keys(buckets: readonly BucketOf[]): Promise<Announced[]> {
    if (buckets.length === 0) return [];
    await this.#frames.write({
      kind: 'ask-keys',
      buckets: buckets.map(({ group, bucket }) => ({ group, bucket })),
    });
    const asked = new Set(buckets.map(({ group, bucket }) => `${group} ${bucket}`));
    const listed: Announced[] = [];
    for (;;) {
      const page = await this.#answer();
      if (page.kind !== 'keys') throw new SyncFault('unexpected-frame');
      for (const list of page.lists) {
        if (!asked.has(`${list.group} ${list.bucket}`)) throw new SyncFault('not-asked');
        this.#records = this.#bounded(this.#records + list.names.length, SYNC_RECORDS_MAX);
        addListing(listed, list);
      }
      if (page.last) return listed;
      notEmpty(page.lists.length);
    }
  }

  /** Records that were announced, page by page; gives back how many have moved on. */
  async pull(
    wants: readonly Announced[],
    take: (page: readonly Uint8Array[]) => Promise<void>,
  ): Promise<number> {
    await this.#frames.write({ kind: 'pull', wants: wantsOf(wants) });
    let received = 0;
    for (;;) {
      const page = await this.#answer();
      if (page.kind !== 'records') throw new SyncFault('unexpected-frame');
      received += page.records.length;
      if (received + page.moved > wants.length) throw new SyncFault('not-asked');
      await take(page.records);
      if (page.last) return page.moved;
      notEmpty(page.records.length);
    }
  }

  /** Sends pages of records; resolves when all are durable there. Gives back how many it refused in all so far. */
  async push(pages: Iterable<{ items: Uint8Array[]; last: boolean }>): Promise<number> {
    for (const { items, last } of pages) await this.#frames.write({ kind: 'push', records: items, last });
    const answer = await this.#answer();
    if (answer.kind !== 'taken') throw new SyncFault('unexpected-frame');
    return answer.refused;
  }

  async #answer(): Promise<SyncAnswer> {
    const message = await this.#frames.read();
    if (message === undefined) throw new SyncEndedError('stream-ended');
    const answer = checkedBy(syncAnswerSchema, message);
    if (!answer.success) throw new SyncFault('malformed-frame');
    return answer.data;
  }

  #bounded(count: number, limit: number): number {
    if (count > limit) throw new SyncFault('endless-list');
    return count;
  }
}

function lengthsAgree(items: number, digests: Uint8Array): void {
  if (digests.length !== items * DIGEST_BYTES) throw new SyncFault('malformed-frame');
}

/** A page that brings nothing and isn't the last could be followed by such pages for ever. */
function notEmpty(items: number): void {
  if (items === 0) throw new SyncFault('endless-list');
}

/** Whether such a bucket can be in such a group. */
function belongs({ group, bucket }: BucketOf): boolean {
  return group === 'other' ? bucket === 'other' : bucket !== 'other';
}

/** Appends a bucket's records, which follow those before them in the order of an exchange. */
function addListing(
  listed: Announced[],
  list: BucketOf & { readonly names: Uint8Array | string[]; readonly digests: Uint8Array },
): void {
  const { group, bucket, names, digests } = list;
  lengthsAgree(names.length, digests);
  if (names instanceof Uint8Array !== (typeof bucket === 'number')) throw new SyncFault('malformed-frame');
  for (const [i, key] of keysOf(group, bucket, names).entries()) {
    const one = { group, bucket, key, name: names[i] as number | string, digest: digestAt(digests, i) };
    const before = listed.at(-1);
    if (before !== undefined && (compareBucketsOf(before, one) || compareText(before.key, key)) >= 0) {
      throw new SyncFault('out-of-order');
    }
    listed.push(one);
  }
}

/** As `pull` carries them: by bucket. Records of one bucket stand together. */
function wantsOf(wants: readonly Announced[]): object[] {
  const lists: { group: GroupName; bucket: BucketName; of: Announced[] }[] = [];
  for (const want of wants) {
    const list = lists.at(-1);
    if (list !== undefined && list.group === want.group && list.bucket === want.bucket) list.of.push(want);
    else lists.push({ group: want.group, bucket: want.bucket, of: [want] });
  }
  return lists.map(({ group, bucket, of }) => {
    const names = of.map(({ name }) => name);
    const digests = new Uint8Array(of.length * DIGEST_BYTES);
    of.forEach(({ digest }, i) => digests.set(digest, i * DIGEST_BYTES));
    return {
      group,
      bucket,
      names: typeof bucket === 'number' ? Uint8Array.from(names as number[]) : names,
      digests,
    };
  });
}
