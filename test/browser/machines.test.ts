import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { violationsOf } from './accessible.ts';
import { openStage, until, type Stage } from './support.ts';

describe('the machines on the farm page', () => {
  let stage: Stage;
  let job: string;
  before(async () => {
    stage = await openStage();
    const settings = { frames: '1-40', sleepMs: 3_000 };
    const body = { type: 'echo-sleep' as const, name: 'Long one', settings };
    job = (await stage.client.call('submit', { body })).job.id;
  });
  after(() => stage.close());

  const machine = async () => {
    const [node] = await stage.client.call('nodes', {});
    assert.ok(node !== undefined);
    return node;
  };

  it('shows what the machine runs and can do, and who coordinates', async () => {
    const page = await stage.open('/');
    const card = page.locator('cuadro-machine-card');
    await card
      .getByRole('progressbar', { name: /^frame \d+, atelier$/ })
      .first()
      .waitFor();
    await card.getByText('coordinator', { exact: true }).waitFor();
    await card.getByText('this machine', { exact: true }).waitFor();
    const { live } = await machine();
    const { blender } = live.capabilities?.engines ?? {};
    await card.getByText(blender === undefined ? 'no Blender' : `Blender ${blender}`).waitFor();
    const panel = page.locator('cuadro-coordinators');
    await panel.getByText(/^atelier has led since /).waitFor();
    await panel.getByText('Nobody led, so it stood.').waitFor();
  });

  it('drains, pauses and resumes it, and says why it does not render', async () => {
    const page = await stage.open('/');
    const card = page.locator('cuadro-machine-card');
    await card.getByRole('button', { name: 'Finish and pause: atelier' }).click();
    await card.getByText('Finishing for its owner', { exact: true }).waitFor();
    assert.equal((await machine()).ownerDesired, 'draining');
    await card.getByRole('button', { name: 'Resume: atelier' }).click();
    await card.getByRole('button', { name: 'Pause: atelier', exact: true }).click();
    await card.getByText('Its owner paused it.').waitFor();
    assert.equal((await machine()).ownerDesired, 'paused');
    await card.getByRole('button', { name: 'Resume: atelier' }).click();
    await card.getByRole('progressbar').first().waitFor();
  });

  it('ends a pause that somebody else asked for', async () => {
    await stage.client.call('setNode', { params: { node: 'here' }, body: { desired: 'paused' } });
    const page = await stage.open('/');
    const card = page.locator('cuadro-machine-card');
    await card.getByText('It is paused.').waitFor();
    await card.getByRole('button', { name: 'Resume: atelier' }).click();
    await until('the machine to go on', async () => (await machine()).desired === 'active');
  });

  it('tags it', async () => {
    const page = await stage.open('/');
    const card = page.locator('cuadro-machine-card');
    await card.getByRole('button', { name: 'Tags: atelier' }).click();
    const field = card.getByRole('textbox', { name: 'Tags: atelier' });
    await field.fill('gpu, fast, gpu,');
    assert.deepEqual(await violationsOf(page), []);
    await card.getByRole('button', { name: 'Save' }).click();
    await card.getByRole('list', { name: 'Tags' }).getByText('gpu').waitFor();
    assert.deepEqual((await machine()).tags, ['fast', 'gpu']);
  });

  it('says on the job when it ends, what keeps it, and what is in one copy only', async () => {
    await until('a result', async () => {
      const { counts } = await stage.client.call('job', { params: { job } });
      return counts.rendered > 0;
    });
    const page = await stage.open(`/jobs/${job}`);
    await page.getByText(/ left, done about /).waitFor();
    await page.getByRole('link', { name: /^\d+ results? in one copy only$/ }).click();
    await page.getByText('One machine only keeps the scene and the plan').waitFor();
    await page.getByText(/on one machine only: while it is off, no other can fetch them/).waitFor();
  });

  it('R163: deletes a job that is done and collected, and frees what it kept', async () => {
    const body = {
      type: 'echo-sleep' as const,
      name: 'Short one',
      settings: { frames: '1-3' },
      priority: 90,
    };
    const short = (await stage.client.call('submit', { body })).job.id;
    const page = await stage.open('/machines');
    const free = page.locator('cuadro-machine-retention');
    await free.getByText('No job that was submitted here is done.').waitFor();
    await free.getByText(/^1 job from here is done and collected; deleting it frees \d+ k?B on/).waitFor();
    await free.getByRole('link', { name: 'Short one' }).waitFor();
    await free.getByRole('button', { name: /^Free / }).click();
    await free.getByRole('button', { name: 'Delete 1 job' }).click();
    await page.getByText(/^1 job deleted, \d+ k?B freed on this machine\.$/).waitFor();
    await free.getByText('No job that was submitted here is done.').waitFor();
    const left = await stage.client.call('jobs', {});
    assert.deepEqual(
      left.map(({ id }) => id),
      [job],
    );
    assert.notEqual(short, job);
    await free.getByLabel('Days until a collected job is deleted').fill('14');
    await free.getByRole('button', { name: 'Save' }).click();
    await until('the setting', async () => (await stage.client.call('config', {})).keepDays === 14);
  });

  it('says that the only machine of a farm can leave nobody', async () => {
    const page = await stage.open('/machines');
    await page.getByText('This machine is the only one in its farm: there is nobody to leave.').waitFor();
  });

  it('complains about nothing', () => {
    assert.deepEqual(stage.complaints, []);
  });
});
