import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CuadroError, EXIT, ROUTES } from '@cuadro/protocol';
import type { z } from 'zod';
import { JOB_A, JOB_B, jobView, SELF } from '../api/fakes.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
after(() => harness.stop());

const lastCall = () =>
  harness.node.calls.filter((call) => !['farm', 'jobs', 'tasks'].includes(call.name)).at(-1);

describe('commands that read', () => {
  const table: [args: string[], pattern: RegExp][] = [
    [['jobs'], /#1\s+aaaabbbb\s+active\s+1\/3 \(1 failed\)\s+1\s+50\s+job 1\n#12\s+aaaacccc\s+paused/],
    [
      ['show', '12'],
      /Würfel "rot"[\s\S]*paused\n\s+why\s+Frame 2 failed on studio: Blender crashed\.\n\s+next\s+Read the log, [\s\S]*progress[\s\S]*1\/3[\s\S]*frame 2 failed: Blender crashed\.\n\s+Error: it went wrong/,
    ],
    [
      ['show', JOB_A, 'frame 2'],
      /frame 2\s+failed\n\s+It waits for a free machine\.\n\s+attempt 1\.2 on studio: failed: Blender crashed/,
    ],
    [
      ['show', JOB_A, '--tasks'],
      /^TASK\s+STATE\s+TIME\s+MACHINE\s+FAILED ATTEMPTS\nframe 1\s+rendered\s+0\.5 s[^\n]*\nframe 2\s+failed\s+3\nframe 3\s+running 50 %\s+studio\n$/,
    ],
    [['show', JOB_A, '3'], /frame 3\s+running 50 % on studio/],
    [['logs', JOB_A, 'frame 1'], /Fra:1/],
    [
      ['nodes'],
      /studio \(here\)\s+coordinator\s+1\s+16\s+64\.0 GiB\s+954 MiB\s+Blender 3\.4\.1, ffmpeg 6\.1\.1\s+gpu\s+There is no job\./,
    ],
    [
      ['nodes', '--history'],
      /attic\s+it led already when this machine found it\n.*studio\s+1\.5 s\s+it took over: attic was lost\n/,
    ],
    [['config'], /slots\s+1\s+Tasks at the same time/],
    [['config', 'get', 'slots'], /^1\n$/],
    [['dashboard', '--print'], /^http:\/\/127\.0\.0\.1:\d+\/signin\?token=secret-token-of-the-test\n$/],
  ];
  for (const [args, pattern] of table) {
    test(args.join(' '), async () => {
      const { exit, out, err } = await harness.run(args);
      assert.match(out, pattern);
      assert.equal(err, '');
      assert.equal(exit, EXIT.ok);
    });
  }

  const json: [args: string[], schema: z.ZodType | undefined][] = [
    [['jobs'], ROUTES.jobs.response],
    [['show', '12'], ROUTES.job.response],
    [['show', '12', '2'], ROUTES.task.response],
    [['show', '12', '--tasks'], ROUTES.tasks.response.shape.tasks],
    [['logs', '12'], undefined],
    [['nodes'], ROUTES.nodes.response],
    [['nodes', '--history'], ROUTES.farm.response.shape.coordinators],
    [['night', '--hours', '8'], ROUTES.night.response],
    [['config'], ROUTES.config.response],
    [['dashboard'], undefined],
    [['fetch', '12', '--to', 'x'], ROUTES.fetchJob.response],
    [['pause', '--here'], ROUTES.setNode.response],
  ];
  for (const [args, schema] of json) {
    test(`${args.join(' ')} --json`, async () => {
      const { exit, out, err } = await harness.run([...args, '--json'], { terminal: true });
      const value: unknown = JSON.parse(out);
      schema?.parse(value);
      assert.deepEqual([exit, err], [EXIT.ok, '']);
      // oxlint-disable-next-line no-control-regex -- that there are none is what is asked
      assert.doesNotMatch(out, /\u001b/);
    });
  }

  test('names cannot steer the terminal', async () => {
    const { jobs } = harness.node;
    harness.node.jobs = [jobView(JOB_A, 1, { name: 'a\u001b[2Jb\u0007\nc' })];
    const { out } = await harness.run(['jobs']);
    harness.node.jobs = jobs;
    assert.match(out, /ab {2}c\n$/);
  });

  test('no jobs at all is no failure', async () => {
    const { jobs } = harness.node;
    harness.node.jobs = [];
    const { exit, out, err } = await harness.run(['jobs']);
    harness.node.jobs = jobs;
    assert.deepEqual([exit, out], [EXIT.ok, '']);
    assert.match(err, /cuadro submit/);
  });
});

describe('commands that change', () => {
  const table: [args: string[], name: string, callArgs: unknown[]][] = [
    [['pause', '12'], 'setJob', [JOB_B, { desired: 'paused' }]],
    [['resume', '12'], 'setJob', [JOB_B, { desired: 'active' }]],
    [['cancel', '#1', '12'], 'setJob', [JOB_B, { desired: 'canceled' }]],
    [['priority', '12', '80'], 'setJob', [JOB_B, { priority: 80 }]],
    [['pause', '--here'], 'setNode', [SELF, { ownerDesired: 'paused' }]],
    [['resume', '--here'], 'setNode', [SELF, { ownerDesired: 'active' }]],
    [['pause', '--machine', 'Studio'], 'setNode', [SELF, { desired: 'paused' }]],
    [['resume', '--machine', 'studio'], 'setNode', [SELF, { desired: 'active' }]],
    [['drain', 'studio'], 'setNode', [SELF, { desired: 'draining' }]],
    [['drain', '--here'], 'setNode', [SELF, { ownerDesired: 'draining' }]],
    [['tag', 'studio', 'gpu', 'fast'], 'setNode', [SELF, { tags: ['gpu', 'fast'] }]],
    [['tag', 'here'], 'setNode', [SELF, { tags: [] }]],
    [
      ['hours', 'studio', 'Sun', '22:00-06:00,', 'Mon'],
      'setNode',
      [
        SELF,
        {
          hours: {
            spans: [
              { start: 9_960, end: 360 },
              { start: 0, end: 1_440 },
            ],
          },
        },
      ],
    ],
    [['hours', 'here', 'always'], 'setNode', [SELF, { hours: { spans: [] } }]],
    [['slots', 'studio', '2'], 'setNode', [SELF, { slots: 2 }]],
    [['requeue', '12'], 'requeue', [JOB_B, 'failed']],
    [['requeue', '12', '--failed'], 'requeue', [JOB_B, 'failed']],
    [['requeue', '12', '--all'], 'requeue', [JOB_B, 'all']],
    [['requeue', '12', '7', '9-12', 'film'], 'requeue', [JOB_B, ['7', '9-12', 'film']]],
    [['requeue', '12', '--', '-5-5'], 'requeue', [JOB_B, ['-5-5']]],
    [['delete', '12'], 'deleteJob', [JOB_B]],
    [['config', 'set', 'slots', '3'], 'setConfig', [{ slots: 3 }]],
    [
      ['config', 'set', 'programs', 'convert', 'oiiotool'],
      'setConfig',
      [{ programs: ['convert', 'oiiotool'] }],
    ],
    [['config', 'set', 'programs'], 'setConfig', [{ programs: [] }]],
    [['config', 'set', 'allowScripts', 'yes'], 'setConfig', [{ allowScripts: true }]],
    [['config', 'set', 'blender', ''], 'setConfig', [{ blender: '' }]],
  ];
  for (const [args, name, callArgs] of table) {
    test(args.join(' '), async () => {
      const { exit, out, err } = await harness.run(args);
      assert.deepEqual(lastCall(), { name, args: callArgs });
      assert.deepEqual([exit, err], [EXIT.ok, '']);
      assert.notEqual(out, '');
    });
  }

  test('Ctrl-C and Ctrl-D at a question interrupt, and nothing is done', async () => {
    const ask = async (): Promise<boolean> => {
      throw new DOMException('Aborted with Ctrl+D', 'AbortError');
    };
    const before = harness.node.calls.length;
    const { exit, err } = await harness.run(['delete', '12'], { ask });
    assert.deepEqual([exit, err], [EXIT.interrupted, 'cuadro: Interrupted.\n']);
    assert.ok(harness.node.calls.slice(before).every(({ name }) => name !== 'deleteJob'));
  });

  test('delete asks on a terminal', async () => {
    const asked: string[] = [];
    const answer = (yes: boolean) => async (question: string) => {
      asked.push(question);
      return yes;
    };
    const before = harness.node.calls.length;
    const no = await harness.run(['delete', '12', '#1'], { ask: answer(false) });
    assert.equal(no.exit, EXIT.failure);
    assert.match(asked[0] ?? '', /#12 Würfel "rot", #1 job 1/);
    assert.ok(!harness.node.calls.slice(before).some((call) => call.name === 'deleteJob'));
    await harness.run(['delete', '12'], { ask: answer(true) });
    assert.deepEqual(lastCall()?.name, 'deleteJob');
    await harness.run(['delete', '12', '--yes'], { ask: answer(false) });
    assert.equal(asked.length, 2);
  });
});

describe('submit', () => {
  const body = () => lastCall()?.args[0] as Record<string, unknown>;

  test('makes the path absolute and says what became of it', async () => {
    const { exit, out, err } = await harness.run([
      'submit',
      'scene.blend',
      '--frames',
      '-5-5',
      '--output',
      'out',
    ]);
    assert.deepEqual(body(), {
      type: 'blender-animation',
      path: harness.blend,
      settings: { frames: '-5-5' },
      after: [],
      outputFolder: join(harness.folder, 'out'),
    });
    assert.match(
      out,
      /Submitted #13 new \(nnnnbbbbccccdddd\): 3 tasks\.\nFiles go to .*\nKept on this machine\./,
    );
    assert.equal(err, 'Warning: wood.png is missing.\n');
    assert.equal(exit, EXIT.ok);
  });

  test('every option', async () => {
    const options =
      '--frames 1-3 --name n --overwrite --priority 70 --paused --samples 4 --percent 50 --camera c --scene s --format PNG --allow-scripts --no-denoise --no-film --after 1 --after 12 --coarse-to-fine --machines 2 --tags gpu,big --set renderEngine=CYCLES --set x=[1,true] --notes hello';
    await harness.run(['submit', harness.blend, ...options.split(' ')]);
    assert.deepEqual(body(), {
      type: 'blender-animation',
      path: harness.blend,
      name: 'n',
      settings: {
        tags: ['gpu', 'big'],
        frames: '1-3',
        samples: 4,
        resolutionPercent: 50,
        camera: 'c',
        scene: 's',
        format: 'PNG',
        allowScripts: true,
        denoise: false,
        film: false,
        order: 'coarse-to-fine',
        renderEngine: 'CYCLES',
        x: [1, true],
      },
      priority: 70,
      paused: true,
      after: [JOB_A, JOB_B],
      overwrite: true,
      notes: 'hello',
      machineLimit: 2,
    });
  });

  test('a command with its own options', async () => {
    await harness.run([
      'submit',
      '--type',
      'command',
      '--frames',
      '1-3',
      '--',
      'convert',
      '--json',
      '-x',
      'a b',
    ]);
    assert.deepEqual(body()['settings'], {
      program: 'convert',
      args: ['--json', '-x', 'a b'],
      frames: '1-3',
    });
    assert.equal(body()['path'], undefined);
    await harness.run(['submit', '--type', 'echo-sleep', '--set', 'sleepMs=5']);
    assert.deepEqual(body()['settings'], { sleepMs: 5 });
  });

  test('shows its steps on a terminal', async () => {
    harness.node.onSubmit = async ({ submission }) => {
      const step = { kind: 'submission', submission: String(submission), fraction: 0.5 } as const;
      harness.node.emit({ ...step, step: 'tracing', text: 'Looking for files' });
      harness.node.emit({ ...step, submission: 'another', step: 'storing', text: 'Not mine' });
      // The client must have had the time to draw: its answer comes on another connection.
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const { exit, err, out } = await harness.run(['submit', harness.blend], { terminal: true });
    harness.node.onSubmit = undefined;
    assert.match(err, /Looking for files 50 %/);
    assert.doesNotMatch(err, /Not mine/);
    assert.match(out, /Submitted/);
    assert.equal(exit, EXIT.ok);
  });

  test('preflight', async () => {
    const good = await harness.run(['preflight', harness.blend]);
    assert.deepEqual(good, { exit: EXIT.ok, out: 'Nothing stands in the way.\n', err: '' });
    const { writeFile } = await import('node:fs/promises');
    await writeFile(join(harness.folder, 'bad.blend'), 'BLENDER');
    const bad = await harness.run(['preflight', 'bad.blend']);
    assert.deepEqual(bad, { exit: EXIT.refused, out: '', err: 'Error: The scene has no camera.\n' });
    const json = await harness.run(['preflight', 'bad.blend', '--json']);
    assert.equal(json.exit, EXIT.refused);
    ROUTES.preflight.response.parse(JSON.parse(json.out));
  });
});

describe('a job is named as people name it', () => {
  test('by its name where no id begins so, in any case of letters', async () => {
    const ran = await harness.run(['show', 'Job 1']);
    assert.match(ran.out, /^#1 job 1\n/);
    assert.equal(ran.exit, EXIT.ok);
  });

  test('a name that two jobs have names neither', async () => {
    const { jobs } = harness.node;
    harness.node.jobs = jobs.map((job) => ({ ...job, name: 'shot' }));
    const ran = await harness.run(['show', 'shot']);
    harness.node.jobs = jobs;
    assert.match(ran.err, /Several jobs start with "shot" or are called so: aaaabbbb.*, aaaacccc/);
    assert.deepEqual([ran.exit, ran.out], [EXIT.notFound, '']);
  });
});

describe('errors: one sentence, and the exit code by the catalogue', () => {
  const table: [args: string[], exit: number, pattern: RegExp][] = [
    [['show', 'nope'], EXIT.notFound, /There is no job "nope"\. `cuadro jobs` lists them\./],
    [['show', 'aaaa'], EXIT.notFound, /Several jobs start with "aaaa"/],
    [['show', 'job'], EXIT.notFound, /There is no job "job"/],
    [['show', JOB_A, 'film'], EXIT.notFound, /has no task "film"/],
    [['submit', 'gone.blend'], EXIT.notFound, /There is no file .*gone\.blend/],
    [['submit', '.'], EXIT.refused, /is not a file/],
    [['submit'], EXIT.usage, /Name the scene/],
    [['submit', 'scene.blend', 'b.blend'], EXIT.usage, /too many/],
    [['submit', '--type', 'command'], EXIT.usage, /Name the program/],
    [['submit', 'scene.blend', '--frames', '10-1'], EXIT.usage, /ends before it starts/],
    [['submit', 'scene.blend', '--frames', ''], EXIT.usage, /empty/],
    [['submit', 'scene.blend', '--frames', '1-1000000000'], EXIT.usage, /beyond frame/],
    [['submit', 'scene.blend', '--priority', 'high'], EXIT.usage, /whole number/],
    [['submit', 'scene.blend', '--priority', '101'], EXIT.usage, /A priority is 100 at most/],
    [['submit', 'scene.blend', '--tags', 'gpu,'], EXIT.usage, /no list of tags/],
    [['submit', 'scene.blend', '--set', 'x'], EXIT.usage, /--set key=value/],
    [['submit', 'scene.blend', '--after', 'nope'], EXIT.notFound, /There is no job/],
    [['jbos'], EXIT.usage, /Unknown command 'jbos' \(Did you mean jobs\?\)/],
    [['jobs', '--jsno'], EXIT.usage, /Did you mean --json\?/],
    [['jobs', 'x'], EXIT.usage, /[Tt]oo many arguments/],
    [['show', '12', '2', '--tasks'], EXIT.usage, /cuadro show JOB --tasks/],
    [['show'], EXIT.usage, /[Mm]issing required argument 'job'/],
    [['fetch', '12'], EXIT.usage, /--to/],
    [['pause'], EXIT.usage, /Name a job/],
    [['pause', '12', '--here'], EXIT.usage, /not both/],
    [['pause', '12', '--machine', 'studio'], EXIT.usage, /not both/],
    [['pause', '--machine', 'nowhere'], EXIT.notFound, /nowhere/],
    [['drain'], EXIT.usage, /Name a machine/],
    [['drain', 'studio', '--here'], EXIT.usage, /not both/],
    [['priority', '12', 'high'], EXIT.usage, /"high" is no whole number/],
    [['priority', '12', '150'], EXIT.usage, /A priority is 100 at most/],
    [['slots', 'studio', 'many'], EXIT.usage, /whole number/],
    [['hours', 'studio', 'never'], EXIT.usage, /"never" are no hours/],
    [['requeue', '12', '--all', '--failed'], EXIT.usage, /only one/],
    [['config', 'get', 'slotz'], EXIT.usage, /there are name, slots/],
    [['config', 'set', 'slots', 'many'], EXIT.usage, /slots can't be "many": it must be a number\./],
    [['config', 'set', 'slots', '0'], EXIT.usage, /slots can't be "0": it must be at least 1\./],
    [['config', 'set', 'slots', '1', '2'], EXIT.usage, /one value/],
    [['config', 'drop'], EXIT.usage, /can't "drop"/],
    [['up', '--port', '70000'], EXIT.usage, /65535/],
    [['jobs', '--data', '/nonexistent'], EXIT.noNode, /No node runs .*\/nonexistent.*cuadro up/],
  ];
  for (const [args, exit, pattern] of table) {
    test(args.join(' '), async () => {
      const ran = await harness.run(args);
      assert.match(ran.err, pattern);
      assert.deepEqual([ran.exit, ran.out], [exit, '']);
      const json = await harness.run([args[0] as string, '--json', ...args.slice(1)]);
      assert.deepEqual([json.exit, json.err], [exit, '']);
      const { error } = JSON.parse(json.out) as { error: { code: string; message: string } };
      assert.match(error.message, pattern);
      const help = args[0] === 'jbos' ? 'cuadro --help' : `cuadro ${args[0]} --help`;
      assert.equal(ran.err, `cuadro: ${error.message}\n${error.code === 'usage' ? `See: ${help}\n` : ''}`);
    });
  }

  test("the node's own", async () => {
    harness.node.failure = new CuadroError('preflight-failed', { why: 'The scene has no camera.' });
    const refused = await harness.run(['submit', 'scene.blend']);
    assert.deepEqual(refused, {
      exit: EXIT.refused,
      out: '',
      err: "cuadro: The scene can't be rendered as it is: The scene has no camera.\n",
    });
    harness.node.failure = new Error('broken');
    const internal = await harness.run(['jobs', '--json']);
    assert.equal(internal.exit, EXIT.failure);
    assert.equal((JSON.parse(internal.out) as { error: { code: string } }).error.code, 'internal');
  });

  test('Ctrl-C ends a submission', async () => {
    const interrupt = new AbortController();
    const ended = Promise.withResolvers<void>();
    harness.node.onSubmit = async (_, signal) => {
      signal.addEventListener('abort', () => ended.resolve());
      interrupt.abort();
      await ended.promise;
    };
    const { exit } = await harness.run(['submit', 'scene.blend'], { signal: interrupt.signal });
    assert.equal(exit, EXIT.interrupted);
    await ended.promise;
    harness.node.onSubmit = undefined;
  });
});
