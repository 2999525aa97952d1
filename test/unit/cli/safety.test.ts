import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EXIT, type JobView, machineSafety, nodeViewSchema } from '@cuadro/protocol';
import { JOB_A, JOB_B, nodeView, SELF } from '../api/fakes.ts';
import { farmView } from '../api/views.ts';
import { type Harness, startHarness } from './harness.ts';

/** What commands say of copies, and of machines that may be switched off (SPEC R58). */

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.stop());

const ATTIC = SELF.replaceAll('Test', 'Attc');
const notSafe: JobView['safety'] = {
  machines: 0,
  job: false,
  resultsOnOne: 0,
  resultsOnNone: 12,
  sentence: 'Not yet safe to switch off studio: 12 results are only there.',
};
const onlyOn = [{ peer: SELF, machine: 'studio', results: 12, scene: false }];

function twoMachines(): void {
  const { node } = harness;
  node.nodes = [nodeView(), { ...nodeView(), peer: ATTIC, name: 'attic', here: false }];
  node.farm = { ...farmView, members: 2, live: { running: 1, nodes: 2 } };
}

describe('show', () => {
  test('says what is in one copy only, where, and whether the machine may be switched off', async () => {
    harness.node.setJob(JOB_A, { safety: notSafe, onlyOn, oneCopyOnly: 12 });
    const { out } = await harness.run(['show', '1']);
    assert.match(out, /copies\s+scene and plan on 1 machine; 12 results in one copy only\n/);
    assert.match(out, /\n\s+only on studio: 12 results\n/);
    assert.match(out, /safety\s+Not yet safe to switch off studio: 12 results are only there\.\n/);
  });

  test('says that a job is not accepted by a second machine yet', async () => {
    harness.node.setJob(JOB_A, { acknowledged: false });
    const { out } = await harness.run(['show', '1']);
    assert.match(out, /scene and plan on 1 machine; a second machine is still taking its copy/);
  });

  test('R185: says that no machine has scene and plan whole, and what can not be had again', async () => {
    const problem = 'The file wood.png of its scene is damaged or gone here.';
    harness.node.setJob(JOB_A, { holders: 0, live: { running: 0, problem } });
    const { out } = await harness.run(['show', '1']);
    assert.match(
      out,
      /copies\s+no machine has scene and plan whole; each looks for what it lacks at all others/,
    );
    assert.match(out, /problem\s+The file wood\.png of its scene is damaged or gone here\.\n/);
  });

  test('says what a job waits for, and when it may be done', async () => {
    const waits = 'No machine can run it now. attic: It is paused.';
    harness.node.setJob(JOB_A, { live: { running: 0, waits, remainingMs: 61_000 } });
    const { out } = await harness.run(['show', '1']);
    assert.match(out, /now\s+No machine can run it now\. attic: It is paused\.\n/);
    assert.match(out, /forecast\s+1 min 01 s left, done about .*\d:\d\d/);
  });

  test('names the machines that hold a result', async () => {
    const [task] = harness.node.tasks;
    assert.ok(task !== undefined);
    harness.node.tasks = [
      { ...task, copies: 2, files: [{ name: 'a.png', blob: 'x', sizeBytes: 1, role: 'image' }] },
    ];
    const { out } = await harness.run(['show', '1', 'frame 1']);
    assert.match(out, /held by studio, attic\n/);
  });
});

