import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  admissionKey,
  fieldSubject,
  type FarmRecord,
  type MemberRecord,
  signAdmission,
  signField,
  signRemoval,
} from '@cuadro/protocol';
import { createJobActions } from '../../../node/src/jobs/actions.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import { nodeOfOne } from './node-of-one.ts';

test('R107: a machine that was removed takes no job and no change of one, and says by whom and what to do', async (t) => {
  const [founder, signer] = [temporaryIdentity(), temporaryIdentity()];
  const node = await nodeOfOne({ signer });
  t.after(() => node.stop());
  const id = 'farmfarmfarmfarm';
  const farm: FarmRecord = {
    kind: 'farm',
    id,
    founder: founder.peer,
    name: { value: 'Tablao', counter: 1, peer: founder.peer },
  };
  const memberOf = (identity: typeof founder, name: string): MemberRecord => ({
    kind: 'member',
    peer: identity.peer,
    name: signField(identity, 'member-name', fieldSubject(identity.peer, 'name'), name, 1),
    admissions: {
      [admissionKey({ author: founder.peer, farm: id })]: signAdmission(founder, identity.peer, {
        role: 'artist',
        farm: id,
        wallTime: 1,
      }),
    },
    removals: {},
  });
  const own = memberOf(signer, 'laptop');
  await node.driver.merge([farm, memberOf(founder, 'studio'), own]);
  const actions = createJobActions(node.components);
  const signal = new AbortController().signal;
  const submit = () => actions.submit({ type: 'echo-sleep', settings: {} }, { signal });
  const { job } = await submit();

  const removal = signRemoval(founder, signer.peer, { reason: '', wallTime: 2 });
  await node.driver.merge([{ ...own, removals: { [founder.peer]: removal } }]);
  const refused = {
    code: 'machine-removed',
    message: /removed from Tablao by studio.*cuadro up --data FOLDER/,
  };
  await assert.rejects(submit(), refused);
  await assert.rejects(actions.setJob(job.id, { desired: 'paused' }), refused);
  await assert.rejects(actions.requeue(job.id, 'all'), refused);
  await assert.rejects(actions.deleteJob(job.id), refused);
});
