import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  jobMark,
  signField,
  signRemoval,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, type Farm, framesPlan, SELF, signer, withDesired } from './farm.ts';
import { granted, leading, learn, memberOf, sentTo } from './members.ts';

/** A member's record with this machine's word that it is removed, and of which jobs it knew. */
function removed(peer: string, jobs: readonly JobRecord[]): MemberRecord {
  const named = { stands: [], jobs: jobs.map(({ spec }) => jobMark(spec)) };
  const removal = signRemoval(signer(SELF), peer, { reason: 'sold', wallTime: 2, ...named });
  return { ...memberOf(peer), removals: { [SELF]: removal } };
}

/** Belén has submitted a job, which Carmen is at; then this is heard. */
function afterHearing(recordOf: (job: JobRecord) => KnownRecord) {
  const farm = leading(BELEN, CARMEN);
  farm.claim(BELEN, { sequence: 2, wants: 0 });
  const id = learn(farm, framesPlan('1-2'), BELEN);
  farm.beacon(
    CARMEN,
    sentTo(CARMEN, 'grants', farm.effects).flatMap(({ grants }) => grants),
  );
  const job = farm.core.jobRecord(id) as JobRecord;
  const effects = farm.records(recordOf(job));
  return { farm, id, job, effects };
}

/** Carmen says that she runs nothing any more, and wants more. */
function hasStopped(farm: Farm): CoreEffect[] {
  return [...farm.beacon(CARMEN, []), ...farm.claim(CARMEN, { sequence: 5, wants: 2 })];
}

const stateOf = (farm: Farm, id: string) => farm.core.job(id)?.state;

describe('R143: at its coordinator a job of a machine that is removed', () => {
  it('goes on where its removal names it', () => {
    const { farm, id, effects } = afterHearing((job) => removed(BELEN, [job]));
    assert.equal(stateOf(farm, id), 'queued');
    assert.deepEqual(sentTo(CARMEN, 'stop', effects), []);
  });

  it('is stopped where its removal does not name it, says why, and is granted to nobody', () => {
    const { farm, id, effects } = afterHearing(() => removed(BELEN, []));
    assert.equal(stateOf(farm, id), 'paused');
    assert.equal(sentTo(CARMEN, 'stop', effects).length, 2);
    assert.match(farm.core.job(id)?.reason ?? '', /did not know of this job/);
    assert.match(farm.core.task(id, 0)?.why ?? '', /once somebody resumes it/);
    assert.deepEqual(granted(hasStopped(farm)), []);
  });

  it('stands again once another removal names it', () => {
    const { farm, id, job } = afterHearing(() => removed(BELEN, []));
    const jobs = [jobMark(job.spec)];
    const removal = signRemoval(signer(CARMEN), BELEN, { reason: '', wallTime: 3, stands: [], jobs });
    farm.records({ ...memberOf(BELEN), removals: { [CARMEN]: removal } });
    assert.notEqual(stateOf(farm, id), 'paused');
  });

  it('is paused where it comes before the word that its author is a member, and stands with that', () => {
    const farm = leading(CARMEN);
    const id = learn(farm, framesPlan('1-2'), BELEN);
    assert.equal(stateOf(farm, id), 'paused');
    assert.notEqual(farm.core.job(id)?.reason, undefined);
    farm.records(memberOf(BELEN));
    assert.equal(stateOf(farm, id), 'queued');
    assert.equal(farm.core.job(id)?.reason, undefined);
  });

  it('is paused also where it comes after the removal, and is granted once a member resumes it', () => {
    const farm = leading(BELEN, CARMEN);
    farm.records(removed(BELEN, []));
    const id = learn(farm, framesPlan('1-2'), BELEN);
    assert.equal(stateOf(farm, id), 'paused');
    assert.deepEqual(granted(farm.effects), []);
    const effects = farm.records(withDesired(farm.core.jobRecord(id) as JobRecord, 'active'));
    assert.equal(stateOf(farm, id), 'queued');
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 1`]);
  });
});

it('R144: what a removed machine asked of jobs of others before that was known stands', () => {
  const farm = leading(BELEN, CARMEN);
  const { id } = farm.submit(framesPlan('1-2'));
  const job = farm.core.jobRecord(id) as JobRecord;
  const paused = signField(signer(BELEN), 'job-control', `${id}/desired`, 'paused' as const, 1);
  farm.step({ kind: 'records', from: BELEN, records: [{ ...job, control: { desired: paused } }] });
  farm.records(removed(BELEN, []));
  assert.deepEqual([stateOf(farm, id), farm.core.job(id)?.reason], ['paused', undefined]);
  const again = farm.core.jobRecord(id) as JobRecord;
  farm.records(withDesired(again, 'active'));
  assert.equal(stateOf(farm, id), 'queued', 'and whoever is in takes it back as any other');
});
