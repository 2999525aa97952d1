import assert from 'node:assert/strict';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { attemptKey, type Grant, type JobRecord, type PlannedTask } from '@cuadro/protocol';
import { BlobUnreachableError } from '../../../node/src/blobs/errors.ts';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import type { AttemptEnd, TaskContext, TaskOutput } from '../../../node/src/worker/interface.ts';
import { createWorker, type Worker } from '../../../node/src/worker/worker.ts';

const JOB = 'abcdefghijklmnop';
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;
const job = { kind: 'job', id: JOB } as JobRecord;
const attempt = (sequence: number) => ({ epoch: { term: 1, peer: '12D3KooWEyoppNCUx8Yx' }, sequence });
const grant = (sequence: number): Grant => ({
  attempt: attempt(sequence),
  job: JOB,
  task: sequence,
  redo: 0,
  retry: 0,
  leaseMs: 4_000,
});
const task = (index: number): PlannedTask => ({
  index,
  group: 0,
  number: index,
  name: `frame ${index}`,
  work: { kind: 'echo-sleep', message: 'x', sleepMs: 0 },
  requires: { engine: 'node' },
});

/** A runner whose tasks end when the test says so. */
class HeldRunner {
  readonly running = new Map<
    number,
    TaskContext & { finish(output?: TaskOutput): void; fail(error: unknown): void }
  >();
  #wake = Promise.withResolvers<void>();

  readonly run = (context: TaskContext): Promise<TaskOutput> => {
    const { promise, resolve, reject } = Promise.withResolvers<TaskOutput>();
    context.signal.addEventListener('abort', () => reject(context.signal.reason as Error));
    const finish = (output: TaskOutput = { files: [], renderMs: 1 }): void => resolve(output);
    this.running.set(context.task.index, { ...context, finish, fail: reject });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
    return promise;
  };

  async started(
    index: number,
  ): Promise<TaskContext & { finish(output?: TaskOutput): void; fail(error: unknown): void }> {
    while (!this.running.has(index)) await this.#wake.promise;
    return this.running.get(index) as never;
  }
}

