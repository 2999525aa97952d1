import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join, resolve } from 'node:path';
import type { FarmView, JobView, NightView, NodeView } from '@cuadro/protocol';
import { chromium, type Browser } from 'playwright-core';
import { createApi } from '../node/src/api/server.ts';
import { createSystemClock } from '../node/src/system/clock.ts';
import { signinAddress } from '../node/src/system/node-file.ts';
import { simulateNight } from '../test/sim/night/night.ts';
import { FakeNode, TOKEN } from '../test/unit/api/fakes.ts';

/**
 * `node scripts/screenshots-night.ts FOLDER [SEED]`: simulates a night of six machines, and takes pictures of the page
 * that tells it, in dark and light, wide and narrow, from the real dashboard. What was simulated is left in the folder
 * and used again.
 */

interface Morning {
  night: NightView;
  jobs: JobView[];
  nodes: NodeView[];
  farm: FarmView;
}

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
const target = resolve(process.argv[2] ?? 'screenshots');
await mkdir(target, { recursive: true });
const morning = await readMorning(join(target, 'night.json'), BigInt(process.argv[3] ?? 1));

async function readMorning(file: string, seed: bigint): Promise<Morning> {
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Morning;
  const { view: night, machine } = await simulateNight(seed);
  const queries = machine?.queries;
  if (night === undefined || queries === undefined) throw new Error('The night did not come to its end.');
  const made = { night, jobs: queries.jobs(), nodes: queries.nodes(), farm: queries.farm() };
  await writeFile(file, JSON.stringify(made));
  return made;
}

const fake = new FakeNode();
const { components } = fake;
const api = createApi(
  {
    ...components,
    night: { read: async () => morning.night },
    queries: {
      ...components.queries,
      jobs: () => morning.jobs,
      nodes: () => morning.nodes,
      farm: () => morning.farm,
    },
  },
  {
    port: 0,
    token: TOKEN,
    version: '0.1.0',
    logger: fake.logger,
    clock: createSystemClock(),
    uiFolder: fileURLToPath(new URL('../ui/dist', import.meta.url)),
  },
);
await api.start();
const browser = await chromium.launch({
  executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
});
try {
  for (const theme of ['dark', 'light'] as const)
    for (const size of ['wide', 'narrow'] as const) await take(browser, theme, size);
} finally {
  await browser.close();
  await api.stop();
}

async function take(from: Browser, theme: 'dark' | 'light', size: 'wide' | 'narrow'): Promise<void> {
  const context = await from.newContext({
    viewport: SIZES[size],
    isMobile: size === 'narrow',
    colorScheme: theme,
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(`${page.url()}: ${message.text()}`);
  });
  // The morning after the simulated night, so that times of day are told without their date.
  await page.clock.setFixedTime(morning.night.to);
  await page.goto(signinAddress({ address: api.address, token: TOKEN }));
  await page.goto(`${api.address}/night`);
  await page.locator('cuadro-night-timeline').first().waitFor();
  // So long was the night that was simulated.
  await page.getByRole('button', { name: '8 hours' }).click();
  await page.waitForFunction(() => document.fonts.status === 'loaded');
  // In a window as high as the page, so that what stands at its edges stands at the picture's.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ ...SIZES[size], height });
  await page.screenshot({ path: join(target, `night-${theme}-${size}.png`), fullPage: true });
  await context.close();
}
