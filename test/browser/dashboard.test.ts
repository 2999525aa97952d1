import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { violationsOf } from './accessible.ts';
import { openStage, until, type Stage } from './support.ts';

describe('the dashboard', () => {
  let stage: Stage;
  let failed: string;
  before(async () => {
    stage = await openStage();
    failed = await echo('Crowd test', { frames: '1-6', failFrames: [3] });
  });
  after(() => stage.close());

  async function echo(name: string, settings: Record<string, unknown>): Promise<string> {
    const body = { type: 'echo-sleep', name, settings };
    return (await stage.client.call('submit', { body })).job.id;
  }
  const stateOf = async (job: string): Promise<string> =>
    (await stage.client.call('job', { params: { job } })).state;

  it('pauses, resumes, reorders and cancels a job, and shows what became of it', async () => {
    const job = await echo('Long one', { frames: '1-40', sleepMs: 3_000 });
    const page = await stage.open(`/jobs/${job}`);
    await page.getByRole('button', { name: 'Pause: Long one' }).click();
    await page.getByText('Paused', { exact: true }).first().waitFor();
    assert.equal(await stateOf(job), 'paused');
    await page.getByRole('button', { name: 'Resume: Long one' }).click();
    await until('the job to go on', async () => ['active', 'queued'].includes(await stateOf(job)));
    await page.getByLabel('Priority', { exact: true }).fill('80');
    await page.getByLabel('Priority', { exact: true }).press('Enter');
    await until(
      'the priority',
      async () => (await stage.client.call('job', { params: { job } })).priority === 80,
    );
    await page.getByRole('button', { name: 'Cancel: Long one' }).click();
    await page.locator('cuadro-dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByText('Canceled', { exact: true }).first().waitFor();
    assert.equal(await stateOf(job), 'canceled');
  });

  it('tells of a failed task why it failed, with its telling lines and its log', async () => {
    await until('the verdict', async () => (await stateOf(failed)) === 'failed', 120_000);
    const page = await stage.open(`/jobs/${failed}/tasks?task=2`);
    const drawer = page.locator('cuadro-task-drawer');
    await drawer.getByRole('heading', { name: 'frame 3' }).waitFor();
    await drawer.getByText('This task was asked to fail.').first().waitFor();
    await drawer.getByRole('button', { name: 'Show the log' }).first().click();
    await drawer.getByLabel('Log').getByText('Hello from frame 3').waitFor();
  });

  it('says under its heading what stopped a job, what to do next, and opens the log of it', async () => {
    const page = await stage.open(`/jobs/${failed}`);
    const trouble = page.locator('cuadro-job-trouble');
    await trouble.getByText('Frame 3 failed on atelier: This task was asked to fail.').waitFor();
    await trouble.getByText('Read the log, mend the cause, and requeue the failed tasks.').waitFor();
    await trouble.getByRole('link', { name: 'Log of frame 3' }).click();
    await page.locator('cuadro-task-drawer').getByLabel('Log').getByText('Hello from frame 3').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL(({ search }) => search === '');
  });

  it('says nothing of what stopped a job that is well', async () => {
    const well = await echo('Well', { frames: '1-2' });
    await until('it to be done', async () => (await stateOf(well)) === 'done');
    const page = await stage.open(`/jobs/${well}`);
    await page.getByRole('heading', { name: 'Well' }).waitFor();
    assert.equal(await page.locator('cuadro-job-trouble').getByText('failed').count(), 0);
    assert.ok(await page.locator('cuadro-job-trouble').isHidden());
    await stage.client.call('deleteJob', { params: { job: well } });
  });

  it('renders selected tasks again', async () => {
    const page = await stage.open(`/jobs/${failed}/tasks`);
    const before = await stage.client.call('task', { params: { job: failed, task: 'frame 1' } });
    assert.ok(await page.getByRole('button', { name: 'Requeue selected' }).isDisabled());
    await page.getByLabel('Select frame 1').check();
    await page.getByRole('button', { name: 'Requeue 1 task' }).click();
    await page.locator('cuadro-dialog').getByRole('button', { name: 'Requeue 1 task' }).click();
    await until('a new attempt', async () => {
      const task = await stage.client.call('task', { params: { job: failed, task: 'frame 1' } });
      return (
        task.attempts.length > 0 &&
        task.attempts[0]?.attempt !== before.attempts[0]?.attempt &&
        task.state === 'rendered'
      );
    });
  });

  it('marks a finished frame of which there is no picture', async () => {
    const page = await stage.open(`/jobs/${failed}`);
    const finished = page.getByRole('button', { name: 'frame 2, done' });
    await finished.locator('cuadro-icon[name=check]').waitFor();
    assert.equal(await page.locator('button.failed cuadro-icon[name=check]').count(), 0);
  });

  it('draws the bars of all jobs to one line, however many actions each has', async () => {
    const other = await echo('Waits', { frames: '1-2' });
    await stage.client.call('setJob', { params: { job: other }, body: { desired: 'paused' } });
    const page = await stage.open('/jobs');
    await page.getByText('Waits').first().waitFor();
    const ends = await page
      .locator('cuadro-job-bar')
      .evaluateAll((bars) => bars.map((bar) => Math.round(bar.getBoundingClientRect().right)));
    assert.ok(ends.length >= 2);
    assert.equal(new Set(ends).size, 1, ends.join(', '));
    await stage.client.call('deleteJob', { params: { job: other } });
  });

  it('tells how long the frames took, and on which machine', async () => {
    const page = await stage.open(`/jobs/${failed}`);
    await page.getByRole('tab', { name: 'Times' }).click();
    const times = page.locator('cuadro-job-times');
    const row = times.getByRole('row', { name: /^atelier 5 / });
    await row.waitFor();
    await times.getByText(/of rendering for 5 frames$/).waitFor();
    await row.getByRole('link', { name: 'atelier' }).click();
    await page.getByRole('heading', { name: 'atelier' }).waitFor();
  });

  it('says of what a job was asked in words', async () => {
    const page = await stage.open(`/jobs/${failed}/details`);
    const settings = page.locator('cuadro-job-details section', { hasText: 'Settings' });
    await settings.getByText('Tasks that fail').waitFor();
    await settings.getByText('1-6').waitFor();
    assert.equal(await settings.getByText('failFrames').count(), 0);
  });

  it('says that the connection is lost, and goes on by itself when the node is back', async () => {
    const page = await stage.open('/jobs');
    await stage.restart(async () => {
      await page.getByText('Connection lost, trying again…').waitFor();
    });
    await page.getByText('Connection lost, trying again…').waitFor({ state: 'detached' });
    await page.getByText('Crowd test').first().waitFor();
    const job = await echo('After the restart', { frames: '1-2' });
    await page.getByText('After the restart').first().waitFor();
    assert.equal((await stage.client.call('job', { params: { job } })).name, 'After the restart');
  });

  for (const theme of ['dark', 'light'] as const) {
    it(`has no accessibility violation on any page, ${theme}`, async () => {
      for (const path of [
        '/',
        '/jobs',
        `/jobs/${failed}`,
        `/jobs/${failed}/tasks`,
        `/jobs/${failed}/times`,
        `/jobs/${failed}/details`,
        '/machines',
        '/night',
        '/swarm',
        '/door',
        '/docs',
      ]) {
        const page = await stage.open(path, { theme });
        assert.deepEqual(await violationsOf(page), [], path);
      }
    });
  }

  it('fits a phone without scrolling sideways', async () => {
    for (const path of [
      '/',
      '/jobs',
      `/jobs/${failed}`,
      `/jobs/${failed}/tasks`,
      `/jobs/${failed}/times`,
      `/jobs/${failed}/details`,
      '/machines',
      '/night',
      '/swarm',
      '/door',
      '/docs',
    ]) {
      const page = await stage.open(path, { width: 390, height: 844 });
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(wider <= 0, `${path} is ${wider} pixels too wide`);
      // What is fixed to the window never widens the page: it is cut off.
      const hidden = await page
        .locator('nav')
        .first()
        .evaluate((nav) => nav.scrollWidth - nav.clientWidth);
      assert.ok(hidden <= 0, `${hidden} pixels of the navigation are cut off`);
    }
  });

  it('asks nothing of any other machine', () => {
    assert.ok(stage.requests.length > 50);
    assert.deepEqual(
      stage.requests.filter((address) => !/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(address)),
      [],
    );
  });
});
