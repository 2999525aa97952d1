import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  deriveJob,
  isUnclaimed,
  jobMark,
  marksOf,
  members,
  PlanView,
  signField,
  signJobSpec,
  signRemoval,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
  type Signer,
} from '@cuadro/protocol';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import { deleted, framesPlan, jobRecord } from '../core/farm.ts';
import { FARM, farmRecord, memberOf } from '../core/members.ts';

const [ana, belen, carmen] = [temporaryIdentity(), temporaryIdentity(), temporaryIdentity()];
const farm = farmRecord(FARM, { founder: ana.peer });
const admitted = ({ peer }: Signer): MemberRecord => memberOf(peer, FARM, ana.peer);

/** A job of Belén's; another time is another content. */
function jobOf(author: Signer, wallTime = 1): JobRecord {
  const record = jobRecord(framesPlan('1-2'));
  const { author: _author, signature: _signature, ...spec } = record.spec;
  return { ...record, spec: signJobSpec(author, { ...spec, wallTime }) };
}

const known = jobOf(belen);
const later = jobOf(belen, 2);

function removed(who: Signer, by: Signer, jobs?: readonly JobRecord[]): MemberRecord {
  const named = jobs && { jobs: jobs.map(({ spec }) => jobMark(spec)) };
  const removal = signRemoval(by, who.peer, { reason: 'sold', wallTime: 2, stands: [], ...named });
  return { ...admitted(who), removals: { [by.peer]: removal } };
}

const resumedBy = (job: JobRecord, by: Signer): JobRecord => ({
  ...job,
  control: { desired: signField(by, 'job-control', `${job.id}/desired`, 'active' as const, 1) },
});

const isHeldBack = (job: JobRecord, ...records: readonly MemberRecord[]): boolean =>
  isUnclaimed(job, members(farm, [admitted(ana), admitted(carmen), ...records]));

describe('R143: a job', () => {
  it('stands by its author as long as that is a member', () => {
    assert.equal(isHeldBack(known, admitted(belen)), false);
  });

  it('stands after the removal of its author where that names it, and not where it does not', () => {
    assert.equal(isHeldBack(known, removed(belen, ana, [known])), false);
    assert.equal(isHeldBack(later, removed(belen, ana, [known])), true);
    assert.equal(isHeldBack(known, removed(belen, ana, [])), true);
  });

  it('is another one where its author signs another spec under the same id', () => {
    assert.equal(known.id, later.id);
    assert.notDeepEqual(jobMark(known.spec), jobMark(later.spec));
    assert.equal(jobMark(known.spec).length, 16);
  });

  it('stands where any that removed the author knew it, and where one says nothing of jobs', () => {
    const both = (jobs?: readonly JobRecord[]): MemberRecord => ({
      ...admitted(belen),
      removals: { ...removed(belen, ana, []).removals, ...removed(belen, carmen, jobs).removals },
    });
    assert.equal(isHeldBack(later, both([later])), false);
    assert.equal(isHeldBack(later, both([known])), true);
    assert.equal(isHeldBack(later, both(undefined)), false);
  });

  it('does not stand by a removal that has no effect', () => {
    const stranger = temporaryIdentity();
    const forged = removed(belen, stranger, [later]).removals;
    const record = { ...admitted(belen), removals: { ...removed(belen, ana, []).removals, ...forged } };
    assert.equal(isHeldBack(later, record), true);
  });

  it('of a key that nobody let in does not stand', () => {
    assert.equal(isHeldBack(jobOf(temporaryIdentity()), admitted(belen)), true);
  });

  it('stands by whoever has it resumed, a member or one whose removal names it, and not by its author', () => {
    const out = removed(belen, ana, []);
    assert.equal(isHeldBack(resumedBy(later, ana), out), false);
    assert.equal(isHeldBack(resumedBy(later, belen), out), true);
    const byCarmen = resumedBy(later, carmen);
    assert.equal(isHeldBack(byCarmen, out, removed(carmen, ana, [])), true);
    const named = marksOf(carmen.peer, [byCarmen], 10).map((mark) => [...mark]);
    assert.deepEqual(named, [[...jobMark(later.spec)]]);
    assert.equal(isHeldBack(byCarmen, out, removed(carmen, ana, [byCarmen])), false);
  });

  it('that does not stand is paused, in one sentence, where it is not over', () => {
    const view = new PlanView(framesPlan('1-2'));
    const derive = (job: JobRecord) =>
      deriveJob(
        job,
        view,
        () => undefined,
        () => undefined,
        true,
      );
    assert.equal(derive(later).state, 'paused');
    assert.match(derive(later).reason ?? '', /is no member.*once somebody resumes it/);
    const canceled = {
      value: 'canceled' as const,
      counter: 1,
      peer: ana.peer,
      signature: new Uint8Array(64),
    };
    assert.equal(derive({ ...later, control: { desired: canceled } }).state, 'canceled');
  });
});

it('R143: a removal names the jobs of its machine that are not deleted, of very many those of the highest order', () => {
  const jobs = [1, 2, 3].map((order) => jobRecord(framesPlan('1'), { id: order, order, author: belen.peer }));
  const signed = jobs.map(({ spec, ...rest }): JobRecord => {
    const { author: _author, signature: _signature, ...content } = spec;
    return { ...rest, spec: signJobSpec(belen, content) };
  });
  const [first, second, third] = signed as [JobRecord, JobRecord, JobRecord];
  const all: KnownRecord[] = [first, deleted(second), third, jobOf(ana)];
  const marks = (most: number) => marksOf(belen.peer, all as JobRecord[], most);
  assert.deepEqual(marks(10), [jobMark(third.spec), jobMark(first.spec)]);
  assert.deepEqual(marks(1), [jobMark(third.spec)]);
});
