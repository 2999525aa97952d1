import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { makeScenes } from '../../scripts/scenes/make.ts';
import { violationsOf } from './accessible.ts';
import { openStage, setTheme, until, type Stage } from './support.ts';

describe('a job that is submitted again with changes', () => {
  let stage: Stage;
  let blend: string;
  before(async () => {
    stage = await openStage();
    const blender = process.env['CUADRO_BLENDER'] ?? 'blender';
    blend = (await makeScenes(['plain'], join(stage.folder, 'scenes'), { blender })).get('plain') ?? '';
  });
  after(() => stage.close());

  const dialog = (page: Page) => page.locator('cuadro-submit');
  const idOn = (page: Page): string => new URL(page.url()).pathname.split('/').at(-1) ?? '';
  const viewOf = (job: string) => stage.client.call('job', { params: { job } });
  const openOf = async (job: string, looks = {}): Promise<Page> => {
    const page = await stage.open(`/jobs/${job}`, looks);
    await page.getByRole('button', { name: /^Submit again: / }).click();
    await dialog(page)
      .getByRole('heading', { name: /^Submit “.*” again$/ })
      .waitFor();
    return page;
  };
  /** Submits what the dialog holds; answers the new job, whose page is then shown. */
  const submitOn = async (page: Page, before: string): Promise<string> => {
    await dialog(page).getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForURL(({ pathname }) => pathname.startsWith('/jobs/') && !pathname.endsWith(before));
    return idOn(page);
  };

  it('is filled with its scene and settings, and becomes a new job of what was changed', async () => {
    const settings = { frames: '1-3', samples: 4, film: false, format: 'JPEG', order: 'coarse-to-fine' };
    const body = { path: blend, name: 'Shot', priority: 30, paused: true, machineLimit: 2, settings };
    const { job: first } = await stage.client.call('submit', { body });
    const page = await openOf(first.id);
    const value = (label: string): Promise<string> =>
      dialog(page).getByLabel(label, { exact: true }).inputValue();
    assert.equal(await value('.blend on this machine'), blend);
    assert.equal(await value('Frames'), '1-3');
    assert.equal(await value('Name'), 'Shot');
    assert.equal(await value('Samples'), '4');
    assert.equal(await value('Priority (0 to 100)'), '30');
    assert.equal(await value('Output folder'), first.outputFolder);
    const { engineVersion = '' } = first.settings;
    assert.equal(await value('Blender version'), engineVersion);
    assert.equal(await dialog(page).getByLabel('Join the frames into a film').isChecked(), false);
    await dialog(page).getByText('JPEG').waitFor();

    await dialog(page).getByLabel('Frames', { exact: true }).fill('2');
    await dialog(page).getByLabel('Samples').fill('8');
    await dialog(page).getByLabel('Output folder', { exact: true }).fill('');
    await dialog(page).getByLabel('Submit paused').check();
    const second = await viewOf(await submitOn(page, first.id));
    assert.notEqual(second.outputFolder, first.outputFolder);
    assert.deepEqual(second.settings, { ...first.settings, frames: '2', samples: 8 });
    assert.deepEqual([second.priority, second.machineLimit, second.state], [30, 2, 'paused']);
    // The one that it was made after stays as it is.
    assert.equal((await viewOf(first.id)).settings['frames'], '1-3');
  });

  it('takes the settings of a job without a scene along, and shows them', async () => {
    const settings = { frames: '1-4', message: 'cloth {frame}', sleepMs: 10 };
    const body = { type: 'echo-sleep', name: 'Cloth', settings };
    const { job: first } = await stage.client.call('submit', { body });
    const page = await openOf(first.id);
    assert.equal(await dialog(page).getByLabel('.blend on this machine').count(), 0);
    await dialog(page).getByText('cloth {frame}').waitFor();
    await dialog(page).getByLabel('Frames', { exact: true }).fill('7-8');
    const second = await submitOn(page, first.id);
    await until('it to be done', async () => (await viewOf(second)).state === 'done');
    assert.deepEqual((await viewOf(second)).settings, { ...first.settings, frames: '7-8' });
    // A plain submission afterwards begins with nothing.
    await page.getByRole('button', { name: 'Submit', exact: true }).first().click();
    await dialog(page).getByRole('heading', { name: 'Submit a scene' }).waitFor();
    assert.equal(await dialog(page).getByLabel('Frames', { exact: true }).inputValue(), '');
  });

  it('can be read and used on a phone, in dark and light', async () => {
    const [job] = (await stage.client.call('jobs', {})).filter(({ type }) => type === 'blender-animation');
    const page = await openOf(job?.id ?? '', { width: 390, height: 844 });
    for (const theme of ['dark', 'light'] as const) {
      await setTheme(page, theme);
      assert.deepEqual(await violationsOf(page), [], theme);
    }
    const wider = await dialog(page)
      .locator('form')
      .evaluate((form) => form.scrollWidth - form.clientWidth);
    assert.ok(wider <= 0, `${wider} pixels too wide`);
    assert.deepEqual(stage.complaints, []);
  });
});

