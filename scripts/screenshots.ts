import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { connectNode, type NodeClient } from '../node/src/cli/client.ts';
import { startNode } from '../node/src/daemon.ts';
import { makeScene } from './scenes/make.ts';

/**
 * `node scripts/screenshots.ts FOLDER`: starts a node of its own, renders the sample film on it, and takes a picture
 * of every page in dark and light, wide and narrow, from the real dashboard.
 */

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };

const target = resolve(process.argv[2] ?? 'screenshots');
const folder = await mkdtemp(join(tmpdir(), 'cuadro-screenshots-'));
await mkdir(target, { recursive: true });
const node = await startNode({
  dataFolder: join(folder, 'data'),
  port: 0,
  config: { outputFolder: join(folder, 'output'), name: 'atelier', network: false },
});
const browser = await chromium.launch({
  executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
  args: CHROMIUM_FLAGS,
});
try {
  const client = connectNode(join(folder, 'data'));
  await takeAll(browser, 'first-run', '/', false);
  const job = await fillFarm(client);
  const pages: Record<string, string> = {
    farm: '/',
    jobs: '/jobs',
    job: `/jobs/${job}`,
    viewer: `/jobs/${job}?task=2`,
    tasks: `/jobs/${job}/tasks`,
    task: `/jobs/${job}/tasks?task=3`,
    times: `/jobs/${job}/times`,
    details: `/jobs/${job}/details`,
    machine: '/machines',
    docs: '/docs',
  };
  for (const [name, path] of Object.entries(pages))
    await takeAll(browser, name, path, name === 'job' || name === 'farm');
} finally {
  await browser.close();
  await node.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Jobs of several states: one done, one failed, one that waits, and the sample film half-way. */
async function fillFarm(client: NodeClient): Promise<string> {
  const echo = (name: string, settings: Record<string, unknown>, more = {}) =>
    client.call('submit', { body: { type: 'echo-sleep', name, settings, ...more } });
  await echo('Cloth cache check', { frames: '1-12', message: 'ok' });
  await echo('Crowd test', { frames: '1-8', sleepMs: 5, failFrames: [3, 6] });
  const blend = await makeScene('sample', join(folder, 'scene'), { blender: 'blender' });
  const { job } = await client.call('submit', { body: { path: blend, name: 'Fan dance, shot 01' } });
  await echo('Palmas, shot 02', { frames: '1-48', sleepMs: 2_000 }, { after: [job.id] });
  await echo('Night batch', { frames: '1-250', sleepMs: 2_000 }, { paused: true, priority: 30 });
  for (;;) {
    const { counts, live } = await client.call('job', { params: { job: job.id } });
    if (counts.rendered + counts.done >= 9 && live.running > 0) return job.id;
    await new Promise((done) => setTimeout(done, 200));
  }
}

async function takeAll(chrome: Browser, name: string, path: string, both: boolean): Promise<void> {
  for (const theme of ['dark', 'light'] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const context = await chrome.newContext({
        viewport,
        colorScheme: theme,
        deviceScaleFactor: both ? 1.5 : 1,
      });
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error') console.error(`${name}: ${message.text()}`);
      });
      await page.goto(node.signinAddress);
      await page.goto(`${node.address}${path}`);
      await page.locator('cuadro-state', { hasText: 'Live' }).first().waitFor({ state: 'attached' });
      await page.waitForLoadState('load');
      // Pictures of frames arrive after the page; what matters is that none is half there.
      await page.waitForFunction(() => document.fonts.status === 'loaded');
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(target, `${name}-${theme}-${size}.png`) });
      await context.close();
    }
  }
}
