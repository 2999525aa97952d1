import { readFile } from 'node:fs/promises';
import {
  PLAN_BYTES_MAX,
  decode,
  parsedBy,
  planSchema,
  type Plan,
  CuadroError,
  attemptKey,
  compareAttempts,
  parseAttemptKey,
  type AttemptId,
  type BlobHash,
} from '@cuadro/protocol';
import type { ContentReader } from '../api/interface.ts';
import { BlobCorruptError, BlobNotFoundError, BlobUnreachableError } from '../blobs/errors.ts';
import type { BlobStore, ByteRange } from '../blobs/interface.ts';
import type { ContentSource } from '../blobs/source.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Logger } from '../system/interface.ts';

/** Stored files and logs for the API: with the catalogue's errors. */
export function createContentReader(components: {
  blobs: BlobStore;
  /** Brings what isn't here. */
  content: ContentSource;
  queries: CoreQueries;
  /** Where the log of an attempt is or was written on this machine. */
  logFile: (job: string, task: number, attempt: string) => string;
}): ContentReader {
  const { blobs, content, queries, logFile } = components;
  return {
    async open(hash, { signal, ...place }) {
      const range = async (wanted: ByteRange): Promise<AsyncIterable<Uint8Array>> => {
        try {
          return catalogued((await blobs.open(hash, { signal, range: wanted })).chunks, hash);
        } catch (error) {
          throw cataloguedError(error, hash);
        }
      };
      try {
        await content.ensure(hash, place, { signal });
      } catch (error) {
        throw cataloguedError(error, hash);
      }
      const info = await blobs.has(hash);
      if (info === undefined) throw new CuadroError('blob-not-found', { hash });
      return { sizeBytes: info.sizeBytes, read: range };
    },
    async log(job, task, attempt) {
      const record = queries.taskRecord(job, task);
      const ended = [...Object.values(record?.results ?? {}), ...Object.values(record?.failures ?? {})];
      const known: { attempt: AttemptId; log?: BlobHash }[] = [...ended].sort((a, b) =>
        compareAttempts(b.attempt, a.attempt),
      );
      const running = queries.task(job, task)?.attempts.map((view) => view.attempt) ?? [];
      const wanted = attempt ?? running.at(0) ?? (known[0] && attemptKey(known[0].attempt));
      const notFound = new CuadroError('attempt-not-found', { attempt: wanted ?? 'latest' });
      // It becomes part of a path, so it must be an attempt's name and nothing else.
      if (wanted === undefined || parseAttemptKey(wanted) === undefined) throw notFound;
      const local = await readFile(logFile(job, task, wanted), 'utf8').catch(() => undefined);
      if (local !== undefined) return local;
      const blob = known.find((entry) => attemptKey(entry.attempt) === wanted)?.log;
      if (blob === undefined) throw notFound;
      try {
        await content.ensure(blob, { job, task });
        return new TextDecoder().decode(await blobs.read(blob));
      } catch (error) {
        throw cataloguedError(error, blob);
      }
    },
  };
}

async function* catalogued(chunks: AsyncIterable<Uint8Array>, hash: BlobHash): AsyncIterable<Uint8Array> {
  try {
    // Sent while the next one is read: each gets memory of its own.
    for await (const chunk of chunks) yield Buffer.from(chunk);
  } catch (error) {
    throw cataloguedError(error, hash);
  }
}

function cataloguedError(error: unknown, hash: BlobHash): unknown {
  if (error instanceof BlobNotFoundError)
    return new CuadroError('blob-not-found', { hash }, { cause: error });
  if (error instanceof BlobUnreachableError) {
    // With nobody else in the farm it is simply not there.
    return error.holders.length === 0
      ? new CuadroError('blob-not-found', { hash }, { cause: error })
      : new CuadroError(
          'blob-unreachable',
          { hash, why: 'no machine that holds it answers' },
          { cause: error },
        );
  }
  if (error instanceof BlobCorruptError) return new CuadroError('blob-corrupt', { hash }, { cause: error });
  return error;
}

/**
 * A job's plan, checked. One that other machines hold is waited for; undefined where it isn't here and nobody else
 * can have it.
 */
export async function readPlan(
  components: { blobs: BlobStore; content: ContentSource; logger: Logger },
  hash: BlobHash,
  options: { signal?: AbortSignal } = {},
): Promise<Plan | undefined> {
  const { blobs, content, logger } = components;
  let told: string | undefined;
  const onWaiting = (sentence: string): void => {
    if (sentence !== told) logger.info("A job's plan is not here yet.", { plan: hash, sentence });
    told = sentence;
  };
  await content.ensure(hash, {}, { ...options, onWaiting });
  if ((await blobs.has(hash)) === undefined) return undefined;
  return parsedBy(planSchema, decode(await blobs.read(hash, { maxBytes: PLAN_BYTES_MAX }), PLAN_BYTES_MAX));
}
