import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TaskResult } from '@cuadro/protocol';
import type { EnsureOptions } from '../../../node/src/blobs/source.ts';
import { BlobUnreachableError } from '../../../node/src/blobs/errors.ts';
import { AttemptStopped } from '../../../node/src/worker/failures.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import type { TaskContext } from '../../../node/src/worker/interface.ts';
import { workerLimits } from '../../../node/src/worker/limits.ts';
import { createFilmRunner, type FilmComponents } from '../../../node/src/worker/runners/film.ts';
import { contentOf, newStore } from '../blobs/helpers.ts';

const JOB = 'jobaaaaaaaaaaaab';
const PICTURE = { name: 'shot_0002.png', blob: 'b'.repeat(64), role: 'image', sizeBytes: 1 };

interface Frames {
  /** Whether the second frame's record is here. */
  arrived: () => boolean;
  /** The second frame's picture that is in use. */
  inUse?: () => string;
  /** Machines that hold this one are off. */
  isAway?: (hash: string) => boolean;
}

/** A film of two frames; ffmpeg is never reached with success. */
function filmOf(folder: string, { arrived, inUse = () => PICTURE.blob, isAway = () => false }: Frames) {
  const clock = new ManualClock();
  const said: (string | undefined)[] = [];
  const fetched: string[] = [];
  const components = {
    clock,
    tasks: {
      plannedTask: (_job: string, index: number) =>
        index < 2 ? { group: 0, number: index + 1, name: `frame ${index + 1}` } : { group: 1 },
      resultAtHand: (_job: string, index: number) =>
        index === 0 || arrived()
          ? ({ files: [{ ...PICTURE, ...(index === 1 && { blob: inUse() }) }] } as unknown as TaskResult)
          : undefined,
      inputRedo: () => 0,
    },
    content: {
      ensure: async (hash: string, _place: unknown, { signal, waitMaxMs = 0 }: EnsureOptions) => {
        if (isAway(hash)) {
          await clock.sleep(waitMaxMs, { ...(signal !== undefined && { signal }) });
          throw new BlobUnreachableError(hash, [], 'its machine is off');
        }
        fetched.push(hash);
      },
    },
    blobs: { materialize: async () => undefined },
    ffmpeg: () => Promise.reject(new Error('All frames are there.')),
  } as unknown as FilmComponents;
  const stop = new AbortController();
  const context = {
    job: { id: JOB },
    task: { index: 2, work: { kind: 'film', frames: 0, rate: 24, output: 'film.mp4' } },
    folder,
    signal: stop.signal,
    progress: ({ text }: { text?: string }) => said.push(text),
    engineFree: () => undefined,
  } as unknown as TaskContext;
  return { clock, said, fetched, stop, ended: createFilmRunner(components)(context) };
}

test('a film that is granted before the record of a frame is here waits for it, and says so', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-film-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  let isThere = false;
  const { clock, said, fetched, ended } = filmOf(folder, { arrived: () => isThere });
  const end = assert.rejects(ended, /All frames are there/);
  while (said.length < 3) await clock.advanceSettled(workerLimits.recordLookMs);
  assert.deepEqual(new Set(said), new Set(['Waits for the record of frame 2']));
  assert.deepEqual(fetched, [], 'nothing is fetched for what may never be made');
  isThere = true;
  await clock.advanceSettled(workerLimits.recordLookMs);
  await end;
  assert.equal(fetched.length, 2);
});

test('a film that waits ends when it is stopped', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-film-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { clock, said, stop, ended } = filmOf(folder, { arrived: () => false });
  const end = assert.rejects(ended, /The frame was discarded/);
  while (said.length === 0) await clock.advanceSettled(workerLimits.recordLookMs);
  stop.abort(new Error('The frame was discarded.'));
  await end;
});

test('R59: a film that waits for a frame takes the substitute that is made of it meanwhile', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-film-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [away, substitute] = ['c'.repeat(64), 'd'.repeat(64)];
  let inUse = away;
  const { clock, fetched, ended } = filmOf(folder, {
    arrived: () => true,
    inUse: () => inUse,
    isAway: (hash) => hash === away,
  });
  const end = assert.rejects(ended, /All frames are there/);
  await clock.advanceSettled(workerLimits.resultWaitMs / 2);
  inUse = substitute;
  await clock.advanceSettled(workerLimits.resultWaitMs / 2);
  await end;
  assert.deepEqual(fetched, [PICTURE.blob, substitute]);
});

test('R59: a film is given back, and has not failed, where no holder of a frame can be reached', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-film-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { clock, ended } = filmOf(folder, {
    arrived: () => true,
    isAway: (hash) => hash === PICTURE.blob,
  });
  let error: unknown;
  ended.catch((reason: unknown) => {
    error = reason;
  });
  const begun = clock.now();
  while (error === undefined) await clock.advanceSettled(workerLimits.resultWaitMs / 10);
  assert.ok(clock.now() - begun >= workerLimits.framesWaitMs);
  assert.ok(error instanceof AttemptStopped);
  assert.match(error.message, /^No machine that holds frame 1 can be reached\.$/);
});

test('a film takes its frames through a store that has not room for all of them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-film-'));
  const blobs = newStore(join(folder, 'data'), { quotaBytes: 2_500_000 });
  await blobs.start();
  t.after(async () => {
    await blobs.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const frames = new Map([1, 2, 3, 4].map((number) => [number, contentOf(number, 1_000_000)]));
  const hashes = new Map(
    Array.from(frames, ([number, bytes]) => [createHash('sha256').update(bytes).digest('hex'), number]),
  );
  const files = Array.from(hashes.keys(), (blob) => ({ ...PICTURE, blob }));
  let joined: readonly string[] = [];
  const components = {
    clock: new ManualClock(),
    tasks: {
      plannedTask: (_job: string, index: number) =>
        index < 4 ? { group: 0, number: index + 1, name: `frame ${index + 1}` } : { group: 1 },
      resultAtHand: (_job: string, index: number) => ({ files: [files[index]] }) as unknown as TaskResult,
      inputRedo: () => 0,
    },
    content: {
      ensure: async (hash: string) => {
        if ((await blobs.has(hash)) === undefined)
          await blobs.putBytes(frames.get(hashes.get(hash) as number) as Buffer);
      },
    },
    blobs,
    ffmpeg: async () => {
      joined = (await readdir(join(folder, 'frames'))).sort();
      throw new Error('All frames are there.');
    },
  } as unknown as FilmComponents;
  const context = {
    job: { id: JOB },
    task: { index: 4, work: { kind: 'film', frames: 0, rate: 24, output: 'film.mp4' } },
    folder,
    signal: new AbortController().signal,
    progress: () => undefined,
    engineFree: () => undefined,
  } as unknown as TaskContext;
  await assert.rejects(createFilmRunner(components)(context), /All frames are there/);
  assert.equal(joined.length, 4);
});
