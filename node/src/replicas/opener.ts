import {
  carriedBytes,
  compareBuckets,
  compareGroups,
  mergeRecords,
  SYNC_BUCKETS_ASKED_MAX,
  SYNC_GROUPS_ASKED_MAX,
  type BucketName,
  type GroupName,
  type JobRecord,
  type KnownRecord,
  type RecordBytes,
} from '@cuadro/protocol';
import { Asking, type Announced, type BucketDigest, type BucketOf } from './asking.ts';
import { keysOf, sameDigest, type RecordDigests } from './digests.ts';
import { SyncFault } from './errors.ts';
import type { FrameStream } from './frames.ts';
import type { ExchangeOutcome, HeldRecords } from './interface.ts';
import { RECORDS_AT_ONCE } from './limits.ts';
import { durableBytes } from './durable-bytes.ts';
import { pagesOf } from './pages.ts';
import { inSlices } from './slices.ts';
import type { Intake } from './intake.ts';

export interface OpenComponents {
  readonly frames: FrameStream;
  readonly digests: RecordDigests;
  readonly records: HeldRecords;
  readonly bytes: RecordBytes;
  readonly intake: Intake;
}

/** A bucket that differs: whether the other has it at all, and how many records both sides have in it. */
interface Difference extends BucketOf {
  readonly theirs: BucketDigest | undefined;
  readonly count: number;
}

/**
 * Opens an exchange (SPEC R48): walks from the root to the records that differ, pulls and pushes them. Its cost is
 * in proportion to the difference, and what it holds at any time is bounded by `RECORDS_AT_ONCE`.
 */
export async function openExchange(components: OpenComponents): Promise<ExchangeOutcome> {
  return new Exchange(components).run();
}

class Exchange {
  readonly #asking: Asking;
  readonly #digests: RecordDigests;
  readonly #records: HeldRecords;
  readonly #bytes: RecordBytes;
  readonly #intake: Intake;
  /** Jobs that are deleted on either side: their tasks are absorbed (SPEC R34). */
  readonly #deleted = new Set<GroupName>();
  readonly #counts = { pulled: 0, pushed: 0, pulledNews: 0, pushedNews: 0, moved: 0, refusedThere: 0 };

  constructor({ frames, digests, records, bytes, intake }: OpenComponents) {
    this.#asking = new Asking(frames);
    this.#digests = digests;
    this.#records = records;
    this.#bytes = bytes;
    this.#intake = intake;
  }

  async run(): Promise<ExchangeOutcome> {
    const root = this.#digests.root();
    const theirs = await this.#asking.groups(root);
    if (theirs === 'equal' || theirs === 'busy') return { kind: theirs };
    const different = this.#differingGroups(theirs);
    if (different.length === 0) return { kind: 'equal' };
    for (let at = 0; at < different.length; at += SYNC_GROUPS_ASKED_MAX) {
      await this.#reconcileGroups(different.slice(at, at + SYNC_GROUPS_ASKED_MAX), theirs);
    }
    await this.#intake.settled();
    const { pulled, pushed, pulledNews, pushedNews, moved, refusedThere } = this.#counts;
    const news = pulledNews + Math.max(0, pushedNews - refusedThere);
    return { kind: 'exchanged', pulled, pushed, news, moved };
  }

