import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobTrouble, type AttemptView, type JobView, type TaskDetail } from '@cuadro/protocol';
import { JOB_A } from '../api/fakes.ts';
import { jobView, taskView } from '../api/views.ts';

const failedJob = (failed: number, change: Partial<JobView> = {}): JobView =>
  jobView(JOB_A, 1, {
    state: 'failed',
    reason: `${failed} of 40 tasks failed.`,
    counts: { total: 40, open: 0, rendered: 0, done: 40 - failed, failed, skipped: 0 },
    ...change,
  });

const attempt = (machine: string, code: string, message: string): AttemptView => ({
  attempt: `1.${machine}.1`,
  peer: `key of ${machine}`,
  machine,
  state: code === 'machine-lost' ? 'lost' : 'failed',
  code,
  message,
  lines: [],
  hasLog: true,
});

/** A task that was given up; the verdict is the message of its last attempt where no other is given. */
const failedTask = (index: number, attempts: AttemptView[], verdict?: string): TaskDetail => ({
  ...taskView(index, { state: 'failed', failures: attempts.length }),
  attempts,
  heldBy: [],
  why: `It failed: ${verdict ?? attempts.at(-1)?.message}`,
});

const CRASHED = 'Blender was ended by SIGSEGV while rendering frame 3.';

describe('what stopped a job, in one sentence', () => {
  test('nothing of a job that is well, or that a person ended', () => {
    const failed = [failedTask(2, [attempt('anvil', 'crashed', CRASHED)])];
    assert.equal(jobTrouble(jobView(JOB_A, 1, { counts: failedJob(0).counts }), []), undefined);
    assert.equal(jobTrouble(failedJob(1, { state: 'canceled' }), failed), undefined);
    assert.equal(jobTrouble(failedJob(1), []), undefined);
  });

  test('one task: on how many machines, the last one, and the attempt that tells', () => {
    const attempts = ['forge', 'kiln', 'anvil'].map((machine) => attempt(machine, 'crashed', CRASHED));
    const trouble = jobTrouble(failedJob(1), [failedTask(2, attempts)]);
    assert.equal(
      trouble?.sentence,
      'Frame 3 failed on 3 machines, at last on anvil: Blender was ended by SIGSEGV while rendering frame 3.',
    );
    assert.deepEqual(trouble.told, {
      task: 2,
      name: 'frame 3',
      attempt: '1.anvil.1',
      peer: 'key of anvil',
      machine: 'anvil',
      hasLog: true,
    });
    assert.equal(
      jobTrouble(failedJob(1), [failedTask(2, attempts.slice(0, 1))])?.sentence,
      'Frame 3 failed on forge: Blender was ended by SIGSEGV while rendering frame 3.',
    );
  });

  test('of several attempts the one that the verdict is of', () => {
    const attempts = [
      attempt('forge', 'no-camera', 'The scene has no camera.'),
      attempt('kiln', 'no-camera', 'The scene has no camera.'),
      attempt('anvil', 'crashed', CRASHED),
    ];
    const trouble = jobTrouble(failedJob(1), [failedTask(2, attempts, 'The scene has no camera.')]);
    assert.equal(trouble?.told?.machine, 'kiln');
    assert.match(trouble.sentence, /The scene has no camera\.$/);
    assert.match(trouble.next, /^Mend the scene and submit it again/);
  });

  test('several tasks: the most frequent kind of failure stands for all', () => {
    const crash = (index: number): TaskDetail => failedTask(index, [attempt('anvil', 'crashed', CRASHED)]);
    const memory = failedTask(0, [attempt('kiln', 'out-of-memory', 'It ran out of memory.')]);
    const sentence = (tasks: TaskDetail[], failed = tasks.length): string | undefined =>
      jobTrouble(failedJob(failed), tasks)?.sentence;
    assert.equal(sentence([crash(2), crash(5)]), `Frames 3 and 6 failed, frame 3 on anvil: ${CRASHED}`);
    assert.equal(
      sentence([memory, crash(2), crash(5)]),
      `Frames 1, 3 and 6 failed, most of them like frame 3 on anvil: ${CRASHED}`,
    );
    assert.equal(
      sentence([memory, crash(2)]),
      'Frames 1 and 3 failed for several reasons, frame 1 on kiln: It ran out of memory.',
    );
    assert.equal(sentence([crash(2), crash(5)], 30), `30 tasks failed, frame 3 on anvil: ${CRASHED}`);
  });

  test('machines that vanished: by the verdict, which no attempt says, and the last of them', () => {
    const lost = ['forge', 'anvil'].map((machine) =>
      attempt(machine, 'machine-lost', 'The machine vanished while it ran this.'),
    );
    const verdict = '5 machines vanished while they ran it, so no further one is risked.';
    const trouble = jobTrouble(failedJob(1), [failedTask(2, lost, verdict)]);
    assert.equal(
      trouble?.sentence,
      'Frame 3 failed on 2 machines, at last on anvil: 5 machines vanished while they ran it, so no further one is risked.',
    );
    assert.match(trouble.next, /before the failed tasks are requeued\.$/);
  });

  test('a job that waited for one that ended badly says so, and what becomes of it', () => {
    const reason = 'It waits for job #3 Cloth, which is failed.';
    const trouble = jobTrouble(failedJob(0, { state: 'skipped', reason }), []);
    assert.equal(trouble?.sentence, reason);
    assert.match(trouble.next, /once that job is done/);
    assert.equal(trouble.told, undefined);
  });
});
