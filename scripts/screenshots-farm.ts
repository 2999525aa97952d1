import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { signinAddress } from '../node/src/system/node-file.ts';
import { LocalFarm, until } from './farm/local-farm.ts';

/**
 * `node scripts/screenshots-farm.ts FOLDER`: starts a farm of three nodes on the loopback interface, kills its
 * coordinator while it works, tags and pauses machines, and takes pictures of the pages that show many machines.
 */

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };

const target = resolve(process.argv[2] ?? 'screenshots');
const folder = await mkdtemp(join(tmpdir(), 'cuadro-screenshots-'));
await mkdir(target, { recursive: true });
let farm: LocalFarm | undefined;
const browser = await chromium.launch({
  executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
});
try {
  farm = await LocalFarm.open({ folder, nodes: 3 });
  const job = await work(farm);
  const [first, second] = farm.living;
  if (first === undefined || second === undefined) throw new Error('Two nodes live on.');
  await take(signinAddress(first.client.file), first.client.file.address, {
    'farm-of-three': '/',
    'job-of-three': `/jobs/${job}`,
    'details-of-three': `/jobs/${job}/details`,
    'machine-of-three': '/machines',
    'machine-of-another': `/machines/${(await second.client.call('here', {})).peer}`,
    'docs-real-machines': '/docs/real-machines',
  });
  await take(signinAddress(second.client.file), second.client.file.address, { 'farm-seen-by-another': '/' });
} finally {
  await browser.close();
  await farm?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** A farm with a history: a job half-way, a coordinator that was killed and is back, a tag, a drained machine. */
async function work(running: LocalFarm): Promise<string> {
  const leader = await until('one coordinator', () => running.coordinator());
  const other = running.living.find(({ index }) => index !== leader.index);
  if (other === undefined) throw new Error('Three nodes run.');
  const submit = (name: string, settings: Record<string, unknown>) =>
    other.client.call('submit', { body: { type: 'echo-sleep', name, settings } });
  await submit('Crowd test', { frames: '1-8', sleepMs: 5 });
  const { job } = await submit('Fan dance, shot 01', { frames: '1-250', sleepMs: 4_000 });
  const leaderPeer = (await leader.client.call('farm', {})).coordinator ?? '';
  await other.client.call('setNode', {
    params: { node: leaderPeer },
    body: { tags: ['gpu', 'studio'], desired: 'draining' },
  });
  const finished = async (tasks: number): Promise<boolean> => {
    const { counts } = await other.client.call('job', { params: { job: job.id } });
    return counts.rendered + counts.done >= tasks;
  };
  await until('some results', () => finished(3));
  await running.kill(leader.index);
  await until('another coordinator', async () => (await running.coordinator())?.index !== leader.index);
  await until('more results', () => finished(6));
  return job.id;
}

async function take(signin: string, address: string, pages: Record<string, string>): Promise<void> {
  for (const theme of ['dark', 'light'] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const context = await browser.newContext({ viewport, colorScheme: theme });
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error') console.error(`${page.url()}: ${message.text()}`);
      });
      await page.goto(signin);
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(`${address}${path}`);
        await page.locator('cuadro-state', { hasText: 'Live' }).first().waitFor({ state: 'attached' });
        await page.waitForFunction(() => document.fonts.status === 'loaded');
        // A wall of 250 frames says no more than its first rows.
        const fullPage = !name.startsWith('job');
        await page.screenshot({ path: join(target, `${name}-${theme}-${size}.png`), fullPage });
      }
      await context.close();
    }
  }
}