  #differingGroups(theirs: ReadonlyMap<GroupName, Uint8Array>): GroupName[] {
    const names = new Set([...theirs.keys(), ...this.#digests.groups()]);
    return [...names]
      .filter((group) => !sameDigest(theirs.get(group), this.#digests.groupDigest(group)))
      .sort(compareGroups);
  }

  async #reconcileGroups(
    groups: readonly GroupName[],
    theirGroups: ReadonlyMap<GroupName, Uint8Array>,
  ): Promise<void> {
    const told = await this.#asking.buckets(groups.filter((group) => theirGroups.has(group)));
    const theirs = Map.groupBy(told, ({ group }) => group);
    const differences = groups.flatMap((group) => this.#differingBuckets(group, theirs.get(group) ?? []));
    // Members and jobs first: what tasks are, and whether they still count, follows from them.
    await this.#reconcileAll(differences.filter(({ bucket }) => typeof bucket !== 'number'));
    for (const group of groups) if (isDeleted(this.#jobRecord(group))) this.#deleted.add(group);
    await this.#reconcileAll(
      differences.filter(({ group, bucket }) => typeof bucket === 'number' && !this.#deleted.has(group)),
    );
  }

  #jobRecord(group: GroupName): KnownRecord | undefined {
    return this.#records.get(`job/${group}`);
  }

  #differingBuckets(group: GroupName, told: readonly BucketDigest[]): Difference[] {
    const theirs = new Map(told.map((one) => [one.bucket, one]));
    const ours = new Map(this.#digests.buckets(group).map((one) => [one.bucket, one]));
    const names = new Set<BucketName>([...theirs.keys(), ...ours.keys()]);
    return [...names]
      .filter((bucket) => !sameDigest(theirs.get(bucket)?.digest, ours.get(bucket)?.digest))
      .map((bucket) => ({
        group,
        bucket,
        theirs: theirs.get(bucket),
        count: (theirs.get(bucket)?.count ?? 0) + (ours.get(bucket)?.count ?? 0),
      }))
      .sort((a, b) => compareBuckets(a.bucket, b.bucket));
  }

  /** Reconciles buckets, as many at once as their records' number allows. */
  async #reconcileAll(differences: readonly Difference[]): Promise<void> {
    let some: Difference[] = [];
    let records = 0;
    for (const difference of differences) {
      const full = records + difference.count > RECORDS_AT_ONCE || some.length >= SYNC_BUCKETS_ASKED_MAX;
      if (full && some.length > 0) {
        await this.#reconcile(some);
        some = [];
        records = 0;
      }
      some.push(difference);
      records += difference.count;
    }
    if (some.length > 0) await this.#reconcile(some);
  }

  async #reconcile(differences: readonly Difference[]): Promise<void> {
    const announced = await this.#announced(differences);
    const theirs = new Set(announced.map(({ key }) => key));
    const wants = announced.filter(({ key, digest }) => !sameDigest(this.#digests.get(key), digest));
    const push = differences.flatMap(({ group, bucket }) =>
      keysOf(group, bucket, this.#digests.list(group, bucket).names).filter((key) => !theirs.has(key)),
    );
    this.#counts.pushedNews += push.length;
    for (let at = 0; at < wants.length; at += RECORDS_AT_ONCE) {
      push.push(...(await this.#pull(wants.slice(at, at + RECORDS_AT_ONCE))));
    }
    await this.#push(push);
  }

  /** The records of these buckets on the other side, in order. The bucket of a job's record is that record. */
  async #announced(differences: readonly Difference[]): Promise<Announced[]> {
    const jobs: Announced[] = [];
    const asked: BucketOf[] = [];
    for (const { group, bucket, theirs } of differences) {
      if (theirs === undefined) continue;
      const key = `job/${group}`;
      if (bucket === 'job') jobs.push({ group, bucket, key, name: key, digest: theirs.digest });
      else asked.push({ group, bucket });
    }
    return [...jobs, ...(await this.#asking.keys(asked))];
  }

  /** Pulls records; gives back the keys of those to which this side has something to add. */
  async #pull(wants: readonly Announced[]): Promise<string[]> {
    const open = new Map(wants.map(({ key, digest }) => [key, digest]));
    const adds: string[] = [];
    this.#counts.moved += await this.#asking.pull(wants, async (page) => {
      const fresh: KnownRecord[] = [];
      await inSlices(page, (bytes) => {
        const record = this.#takePulled(bytes, open, adds);
        if (record !== undefined) fresh.push(record);
      });
      await this.#intake.store(fresh);
    });
    return adds;
  }

  #takePulled(bytes: Uint8Array, open: Map<string, Uint8Array>, adds: string[]): KnownRecord | undefined {
    const read = this.#intake.read(bytes);
    if (read === undefined) return undefined;
    const announced = open.get(read.key);
    if (announced === undefined) throw new SyncFault('not-asked');
    if (!sameDigest(announced, read.digest)) throw new SyncFault('wrong-digest');
    open.delete(read.key);
    this.#counts.pulled += 1;
    // It came in by gossip in the meantime.
    if (read.kind === 'held') return undefined;
    const { record, key } = read;
    if (isDeleted(record)) this.#deleted.add((record as JobRecord).id);
    const own = this.#records.get(key);
    if (own === undefined || mergeRecords(own, record) !== own) this.#counts.pulledNews += 1;
    if (own !== undefined && mergeRecords(record, own) !== record) {
      this.#counts.pushedNews += 1;
      adds.push(key);
    }
    return record;
  }

  /** What was pulled is durable before what it became is pushed; what has changed since is told by what changed it. */
  async #push(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#intake.settled();
    const held = { digests: this.#digests, records: this.#records, bytes: this.#bytes };
    let pushed = 0;
    const found = function* (): Generator<Uint8Array> {
      for (const key of keys) {
        const bytes = durableBytes(held, key);
        if (bytes === undefined) continue;
        pushed += 1;
        yield bytes;
      }
    };
    this.#counts.refusedThere = await this.#asking.push(
      pagesOf(found(), (bytes) => carriedBytes(bytes.length)),
    );
    this.#counts.pushed += pushed;
  }
}

const isDeleted = (record: KnownRecord | undefined): boolean =>
  record?.kind === 'job' && record.deleted !== undefined;