describe('the shown frame', () => {
  let stage: Stage;
  let job: string;
  before(async () => {
    // A command makes files without Blender.
    stage = await openStage({ programs: ['touch'] });
    const settings = { program: 'touch', args: ['{output}/out_{frame}.txt'], frames: '1-3' };
    job = (await stage.client.call('submit', { body: { type: 'command', name: 'Files', settings } })).job.id;
    await until(
      'it to be done',
      async () => (await stage.client.call('job', { params: { job } })).state === 'done',
    );
  });
  after(() => stage.close());

  const attemptOf = async (frame: number): Promise<string | undefined> => {
    const { attempts, files } = await stage.client.call('task', { params: { job, task: `frame ${frame}` } });
    return files.length === 0 ? undefined : attempts.at(-1)?.attempt;
  };

  it('is rendered again after a question, and the next one is shown', async () => {
    const before = await Promise.all([1, 2, 3].map(attemptOf));
    const page = await stage.open(`/jobs/${job}?task=1`);
    const viewer = page.locator('cuadro-viewer');
    await viewer.getByText('2 / 3').waitFor();
    await viewer.getByRole('button', { name: 'Requeue frame 2' }).click();
    await viewer.getByRole('heading', { name: 'Render frame 2 again?' }).waitFor();
    assert.deepEqual(await violationsOf(page), []);
    // Neither the arrows nor Escape reach through the question to the frame.
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Escape');
    await viewer.getByRole('heading', { name: 'Render frame 2 again?' }).waitFor({ state: 'detached' });
    assert.equal(new URL(page.url()).search, '?task=1');
    await viewer.getByRole('button', { name: 'Requeue frame 2' }).click();
    await viewer.getByRole('button', { name: 'Requeue 1 task' }).click();
    await page.waitForURL(({ search }) => search === '?task=2');
    await until('another attempt', async () => {
      const now = await attemptOf(2);
      return now !== undefined && now !== before[1];
    });
    assert.deepEqual([await attemptOf(1), await attemptOf(3)], [before[0], before[2]]);
  });

  it('has room for all that can be done with it, on a phone', async () => {
    const page = await stage.open(`/jobs/${job}?task=0`, { width: 390, height: 844 });
    const header = page.locator('cuadro-viewer header').first();
    await header.getByRole('button', { name: 'Requeue frame 1' }).waitFor();
    const tops = await header
      .locator('button, a')
      .evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().top)));
    assert.equal(new Set(tops).size, 1, tops.join(', '));
    assert.deepEqual(await violationsOf(page), []);
    // Nothing of the page shows beside it, where that keeps room for a scrollbar.
    const covered = page.locator('html[data-covered]');
    assert.equal(await covered.count(), 1);
    await header.getByRole('button', { name: 'Close' }).click();
    await covered.waitFor({ state: 'detached' });
  });
});
