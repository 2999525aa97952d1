import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { FarmView, JobView, NightView, NodeView } from '@cuadro/protocol';
import { chromium, type Browser } from 'playwright-core';
import { createNight } from '../node/src/diary/night.ts';
import { signinAddress } from '../node/src/system/node-file.ts';
import { makeNight, NIGHT_HOURS } from '../test/browser/made-night.ts';
import { createMorning } from '../test/browser/morning.ts';
import { simulateNight } from '../test/sim/night/night.ts';
import { TOKEN } from '../test/unit/api/fakes.ts';

/**
 * `node scripts/screenshots-night.ts FOLDER [SEED | made]`: simulates a night of six machines, and takes pictures of the
 * page that tells it, in dark and light, wide and narrow, from the real dashboard. What was simulated is left in the
 * folder and used again. `made` is the night of the tests, in which every kind of event is told.
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
const which = process.argv[3] ?? '1';
const morning =
  which === 'made' ? await madeMorning() : await readMorning(join(target, 'night.json'), BigInt(which));

async function madeMorning(): Promise<Morning> {
  const { components, jobs, nodes, farm } = makeNight();
  return { jobs, nodes, farm, night: await createNight(components).read(NIGHT_HOURS) };
}

async function readMorning(file: string, seed: bigint): Promise<Morning> {
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Morning;
  const { view: night, machine } = await simulateNight(seed);
  const queries = machine?.queries;
  if (night === undefined || queries === undefined) throw new Error('The night did not come to its end.');
  const made = { night, jobs: queries.jobs(), nodes: queries.nodes(), farm: queries.farm() };
  await writeFile(file, JSON.stringify(made));
  return made;
}

const api = createMorning({ ...morning, night: { read: async () => morning.night } });
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
