import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BELEN, capabilities, Farm, framesPlan, SELF, withRequest } from './farm.ts';

describe('what a redo discards', () => {
  it('takes no film made of a frame that is being made again (SPEC R39)', () => {
    const farm = new Farm().start();
    const job = farm.submit(framesPlan('1-2', { film: true }));
    for (const index of [0, 1]) {
      const run = farm.held().find(({ task }) => task.index === index);
      assert.ok(run);
      farm.finish(run.grant.attempt);
    }
    const film = farm.held().find(({ task }) => task.index === 2);
    assert.ok(film);
    // A person redoes frame 1 while the film is made; what `requeue` asks for: the film has no result yet.
    farm.records(withRequest(job, 'redo', [0], 1));
    // The film was ready before the stop reached its worker.
    farm.step({
      kind: 'ended',
      attempt: film.grant.attempt,
      outcome: { kind: 'result', files: [], renderMs: 1, inputRedo: 0, wallTime: 1 },
    });
    farm.running.clear();
    const redone = [...farm.effects]
      .reverse()
      .find((effect) => effect.kind === 'run' && effect.task.index === 0);
    assert.ok(redone?.kind === 'run');
    farm.step({
      kind: 'ended',
      attempt: redone.grant.attempt,
      outcome: { kind: 'result', files: [], renderMs: 1, wallTime: 2 },
    });
    const view = farm.core.job(job.id);
    assert.equal(
      view?.filmStale,
      false,
      `the job is ${view?.state} with a film of the discarded frame, for good`,
    );
  });

  it('binds an engine to a version only by results and grants of that engine (SPEC R51)', () => {
    const farm = new Farm().start();
    const job = farm.submit(framesPlan('1-2', { film: true }));
    farm.finishAll();
    assert.equal(farm.core.job(job.id)?.state, 'done');
    // This machine leaves; the other has the same Blender and another ffmpeg. The only film is discarded.
    farm.work({ accepting: false });
    farm.claim(BELEN, { can: capabilities({ engines: { node: '1', blender: '3.4.1', ffmpeg: '6.0' } }) });
    farm.records(withRequest(job, 'redo', [2], 1));
    const why = farm.core.task(job.id, 2)?.why;
    assert.match(why ?? '', /runs on|next on/, `${SELF} made the discarded film: ${why}`);
  });
});