describe('nodes', () => {
  test('notes which machines alone hold what jobs need', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, {
      onlyOn: [...onlyOn, { peer: ATTIC, machine: 'attic', results: 1, scene: true }],
    });
    const { err } = await harness.run(['nodes']);
    assert.match(err, /Only on studio: 12 results of #1 job 1\.\n/);
    assert.match(err, /Only on attic: 1 result and its scene or plan of #1 job 1\.\n/);
  });

  test('shows one machine: what it can do and does, and whether it may be switched off', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn });
    const { exit, out } = await harness.run(['nodes', 'Studio']);
    assert.equal(exit, EXIT.ok);
    for (const pattern of [
      /^studio \(here\)\n/,
      /role\s+coordinator/,
      /now\s+There is no job\.\n/,
      /engines\s+Blender 3\.4\.1, ffmpeg 6\.1\.1\n/,
      /renderers\s+CYCLES\n/,
      /cores\s+16, 64\.0 GiB of memory\n/,
      /tags\s+gpu\n/,
      /safety\s+Not yet safe to switch off: 12 results are only there\.\n\s+#1 job 1: 12 results\n/,
    ]) {
      assert.match(out, pattern);
    }
    const other = await harness.run(['nodes', 'attic', '--json']);
    const { safety, onlyHere, ...machine } = JSON.parse(other.out) as Record<string, unknown>;
    assert.equal(nodeViewSchema.parse(machine).peer, ATTIC);
    assert.deepEqual([safety, onlyHere], [machineSafety([], 2), []]);
  });

  test('knows no machine of another name', async () => {
    assert.equal((await harness.run(['nodes', 'nobody'])).exit, EXIT.notFound);
    assert.equal((await harness.run(['nodes', 'studio', '--history'])).exit, EXIT.usage);
  });
});

describe('door remove', () => {
  const answersYes = { ask: async () => true };
  const alone = [{ peer: ATTIC, machine: 'attic', results: 2, scene: true }];
  const calls = (): string[] => harness.node.calls.map(({ name }) => name);

  test('says what only that machine holds, and asks', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn: alone });
    const { err } = await harness.run(['door', 'remove', 'attic'], { ask: async () => false });
    assert.match(
      err,
      /^Only it holds 2 results and the scene or plan of a job; that goes to other machines first\.\n/,
    );
    const lost = await harness.run(['door', 'remove', 'attic', '--lose'], answersYes);
    assert.match(
      lost.err,
      /^Only it holds 2 results and the scene or plan of a job: results are then rendered/,
    );
    assert.equal(harness.node.calls.at(-1)?.name, 'removeMember');
  });

  test('says it to who asks for JSON, too: on standard error, with the answer alone on standard output', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn: alone });
    const { out, err } = await harness.run(['door', 'remove', 'attic', '--lose', '--json']);
    assert.match(err, /^Only it holds 2 results and the scene or plan of a job: results are then rendered/);
    assert.equal(typeof (JSON.parse(out) as { message: unknown }).message, 'string');
  });

  test('R162: has logs moved that only that machine holds, though nothing else is only there', async () => {
    twoMachines();
    harness.node.onlyLogs = { peer: ATTIC, attempts: 2 };
    const [member] = harness.node.door.members;
    assert.ok(member);
    harness.node.door = { ...harness.node.door, members: [{ ...member, peer: ATTIC, reachable: true }] };
    const [ran] = await Promise.all([
      harness.run(['door', 'remove', 'attic', '--json']),
      harness.node.called('setNode').then(() => {
        harness.node.door = { ...harness.node.door, members: [] };
      }),
    ]);
    assert.equal(ran.err, 'Only it holds logs of 2 failed attempts; that goes to other machines first.\n');
    assert.ok(!calls().includes('removeMember'));
    assert.match(ran.out, /it gave away what only it held, and left/);
    twoMachines();
    const lost = await harness.run(['door', 'remove', 'attic', '--lose'], answersYes);
    assert.match(lost.err, /^Only it holds logs of 2 failed attempts, and that is lost\.\n/);
    assert.equal(calls().at(-1), 'removeMember');
    const [studio, attic] = harness.node.nodes;
    assert.ok(studio && attic);
    harness.node.nodes = [studio, { ...attic, live: { ...attic.live, reachable: false } }];
    const away = await harness.run(['door', 'remove', 'attic'], answersYes);
    assert.match(away.err, /^Only it holds logs of 2 failed attempts, and that is lost\.\n/);
    assert.equal(away.exit, EXIT.ok, 'for logs nobody waits for a machine that is gone');
    harness.node.onlyLogs = undefined;
  });

  test('has it moved first, and is done once the machine is gone', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn: alone });
    const [member] = harness.node.door.members;
    assert.ok(member);
    harness.node.door = { ...harness.node.door, members: [{ ...member, peer: ATTIC, reachable: true }] };
    const [ran] = await Promise.all([
      harness.run(['door', 'remove', 'attic', '--reason', 'sold'], answersYes),
      harness.node.called('setNode').then(() => {
        harness.node.door = { ...harness.node.door, members: [] };
      }),
    ]);
    assert.deepEqual(harness.node.calls.find(({ name }) => name === 'setNode')?.args, [
      ATTIC,
      { leaving: { wanted: true, reason: 'sold' } },
    ]);
    assert.ok(!calls().includes('removeMember'));
    assert.match(ran.out, /^attic is no member any more: it gave away what only it held, and left\.\n/);
    assert.equal(ran.exit, EXIT.ok);
  });

  test('refuses where the machine is away, and says what can be done', async () => {
    twoMachines();
    const [studio, attic] = harness.node.nodes;
    assert.ok(studio && attic);
    harness.node.nodes = [studio, { ...attic, live: { ...attic.live, reachable: false } }];
    harness.node.setJob(JOB_A, { onlyOn: alone });
    const { exit, err } = await harness.run(['door', 'remove', 'attic', '--yes']);
    assert.equal(exit, EXIT.refused);
    assert.match(err, /attic can't be reached.*Start it and try again.*cuadro door remove attic --lose/);
    assert.ok(!calls().includes('removeMember') && !calls().includes('setNode'));
  });
});

