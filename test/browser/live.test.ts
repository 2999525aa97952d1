import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeScene } from '../../scripts/scenes/make.ts';
import { openStage, until, type Stage } from './support.ts';

describe('the dashboard while a film renders', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage.close());

  it('shows frames as they finish, in full size on a click, and the film at the end', async () => {
    const blend = await makeScene('sound', join(stage.folder, 'scene'), { blender: 'blender' });
    const { job } = await stage.client.call('submit', {
      body: { path: blend, name: 'Live film', paused: true, settings: { frames: '1-8' } },
    });
    const page = await stage.open(`/jobs/${job.id}`);
    await page.getByRole('button', { name: 'frame 1, open' }).waitFor();
    assert.equal(await page.locator('cuadro-thumbnail img').count(), 0);

    await page.getByRole('button', { name: 'Resume: Live film' }).click();
    // Each count is seen by the page itself, without a reload, while the rest of the film still renders.
    let seen = 0;
    let during = 0;
    await until('all thumbnails', async () => {
      const shown = await page.locator('cuadro-wall cuadro-thumbnail img').count();
      assert.ok(shown >= seen, 'a frame that was shown stays');
      seen = shown;
      const { state } = await stage.client.call('job', { params: { job: job.id } });
      if (shown > 0 && shown < 8 && state === 'active') during++;
      return shown === 8;
    });
    assert.ok(during > 0, 'frames appeared while the film was rendering');

    await page.getByRole('button', { name: /^frame 3/ }).click();
    const picture = page.getByRole('img', { name: 'frame 3' }).last();
    await picture.waitFor();
    const width = await picture.evaluate((image: HTMLImageElement) =>
      image.decode().then(() => image.naturalWidth),
    );
    const file = (await stage.client.call('task', { params: { job: job.id, task: 'frame 3' } })).files[0];
    assert.equal(width, file?.width);
    await page.keyboard.press('ArrowRight');
    await page.getByRole('img', { name: 'frame 4' }).last().waitFor();
    await page.keyboard.press('Escape');

    await page.getByRole('tab', { name: 'Film' }).click();
    const video = page.locator('video');
    await video.waitFor();
    const duration = await video.evaluate(
      (film: HTMLVideoElement) =>
        new Promise<number>((resolve) => {
          if (film.readyState >= 1) resolve(film.duration);
          else film.addEventListener('loadedmetadata', () => resolve(film.duration), { once: true });
        }),
    );
    const { settings } = await stage.client.call('job', { params: { job: job.id } });
    const rate = settings['rate'] as { numerator: number; denominator: number };
    assert.ok(
      Math.abs(duration - (8 * rate.denominator) / rate.numerator) < 0.05,
      `the film lasts ${duration} s`,
    );
    const files = stage.requests.filter((address) => address.includes('/blobs/'));
    assert.ok(files.length >= 10, 'thumbnails, frames and the film were asked for');
    // So a node that doesn't hold a file knows from the records who does.
    for (const address of files) assert.match(address, new RegExp(`[?&]job=${job.id}&task=\\d+`));
    assert.deepEqual(stage.complaints, []);
  });
});
