import { DIGEST_BYTES, SYNC_LIST_ITEMS_MAX, SYNC_PAGE_BYTES } from '@cuadro/protocol';

/** Divides items into pages of about `SYNC_PAGE_BYTES`; at least one page, since an answer has a last one. */
export function* pagesOf<T>(
  items: Iterable<T>,
  sizeOf: (item: T) => number,
): Generator<{ items: T[]; last: boolean }> {
  let page: T[] = [];
  let size = 0;
  for (const item of items) {
    const added = sizeOf(item);
    if (page.length > 0 && (size + added > SYNC_PAGE_BYTES || page.length >= SYNC_LIST_ITEMS_MAX)) {
      yield { items: page, last: false };
      page = [];
      size = 0;
    }
    page.push(item);
    size += added;
  }
  yield { items: page, last: true };
}

/** Digests one after the other, as the messages carry them. */
export function joinDigests(digests: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(digests.length * DIGEST_BYTES);
  digests.forEach((digest, i) => joined.set(digest, i * DIGEST_BYTES));
  return joined;
}

export const digestAt = (joined: Uint8Array, i: number): Uint8Array =>
  joined.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
