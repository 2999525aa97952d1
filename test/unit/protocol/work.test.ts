import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  compileJob,
  CuadroError,
  encode,
  jobType,
  JOB_TYPES,
  PlanView,
  planSchema,
  workSchema,
  type JobRecord,
  type Work,
} from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import type { TaskContext } from '../../../node/src/worker/interface.ts';
import { createCommandRunner } from '../../../node/src/worker/runners/command.ts';
import { createEchoSleepRunner } from '../../../node/src/worker/runners/echo-sleep.ts';
import { JOB } from './arbitraries.ts';

const rate = { numerator: 24, denominator: 1 };
const FORMS: Work[] = [
  { kind: 'blender-frame', allowScripts: false },
  { kind: 'film', frames: 0, rate, output: 'film.mp4' },
  { kind: 'command', program: 'render', args: ['{frame}'] },
  { kind: 'echo-sleep', message: 'frame {frame}', sleepMs: 0 },
];

describe('work', () => {
  for (const work of FORMS) {
    it(`R71: may be ${work.kind}, and every part that it needs must be there`, () => {
      assert.ok(workSchema.safeParse(work).success);
      for (const key of Object.keys(work)) {
        assert.equal(workSchema.safeParse({ ...work, [key]: undefined }).success, false, key);
      }
    });
  }

  for (const kind of ['python', 'blender', 'Film', '', undefined]) {
    it(`R71: may not be ${kind}`, () => {
      assert.equal(workSchema.safeParse({ ...FORMS[0], kind }).success, false);
    });
  }

  /** Runs one task of a number in a folder of its own, and gives that folder to a look at what it left. */
  async function run(
    work: Work,
    number: number,
    runner: (context: TaskContext) => Promise<unknown>,
    look: (folder: string) => Promise<void>,
  ): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'cuadro-work-'));
    try {
      await mkdir(join(folder, 'attempt'));
      const attempt = { epoch: { term: 1, peer: '12D3KooWAaaaaaaaaaaa' }, sequence: 1 };
      await runner({
        grant: { attempt, job: JOB, task: 0, redo: 0, retry: 0, leaseMs: 1 },
        job: { id: JOB } as JobRecord,
        task: { index: 0, group: 0, number, name: `frame ${number}`, work, requires: { engine: 'node' } },
        folder: join(folder, 'attempt'),
        logFile: join(folder, 'log'),
        signal: new AbortController().signal,
        progress: () => undefined,
        engineTurn: () => Promise.resolve(),
        engineFree: () => undefined,
      });
      await look(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it("R71: `{frame}` in a message stands for the task's number, wherever it is", async () => {
    const runner = createEchoSleepRunner({ clock: createSystemClock() });
    const work: Work = { kind: 'echo-sleep', message: '{frame}: frame {frame}.', sleepMs: 0 };
    await run(work, -7, runner, async (folder) => {
      assert.equal(await readFile(join(folder, 'log'), 'utf8'), '-7: frame -7.\n');
    });
  });

  it("R71: `{frame}` in a program's arguments stands for the task's number, wherever it is", async () => {
    const blobs = createMemoryBlobStore();
    await blobs.start();
    const program = process.execPath;
    const runner = createCommandRunner({
      blobs,
      clock: createSystemClock(),
      random: createSystemRandom(),
      allowedPrograms: () => [program],
    });
    const script = 'console.log(JSON.stringify(process.argv.slice(1)))';
    const work: Work = { kind: 'command', program, args: ['-e', script, '{frame}', 'a{frame}-{frame}.png'] };
    await run(work, 12, runner, async (folder) => {
      assert.match(await readFile(join(folder, 'log'), 'utf8'), /\["12","a12-12\.png"\]/);
    });
    await blobs.stop();
  });
});

/** Settings of each type that make a plan, and some that do not, with what is wrong with them first. */
const SETTINGS: Record<string, { good: object; tasks: number; bad: [settings: unknown, first: RegExp][] }> = {
  'blender-animation': {
    good: { frames: '1-5', samples: 8 },
    tasks: 6,
    bad: [
      [{}, /frames/],
      [{ frames: '1', samples: 0, resolutionPercent: 0 }, /samples/],
      [{ frames: '1', order: 'random' }, /order/],
      [{ frames: '1', sampels: 8 }, /sampels/],
      [{ frames: '1', tags: 'gpu' }, /tags/],
      [undefined, /blender-animation/],
    ],
  },
  command: {
    good: { program: 'render', args: ['{frame}'], frames: '1-3' },
    tasks: 3,
    bad: [
      [{ args: [] }, /program/],
      [{ program: 'render', argz: [] }, /argz/],
      [{ program: 'render', args: 'all' }, /args/],
      [{ program: 'render', timeoutMs: 0 }, /timeoutMs/],
    ],
  },
  'echo-sleep': {
    good: { frames: '1-4', sleepMs: 5 },
    tasks: 4,
    bad: [
      [{ sleepMs: -1 }, /sleepMs/],
      [{ message: 7 }, /message/],
      [{ mesage: 'Hello' }, /mesage/],
    ],
  },
};

describe('job types', () => {
  it('R72: are all tried here', () => {
    assert.deepEqual([...JOB_TYPES.keys()].sort(), Object.keys(SETTINGS).sort());
  });

  for (const [name, { good, tasks, bad }] of Object.entries(SETTINGS)) {
    const type = jobType(name);

    it(`R72: ${name} compiles settings to a plan, the same each time, and changes nothing`, () => {
      const given = structuredClone(good);
      const first = compileJob(type, given);
      assert.deepEqual(given, good);
      assert.deepEqual(encode(compileJob(type, good)), encode(first));
      assert.ok(planSchema.safeParse(first.plan).success);
      assert.equal(new PlanView(first.plan).taskCount, tasks);
      // What was parsed is what is kept, so compiling it again gives the same plan.
      assert.deepEqual(encode(compileJob(type, first.settings).plan), encode(first.plan));
    });

    for (const [settings, first] of bad) {
      it(`R72: ${name} refuses ${JSON.stringify(settings)} and names ${first.source}`, () => {
        assert.throws(
          () => compileJob(type, settings),
          (error) => {
            assert.ok(error instanceof CuadroError && error.code === 'settings-invalid');
            assert.match(error.message, first);
            return true;
          },
        );
      });
    }
  }

  it('R51: the first group of each type requires the tags that its job asks for, and none by itself', () => {
    for (const [name, { good }] of Object.entries(SETTINGS)) {
      const first = (settings: object) => compileJob(jobType(name), settings).plan.groups[0]?.requires;
      assert.deepEqual(first({ ...good, tags: ['gpu', 'big'] })?.tags, ['gpu', 'big'], name);
      assert.equal(first(good)?.tags, undefined, name);
    }
  });

  it('R72: names only the first finding', () => {
    const bad = { frames: '1', samples: 0, resolutionPercent: 0 };
    assert.throws(
      () => compileJob(jobType('blender-animation'), bad),
      (error) => error instanceof CuadroError && !error.message.includes('resolutionPercent'),
    );
  });

  it('R72: that nobody knows are refused by name', () => {
    assert.throws(
      () => jobType('maya'),
      (error) => error instanceof CuadroError && error.code === 'job-type-unknown',
    );
  });
});
