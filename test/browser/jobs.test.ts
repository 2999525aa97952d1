import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { violationsOf } from './accessible.ts';
import { openStage, setTheme, until, type Stage } from './support.ts';

describe('the list of jobs', () => {
  let stage: Stage;
  const ids = new Map<string, string>();
  before(async () => {
    stage = await openStage();
    for (const [name, priority] of [
      ['Shot 10', 20],
      ['Shot 2', 90],
      ['Dance', 50],
      ['Cloth', 40],
    ] as const) {
      const settings = { frames: '1-4', sleepMs: 60_000 };
      const body = { type: 'echo-sleep', name, settings, priority, paused: true };
      ids.set(name, (await stage.client.call('submit', { body })).job.id);
    }
  });
  after(() => stage.close());

  const jobOf = (name: string) => stage.client.call('job', { params: { job: ids.get(name) ?? '' } });
  const stateOf = async (name: string): Promise<string> => (await jobOf(name)).state;
  /** Waits for these jobs, in this order. */
  const names = (page: Page, wanted: readonly string[]) =>
    until(`the jobs ${wanted.join(', ')}`, async () => {
      const shown = page.locator('article.job strong');
      const found = await shown.evaluateAll((all) => all.map(({ textContent }) => textContent ?? ''));
      return found.join('\n') === wanted.join('\n');
    });
  const box = (page: Page, name: string) => page.getByLabel(`Select ${name}`, { exact: true });
  const bar = (page: Page) => page.getByRole('group', { name: 'Selected jobs' });
  const question = (page: Page) => page.locator('cuadro-jobs-selected cuadro-dialog');

  it('is sorted as asked, and the address keeps it', async () => {
    const page = await stage.open('/jobs');
    await page.getByText('Cloth').first().waitFor();
    await names(page, ['Shot 2', 'Dance', 'Cloth', 'Shot 10']);
    await page.getByLabel('Sort by').selectOption('name');
    await page.waitForURL(/\?sort=name$/);
    await names(page, ['Cloth', 'Dance', 'Shot 2', 'Shot 10']);
    await page.getByRole('button', { name: 'Reverse the order' }).click();
    await page.waitForURL(/\?sort=-name$/);
    await names(page, ['Shot 10', 'Shot 2', 'Dance', 'Cloth']);
    await page.getByRole('link', { name: 'Dance' }).click();
    await page.getByRole('heading', { name: 'Dance' }).waitFor();
    await page.goBack();
    await page.getByText('Cloth').first().waitFor();
    await names(page, ['Shot 10', 'Shot 2', 'Dance', 'Cloth']);
    assert.equal(await page.getByLabel('Sort by').inputValue(), 'name');
  });

  it('selects a range with the shift key, and all that are shown', async () => {
    const page = await stage.open('/jobs?sort=name');
    await box(page, 'Cloth').click();
    await box(page, 'Shot 2').click({ modifiers: ['Shift'] });
    await page.getByText('3 selected').waitFor();
    assert.ok(await box(page, 'Dance').isChecked());
    await page.getByLabel('Select all shown').click();
    await page.getByText('4 selected').waitFor();
    await page.getByLabel('Select all shown').click();
    await page.getByText('4 selected').waitFor({ state: 'detached' });
    assert.equal(await bar(page).getByRole('button').count(), 0);
  });

  it('changes all selected after asking, which names them', async () => {
    const page = await stage.open('/jobs?sort=name');
    // By the keyboard alone.
    await box(page, 'Dance').focus();
    await page.keyboard.press('Space');
    await box(page, 'Cloth').focus();
    await page.keyboard.press('Space');
    await bar(page).getByRole('button', { name: 'Priority: 2 jobs' }).press('Enter');
    await question(page).getByRole('heading', { name: 'Set the priority of 2 jobs?' }).waitFor();
    await question(page).getByText('Dance').waitFor();
    await question(page).getByText('Cloth').waitFor();
    await question(page).getByRole('spinbutton', { name: 'Priority' }).fill('75');
    await question(page).getByRole('button', { name: 'Save' }).click();
    await page.getByText('2 jobs are given the priority.').waitFor();
    assert.deepEqual([(await jobOf('Dance')).priority, (await jobOf('Cloth')).priority], [75, 75]);
    assert.equal((await jobOf('Shot 2')).priority, 90);
    await page.getByText('2 selected').waitFor({ state: 'detached' });
  });

  it('leaves alone what a change makes no sense for, and says so', async () => {
    await stage.client.call('setJob', {
      params: { job: ids.get('Shot 10') ?? '' },
      body: { desired: 'canceled' },
    });
    const page = await stage.open('/jobs?sort=name');
    await page.getByText('Canceled', { exact: true }).first().waitFor({ state: 'attached' });
    await page.getByLabel('Select all shown').click();
    await bar(page).getByRole('button', { name: 'Cancel: 3 jobs' }).click();
    await question(page).getByText('1 other of the selected stays as it is.').waitFor();
    assert.equal(await question(page).getByText('Shot 10').count(), 0);
    await question(page).getByRole('button', { name: 'Close' }).last().click();
    await question(page).waitFor({ state: 'detached' });
    assert.equal(await stateOf('Dance'), 'paused');
  });

  it('tells of each job that refused why it did, and keeps those selected', async () => {
    const page = await stage.open('/jobs?sort=name');
    await page.getByLabel('Select all shown').click();
    await bar(page).getByRole('button', { name: 'Cancel: 3 jobs' }).click();
    // Meanwhile somebody else cancels one of them.
    await stage.client.call('setJob', {
      params: { job: ids.get('Cloth') ?? '' },
      body: { desired: 'canceled' },
    });
    await question(page).getByRole('button', { name: 'Cancel', exact: true }).click();
    await question(page).getByText('2 of 3 jobs are canceled. Not so:').waitFor();
    await question(page)
      .locator('li', { hasText: 'Cloth' })
      .getByText("is canceled; that can't be done to it any more.")
      .waitFor();
    assert.deepEqual(await violationsOf(page), []);
    await question(page).getByRole('button', { name: 'Close' }).last().click();
    await page.getByText('1 selected').waitFor();
    assert.ok(await box(page, 'Cloth').isChecked());
    assert.deepEqual([await stateOf('Dance'), await stateOf('Shot 2')], ['canceled', 'canceled']);
  });

  it('resumes, pauses and deletes several', async () => {
    const page = await stage.open('/jobs?sort=name');
    const choose = async (button: string, confirm: string): Promise<void> => {
      await box(page, 'Dance').check();
      await box(page, 'Shot 2').check();
      await bar(page)
        .getByRole('button', { name: `${button}: 2 jobs` })
        .click();
      await question(page).getByRole('button', { name: confirm, exact: true }).click();
      await question(page).waitFor({ state: 'detached' });
    };
    await choose('Resume', 'Resume');
    for (const name of ['Dance', 'Shot 2'])
      await until('it to go on', async () => ['active', 'queued'].includes(await stateOf(name)));
    await choose('Pause', 'Pause');
    for (const name of ['Dance', 'Shot 2']) assert.equal(await stateOf(name), 'paused');
    await choose('Delete', 'Delete');
    await page.getByText('2 jobs are deleted.').waitFor();
    for (const name of ['Dance', 'Shot 2']) await box(page, name).waitFor({ state: 'detached' });
    await names(page, ['Cloth', 'Shot 10']);
  });

  it('can be read and used with jobs selected, and while it asks, on a phone too', async () => {
    for (const size of [{}, { width: 390, height: 844 }]) {
      const page = await stage.open('/jobs', size);
      await box(page, 'Cloth').check();
      for (const theme of ['dark', 'light'] as const) {
        await setTheme(page, theme);
        assert.deepEqual(await violationsOf(page), [], theme);
      }
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(wider <= 0, `${wider} pixels too wide`);
      await bar(page).getByRole('button', { name: 'Delete: 1 job' }).click();
      await question(page).getByRole('heading', { name: 'Delete 1 job?' }).waitFor();
      assert.deepEqual(await violationsOf(page), []);
      await page.keyboard.press('Escape');
      await question(page).waitFor({ state: 'detached' });
    }
    // Chromium tells of every refusal; of the one that was asked for, and of nothing else.
    assert.equal(stage.complaints.length, 1, stage.complaints.join('\n'));
    assert.match(stage.complaints[0] ?? '', /409 \(Conflict\)/);
  });
});
