import type { PeerId } from '@cuadro/protocol';
import { BLOB_HASHES_PER_REQUEST_MAX } from '@cuadro/protocol';
import type { Mesh } from '../../mesh/interface.ts';
import type { Clock } from '../../system/interface.ts';
import { mapBounded } from '../gate.ts';
import type { BlobHash } from '../interface.ts';
import { FrameError } from './frames.ts';
import type { Lines } from './lines.ts';
import { transferLimits } from './limits.ts';

export interface SearchComponents {
  readonly mesh: Pick<Mesh, 'self' | 'reachable' | 'findProviders'>;
  readonly lines: Lines;
  readonly clock: Clock;
}

/** By which way a holder was found: it said so itself when it was asked, or a provider record of the farm named it. */
export type FoundBy = 'asked' | 'record';

type Found = (peer: PeerId, hash: BlobHash, by: FoundBy) => void;

interface Wanted {
  readonly hash: BlobHash;
  readonly providedAs: BlobHash;
}

/**
 * Asks everybody who can be reached, and the farm's provider records, who has these files, and calls `found` for each
 * as it is heard. Resolves when nobody is left to ask or the time is over; never rejects.
 */
export async function searchHolders(
  components: SearchComponents,
  wanted: readonly Wanted[],
  init: { searchMs: number; signal: AbortSignal; found: Found },
): Promise<void> {
  const over = new AbortController();
  const cancel = components.clock.after(init.searchMs, () =>
    over.abort(new Error('The search took too long.')),
  );
  const signal = AbortSignal.any([init.signal, over.signal]);
  try {
    await Promise.all([
      askEverybody(components, wanted, { ...init, signal }),
      askProviders(components, wanted, { ...init, signal }),
    ]);
  } finally {
    cancel();
  }
}

interface Asking {
  signal: AbortSignal;
  found: Found;
}

async function askEverybody(
  { mesh, lines }: SearchComponents,
  wanted: readonly Wanted[],
  { signal, found }: Asking,
): Promise<void> {
  const peers = mesh.reachable().filter((peer) => peer !== mesh.self);
  const ask = async (peer: PeerId): Promise<void> => {
    for (let at = 0; at < wanted.length && !signal.aborted; at += BLOB_HASHES_PER_REQUEST_MAX) {
      const hashes = wanted.slice(at, at + BLOB_HASHES_PER_REQUEST_MAX).map(({ hash }) => hash);
      await lines.exchange(
        peer,
        { kind: 'have', hashes },
        async (answer) => {
          if (answer.kind !== 'have' || answer.sizes.length !== hashes.length)
            throw new FrameError('That is no answer to what was asked.');
          for (const [i, hash] of hashes.entries()) if (answer.sizes[i] !== null) found(peer, hash, 'asked');
          return true;
        },
        signal,
      );
    }
  };
  await mapBounded(peers, transferLimits.searchWidth, undefined, (peer) =>
    untilAborted(ask(peer), signal).catch(() => undefined),
  );
}

async function askProviders(
  { mesh }: SearchComponents,
  wanted: readonly Wanted[],
  { signal, found }: Asking,
): Promise<void> {
  const byName = Map.groupBy(wanted, ({ providedAs }) => providedAs);
  await mapBounded([...byName], transferLimits.searchWidth, undefined, async ([name, files]) => {
    const read = async (): Promise<void> => {
      for await (const peer of mesh.findProviders(name, { signal })) {
        if (signal.aborted) return;
        if (peer !== mesh.self) for (const { hash } of files) found(peer, hash, 'record');
      }
    };
    // Nobody is found where the farm can't be asked; that is no error.
    await untilAborted(read(), signal).catch(() => undefined);
  });
}

/** The promise, or a rejection as soon as the signal is aborted, also where the work itself does not heed it. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