describe('leave', () => {
  const left = { state: 'left', left: { results: 0, scenes: 0 }, message: 'It has left.' } as const;
  const moving = { state: 'moving', left: { results: 12, scenes: 0 }, message: 'It moves.' } as const;

  test('says what only this machine holds, moves it, and ends once it has left', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn });
    harness.node.departures = [moving, { ...moving, left: { results: 3, scenes: 0 } }, left];
    const asked: string[] = [];
    const { exit, out, err } = await harness.run(['leave'], {
      terminal: true,
      ask: async (question) => asked.push(question) > 0,
    });
    assert.match(
      err,
      /^Only this machine holds 12 results; that goes to other machines first:\n {2}12 results of #1 job 1\n/,
    );
    assert.match(err, /It moves\. {2}░+ {2}0\/12/);
    assert.match(err, /It moves\. {2}█+░+ {2}9\/12/);
    assert.match(asked.join(), /^Leave farm\? That is final for this machine's key\. \[y\/N\] $/);
    assert.deepEqual(harness.node.calls.find(({ name }) => name === 'setNode')?.args, [
      SELF,
      { leaving: { wanted: true, reason: '' } },
    ]);
    assert.equal(exit, EXIT.ok);
    assert.equal(out, `${harness.node.door.message}\n`);
  });

  test('says so where only logs of failures are nowhere else', async () => {
    twoMachines();
    harness.node.here = { ...harness.node.here, copiesToGive: { results: 0, jobs: 0, logs: 3 } };
    harness.node.departures = [left];
    const { err } = await harness.run(['leave', '--yes']);
    assert.match(
      err,
      /^Only this machine holds logs of 3 failed attempts; that goes to other machines first\.\n/,
    );
  });

  test('does nothing where a person says no, and loses what it has only where one says so', async () => {
    twoMachines();
    harness.node.setJob(JOB_A, { onlyOn });
    const no = await harness.run(['leave'], { ask: async () => false });
    assert.equal(no.exit, EXIT.failure);
    const lose = await harness.run(['leave', '--lose', '--yes'], {
      ask: async () => assert.fail('It asked.'),
    });
    assert.match(lose.err, /Only this machine holds 12 results; that is lost to the farm/);
    const changes = harness.node.calls.filter(({ name }) => name === 'setNode' || name === 'leaveNow');
    assert.deepEqual(
      changes.map(({ name }) => name),
      ['leaveNow'],
    );
  });

  test('is refused where the farm has no other machine, before anything is said of copies', async () => {
    const [studio] = harness.node.door.members;
    assert.ok(studio);
    harness.node.door = { ...harness.node.door, members: [studio] };
    const { exit, err } = await harness.run(['leave', '--yes']);
    assert.equal(exit, EXIT.refused);
    assert.equal(err, 'cuadro: This machine is the only one in its farm: there is nobody to leave.\n');
  });

  test('says what is in its way where it can not go, and lets it stay', async () => {
    twoMachines();
    harness.node.departures = [{ ...moving, state: 'blocked', message: 'No other machine takes it.' }];
    const { exit, err } = await harness.run(['leave', '--yes']);
    assert.equal(exit, EXIT.refused);
    assert.match(
      err,
      /No other machine takes it\. 12 things of 12 could not be moved, so it stays.*cuadro leave --lose/,
    );
    const wishes = harness.node.calls.filter(({ name }) => name === 'setNode').map(({ args }) => args[1]);
    assert.deepEqual(wishes.at(-1), { leaving: { wanted: false, reason: '' } });
    harness.node.door = { ...harness.node.door, message: 'This machine has left.' };
    harness.node.departures = [left];
    assert.deepEqual(JSON.parse((await harness.run(['leave', '--json'])).out), {
      machines: 1,
      message: 'This machine has left.',
    });
  });

  test('Ctrl-C lets it stay', async () => {
    harness.node.departures = [moving];
    const ended = new AbortController();
    const [ran] = await Promise.all([
      harness.run(['leave', '--yes'], { signal: ended.signal }),
      harness.node.called('setNode').then(() => ended.abort()),
    ]);
    assert.equal(ran.exit, EXIT.interrupted);
    const wishes = harness.node.calls.filter(({ name }) => name === 'setNode').map(({ args }) => args[1]);
    assert.deepEqual(wishes.at(-1), { leaving: { wanted: false, reason: '' } });
  });

  test('is refused on a machine that is in no farm', async () => {
    harness.node.door = { ...harness.node.door, state: 'looking', message: 'It looks for a farm.' };
    const { exit, err } = await harness.run(['leave', '--yes']);
    assert.equal(exit, EXIT.refused);
    assert.match(err, /It looks for a farm\./);
  });
});

