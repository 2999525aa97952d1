import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { signinAddress } from '../../node/src/system/node-file.ts';
import { LocalFarm, until, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { House } from '../e2e/support/house.ts';
import { violationsOf } from './accessible.ts';
import { CHROMIUM_FLAGS } from './support.ts';

/** A scene of 48 MiB, and a machine that has room for 10: the one that has more takes all of it, and the other says why not. */
const SCENE = 'big=48';
const SMALL_GIB = 10 / 1_024;
/** On two cores that others use too. */
const LIMIT_MS = 120_000;

describe('the page of the swarm, in a farm of three', () => {
  let house: House;
  let farm: LocalFarm;
  let browser: Browser;
  let page: Page;
  let submitter: LocalNode;
  let job: string;
  const complaints: string[] = [];
  const asked: { path: string; atMs: number }[] = [];

  before(async () => {
    house = await House.open();
    const blend = await house.scene(SCENE);
    farm = await LocalFarm.open({
      folder: house.fresh('farm'),
      nodes: 3,
      env: { TMPDIR: house.temporary },
      config: (index) => (index === 1 ? { quotaGiB: SMALL_GIB } : {}),
    });
    submitter = farm.node(0);
    // Nothing is rendered: what travels is the scene alone.
    for (const { client } of farm.nodes)
      await client.call('setNode', { params: { node: 'here' }, body: { ownerDesired: 'paused' } });
    browser = await chromium.launch({
      executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
    });
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) =>
      asked.push({ path: new URL(request.url()).pathname, atMs: performance.now() }),
    );
    const { file } = submitter.client;
    await page.goto(signinAddress(file));
    await page.goto(`${file.address}/`);
    await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    // It is waited for before it happens: what is shown for seconds alone is not missed.
    await page.getByRole('link', { name: 'Swarm', exact: true }).press('Enter');
    await page.getByText('No scene is needed at the moment.').waitFor();
    shown = {
      flow: page
        .locator('.flow', { hasText: 'belen' })
        .filter({ hasText: 'dolores' })
        .waitFor({ timeout: LIMIT_MS }),
      lack: page.getByText('There is no room for what is missing.').waitFor({ timeout: LIMIT_MS }),
    };
    job = (await submitter.client.call('submit', { body: { path: blend, settings: { samples: 2 } } })).job.id;
  });
  after(async () => {
    await browser?.close();
    await farm?.close();
    await house?.close();
  });
  let shown: { flow: Promise<void>; lack: Promise<void> };

  it('R183, R184: shows what goes from one machine to another while it goes, by events alone', async () => {
    await shown.flow;
    await page.locator('.flow').getByText('B/s').first().waitFor();
  });

  it('R182, R184: says of a machine why the scene is not there, as that machine tells it', async () => {
    await shown.lack;
    // The other one may be on its way still.
    const coming = page.locator('.coming li', { has: page.getByRole('link', { name: 'carmen' }) });
    assert.match(await coming.innerText(), /B of 5\d\.\d MB[\s\S]*missing: [45]\d\.?\d* MB in \d file/);
  });

  it('R184: shows who has the scene whole once it came', async () => {
    await page.getByText('Whole on 2 machines: belen and dolores.').waitFor({ timeout: LIMIT_MS });
    await page.getByRole('link', { name: 'shot', exact: true }).waitFor();
  });

  it('R183: is read again because the stream says so, and at most once a second', async () => {
    const reads = asked.filter(({ path }) => path === '/api/v1/swarm').map(({ atMs }) => atMs);
    assert.ok(reads.length > 1, 'the stream told of changes');
    const spanMs = (reads.at(-1) ?? 0) - (reads[0] ?? 0);
    assert.ok(reads.length <= spanMs / 1_000 + 2, `${reads.length} reads in ${spanMs} ms`);
    await until('the flows to be over', async () => (await page.locator('.flow').count()) === 0);
    await page.getByText('Nothing travels at the moment.').waitFor();
  });

  it('has no accessibility violation and fits a phone, dark and light', async () => {
    const target = process.env['CUADRO_SCREENSHOTS'];
    if (target !== undefined) await mkdir(target, { recursive: true });
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
    ] as const) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await until('the change of theme to end', () =>
          page.evaluate<boolean>('document.getAnimations().length === 0'),
        );
        assert.deepEqual(await violationsOf(page), [], `${colorScheme} ${width}`);
        if (target !== undefined)
          await page.screenshot({ path: join(target, `real-${colorScheme}-${width}.png`), fullPage: true });
      }
      const wider = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      assert.ok(wider <= 0, `${wider} pixels too wide at ${width}`);
    }
  });

  it('is used by keyboard: from a machine to its page, and from a scene to its job', async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole('table').getByRole('link', { name: 'dolores' }).press('Enter');
    await page.getByRole('heading', { name: 'dolores', level: 1 }).waitFor();
    await page.goBack();
    await page.locator('cuadro-swarm').getByRole('link', { name: 'shot', exact: true }).press('Enter');
    await page.waitForURL(new RegExp(`/jobs/${job}`));
  });

  it('complains about nothing', () => assert.deepEqual(complaints, []));
});