describe('the worker', () => {
  let folder: string;
  let worker: Worker;
  let runner: HeldRunner;
  let ends: Map<string, AttemptEnd>;
  let onEnd: () => void;
  let faults: string[];
  let slots: number;

  const ended = async (sequence: number): Promise<AttemptEnd> => {
    for (;;) {
      const end = ends.get(attemptKey(attempt(sequence)));
      if (end !== undefined) return end;
      await new Promise<void>((resolve) => {
        onEnd = resolve;
      });
    }
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cuadro-worker-'));
    runner = new HeldRunner();
    slots = 1;
    ends = new Map();
    onEnd = () => undefined;
    faults = [];
    const blobs = createMemoryBlobStore();
    await blobs.start();
    worker = createWorker(
      {
        clock: createSystemClock(),
        logger: quiet,
        blobs,
        reports: {
          progress: () => undefined,
          ended: (id, end) => {
            ends.set(attemptKey(id), end);
            onEnd();
          },
        },
        onMachineFault: (sentence) => faults.push(sentence),
        runners: {
          'blender-frame': runner.run,
          film: runner.run,
          command: runner.run,
          'echo-sleep': runner.run,
        },
      },
      { workFolder: join(folder, 'work'), logFolder: join(folder, 'logs'), slots: () => slots },
    );
    await worker.start();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('runs as many tasks as it has slots, and the next once the engine is free', async () => {
    for (const sequence of [1, 2, 3]) worker.run(grant(sequence), job, task(sequence));
    const first = await runner.started(1);
    assert.equal(runner.running.has(2), false);
    first.engineFree();
    await runner.started(2);
    assert.equal(runner.running.has(3), false, 'the second holds the engine');
    first.finish();
    assert.equal((await ended(1)).kind, 'result');
    runner.running.get(2)?.finish();
    await ended(2);
    (await runner.started(3)).finish();
    assert.equal((await ended(3)).kind, 'result');
    await worker.stop();
  });

  it('R108: follows its number of slots: what runs goes on, and fewer or more begin', async () => {
    slots = 2;
    for (const sequence of [1, 2, 3, 4]) worker.run(grant(sequence), job, task(sequence));
    const first = await runner.started(1);
    const second = await runner.started(2);
    slots = 1;
    first.finish();
    await ended(1);
    assert.equal(runner.running.has(3), false, 'the second is the one that may run');
    second.finish();
    const third = await runner.started(3);
    assert.equal(runner.running.has(4), false);
    slots = 2;
    worker.run(grant(5), job, task(5));
    await runner.started(4);
    third.finish();
    await runner.started(5);
    await worker.stop();
  });

  it('lets a frame get ready while the one before it renders, and no more than that', async () => {
    const frame = (index: number): PlannedTask => ({
      ...task(index),
      work: { kind: 'blender-frame', allowScripts: false },
    });
    for (const sequence of [1, 2, 3]) worker.run(grant(sequence), job, frame(sequence));
    const first = await runner.started(1);
    await first.engineTurn();
    const second = await runner.started(2);
    let turn = false;
    const waiting = second.engineTurn().then(() => {
      turn = true;
    });
    await access(second.folder);
    assert.equal(turn, false, 'the first renders');
    assert.equal(runner.running.has(3), false, 'only one gets ready');
    first.engineFree();
    await waiting;
    const third = await runner.started(3);
    const refused = assert.rejects(third.engineTurn(), { message: 'The job is canceled.' });
    worker.stopAttempt(attempt(3), 'The job is canceled.');
    await refused;
    assert.deepEqual(await ended(3), { kind: 'stopped', reason: 'The job is canceled.' });
    worker.run(grant(4), job, frame(4));
    const fourth = await runner.started(4);
    first.finish();
    second.engineFree();
    await fourth.engineTurn();
    for (const each of [second, fourth]) each.finish();
    for (const sequence of [1, 2, 4]) assert.equal((await ended(sequence)).kind, 'result');
    await worker.stop();
  });

  it('ends a waiting and a running task without a failure when they are taken back', async () => {
    for (const sequence of [1, 2]) worker.run(grant(sequence), job, task(sequence));
    await runner.started(1);
    worker.stopAttempt(attempt(2), 'The job is canceled.');
    worker.stopAttempt(attempt(1), 'The job is canceled.');
    assert.deepEqual(await ended(2), { kind: 'stopped', reason: 'The job is canceled.' });
    assert.deepEqual(await ended(1), { kind: 'stopped', reason: 'The job is canceled.' });
    await worker.stop();
  });

  it('tells a failure with its code, its telling lines and the whole log', async () => {
    worker.run(grant(1), job, task(1));
    const running = await runner.started(1);
    await writeFile(running.logFile, 'Segmentation fault\n');
    running.fail(
      Object.assign(new Error('Blender crashed.'), { code: 'crashed', lines: ['Segmentation fault'] }),
    );
    const end = await ended(1);
    assert.equal(end.kind, 'failure');
    assert.equal(end.kind === 'failure' && end.code, 'crashed');
    assert.deepEqual(end.kind === 'failure' && end.lines, ['Segmentation fault']);
    assert.equal(end.kind === 'failure' && typeof end.log, 'string');
    assert.equal(
      await readFile(worker.logFile(JOB, 1, attemptKey(attempt(1))), 'utf8'),
      'Segmentation fault\n',
    );
    await worker.stop();
  });

  it('tells a fault of the machine before the attempt ends, and ends it without a failure', async () => {
    worker.run(grant(1), job, task(1));
    const running = await runner.started(1);
    onEnd = () => assert.deepEqual(faults, ['The disk is full.'], 'told first: no further task is granted');
    running.fail(Object.assign(new Error('The disk is full.'), { code: 'store-full' }));
    assert.deepEqual(await ended(1), { kind: 'stopped', reason: 'The disk is full.' });
    assert.deepEqual(faults, ['The disk is full.']);
    await worker.stop();
  });

  for (const code of ['EIO', 'EMFILE', 'ENFILE', 'ENOMEM'])
    it(`takes what the system refuses to the node itself for a fault of the machine: ${code}`, async () => {
      worker.run(grant(1), job, task(1));
      const running = await runner.started(1);
      running.fail(Object.assign(new Error(`${code}: refused, mkdir 'output'`), { code }));
      const reason = `${code}: refused, mkdir 'output'`;
      assert.deepEqual(await ended(1), { kind: 'stopped', reason });
      assert.deepEqual(faults, [reason]);
      await worker.stop();
    });

  for (const code of ['pictures-stopped', 'pictures-busy'] as const)
    it(`counts no frame as failed that nobody could look at: ${code}`, async () => {
      worker.run(grant(1), job, task(1));
      const running = await runner.started(1);
      running.fail(new FrameError(code, 'It can’t be started.'));
      assert.deepEqual(await ended(1), { kind: 'stopped', reason: 'It can’t be started.' });
      assert.deepEqual(faults, ['It can’t be started.']);
      await worker.stop();
    });

  it('R116: gives an attempt back whose scene nobody within reach has, and takes neither for at fault', async () => {
    worker.run(grant(1), job, task(1));
    const running = await runner.started(1);
    running.fail(new BlobUnreachableError('a'.repeat(64), [], 'nobody answers'));
    const reason = 'No machine that has the scene can be reached.';
    assert.deepEqual(await ended(1), { kind: 'stopped', reason, lacks: 'scene' });
    assert.deepEqual(faults, []);
    await worker.stop();
  });

  it('reports nothing once it stops, and removes what was half-made', async () => {
    worker.run(grant(1), job, task(1));
    const running = await runner.started(1);
    await writeFile(join(running.folder, 'half.png'), 'x');
    await worker.stop();
    assert.equal(ends.size, 0);
    await assert.rejects(access(running.folder));
  });

  it('runs one attempt once, however often it is granted', async () => {
    worker.run(grant(1), job, task(1));
    worker.run(grant(1), job, task(1));
    (await runner.started(1)).finish();
    await ended(1);
    assert.equal(ends.size, 1);
    await worker.stop();
  });
});