describe('watch', () => {
  const done: Partial<JobView> = {
    state: 'done',
    counts: { total: 3, open: 0, rendered: 3, done: 0, failed: 0, skipped: 0 },
    live: { running: 0 },
  };
  /** Changes something once the watcher has read the jobs; it listens by then. */
  async function whenRead(change: () => void): Promise<void> {
    const { node } = harness;
    const read = Promise.withResolvers<void>();
    node.onRead = () => {
      if (node.hub.listeners > 0) read.resolve();
    };
    await read.promise;
    node.onRead = undefined;
    change();
  }

  test('says once that the machine may be switched off, and at the end how it stands', async () => {
    const { node } = harness;
    node.setJob(JOB_A, { safety: notSafe });
    const safe = {
      ...notSafe,
      machines: 1,
      resultsOnNone: 0,
      sentence: 'Safe to switch off studio: SO FAR.',
    };
    const [ran] = await Promise.all([
      harness.run(['watch', '1']),
      whenRead(() => {
        for (const sentence of [safe.sentence, 'Safe to switch off studio: AGAIN.']) {
          node.setJob(JOB_A, { safety: { ...safe, sentence } });
          node.hub.flush();
        }
        node.setJob(JOB_A, { ...done, safety: { ...safe, sentence: 'Safe to switch off studio: ALL.' } });
      }),
    ]);
    assert.deepEqual(ran.err.match(/Safe to switch off studio: \w+/g), [
      'Safe to switch off studio: SO',
      'Safe to switch off studio: ALL',
    ]);
  });

  test('with other machines there, waits for the last copies', async () => {
    twoMachines();
    const { node } = harness;
    const called = node.called('farm');
    let hasEnded = false;
    const watched = harness.run(['watch', '1']).finally(() => {
      hasEnded = true;
    });
    await whenRead(() => node.setJob(JOB_A, { ...done, onlyOn }));
    await called;
    // An answer later than the one that the watcher waited for: it had everything by now.
    await harness.run(['jobs']);
    assert.equal(hasEnded, false);
    node.setJob(JOB_A, { onlyOn: [] });
    assert.equal((await watched).exit, EXIT.ok);
  });

  test('says what a job waits for as machines change', async () => {
    const { node } = harness;
    node.setJob(JOB_A, { live: { running: 0, waits: 'No machine is here to run it.' } });
    node.setJob(JOB_B, { state: 'canceled' });
    const [ran] = await Promise.all([
      harness.run(['watch', '1'], { terminal: true }),
      whenRead(() => node.setJob(JOB_A, done)),
    ]);
    assert.match(ran.err, /active: No machine is here to run it\./);
  });
});
