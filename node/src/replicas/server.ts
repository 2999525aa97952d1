import {
  checkedBy,
  carriedBytes,
  compareGroups,
  DIGEST_BYTES,
  SYNC_LIST_ITEMS_MAX,
  syncRequestSchema,
  type BucketName,
  type GroupName,
  type KnownRecord,
  type RecordBytes,
  type SyncListing,
  type SyncRequest,
} from '@cuadro/protocol';
import { keysOf, sameDigest, type RecordDigests } from './digests.ts';
import { durableBytes } from './durable-bytes.ts';
import { nextTurn } from '../system/turn.ts';
import { SyncFault } from './errors.ts';
import type { FrameStream } from './frames.ts';
import type { HeldRecords } from './interface.ts';
import { RECORDS_AT_ONCE } from './limits.ts';
import { digestAt, joinDigests, pagesOf } from './pages.ts';
import { inSlices } from './slices.ts';
import type { Intake } from './intake.ts';

export interface ServeComponents {
  readonly frames: FrameStream;
  readonly digests: RecordDigests;
  readonly records: HeldRecords;
  readonly bytes: RecordBytes;
  readonly intake: Intake;
}

/**
 * Answers one exchange (SPEC R48) until its opener ends it. It keeps nothing between two requests, so whatever an
 * opener asks costs no more than the answer.
 */
export async function serveExchange(components: ServeComponents): Promise<void> {
  for (;;) {
    const message = await components.frames.read();
    if (message === undefined) return;
    const request = checkedBy(syncRequestSchema, message);
    if (!request.success) throw new SyncFault('malformed-frame');
    await answer(components, request.data);
  }
}

async function answer(components: ServeComponents, request: SyncRequest): Promise<void> {
  switch (request.kind) {
    case 'hello':
      return tellGroups(components, request.root);
    case 'ask-buckets':
      return tellBuckets(components, request.groups);
    case 'ask-keys':
      return tellKeys(components, request.buckets);
    case 'pull':
      return sendRecords(components, request.wants);
    case 'push':
      return takeRecords(components, request);
  }
}

async function tellGroups({ frames, digests }: ServeComponents, root: Uint8Array): Promise<void> {
  const own = digests.root();
  const groups = sameDigest(root, own) ? [] : digests.groups();
  for (const page of pagesOf(groups, () => 36)) {
    const listed = page.items.map((group) => [group, digests.groupDigest(group)] as const);
    // A group may have gone while the pages before were written.
    const held = listed.filter((entry): entry is [GroupName, Uint8Array] => entry[1] !== undefined);
    await frames.write({
      kind: 'groups',
      root: own,
      groups: held.map(([group]) => group),
      digests: joinDigests(held.map(([, digest]) => digest)),
      last: page.last,
    });
  }
}

async function tellBuckets({ frames, digests }: ServeComponents, asked: GroupName[]): Promise<void> {
  const groups = [...new Set(asked)].sort(compareGroups);
  const lists = groups.flatMap((group) => {
    const buckets = digests.buckets(group);
    const parts = [];
    for (let at = 0; at < buckets.length; at += SYNC_LIST_ITEMS_MAX / 2) {
      const part = buckets.slice(at, at + SYNC_LIST_ITEMS_MAX / 2);
      parts.push({
        group,
        buckets: part.map(({ bucket }) => bucket),
        counts: part.map(({ count }) => count),
        digests: joinDigests(part.map(({ digest }) => digest)),
      });
    }
    return parts;
  });
  for (const page of pagesOf(lists, (list) => 48 + list.buckets.length * 24)) {
    await frames.write({ kind: 'buckets', lists: page.items, last: page.last });
  }
}

async function tellKeys(
  { frames, digests }: ServeComponents,
  asked: readonly { group: GroupName; bucket: BucketName }[],
): Promise<void> {
  for (const page of pagesOf(keyLists(digests, asked), listBytes)) {
    await frames.write({ kind: 'keys', lists: page.items, last: page.last });
  }
}

const listBytes = ({ names, digests }: { names: Uint8Array | string[]; digests: Uint8Array }): number =>
  48 + digests.length + (names instanceof Uint8Array ? names.length : names.length * 80);

/** Made as they are sent, so that many buckets asked for at once don't stand in memory; long ones in parts. */
function* keyLists(
  digests: RecordDigests,
  asked: readonly { group: GroupName; bucket: BucketName }[],
): Generator<{ group: GroupName; bucket: BucketName; names: Uint8Array | string[]; digests: Uint8Array }> {
  for (const { group, bucket } of asked) {
    const { names, digests: joined } = digests.list(group, bucket);
    if (names instanceof Uint8Array) {
      if (names.length > 0) yield { group, bucket, names, digests: joined };
      continue;
    }
    const step = SYNC_LIST_ITEMS_MAX / 8;
    for (let at = 0; at < names.length; at += step) {
      const part = names.slice(at, at + step);
      yield {
        group,
        bucket,
        names: part,
        digests: joined.slice(at * DIGEST_BYTES, (at + part.length) * DIGEST_BYTES),
      };
    }
  }
}

/** What still has the digest that was announced; a record that has changed since is left out (SPEC R49). */
async function sendRecords(components: ServeComponents, wants: readonly SyncListing[]): Promise<void> {
  if (wants.reduce((sum, { names }) => sum + names.length, 0) > RECORDS_AT_ONCE) {
    throw new SyncFault('malformed-frame');
  }
  let moved = 0;
  const found = function* (): Generator<Uint8Array> {
    for (const { group, bucket, names, digests: announced } of wants) {
      for (const [i, key] of keysOf(group, bucket, names).entries()) {
        const bytes = durableBytes(components, key, digestAt(announced, i));
        if (bytes !== undefined) yield bytes;
        else moved += 1;
      }
    }
  };
  for (const page of pagesOf(found(), (bytes) => carriedBytes(bytes.length))) {
    await components.frames.write({
      kind: 'records',
      records: page.items,
      moved: page.last ? moved : 0,
      last: page.last,
    });
    await nextTurn();
  }
}

async function takeRecords(
  { frames, intake }: ServeComponents,
  { records, last }: Extract<SyncRequest, { kind: 'push' }>,
): Promise<void> {
  const fresh: KnownRecord[] = [];
  await inSlices(records, (bytes) => {
    const read = intake.read(bytes);
    if (read?.kind === 'record') fresh.push(read.record);
  });
  await intake.store(fresh);
  if (!last) return;
  await intake.settled();
  await frames.write({ kind: 'taken', refused: intake.refused });
}
