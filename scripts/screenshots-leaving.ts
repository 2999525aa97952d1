import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DepartureView, HeldOnly, JobView, NodeView } from '@cuadro/protocol';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createApi } from '../node/src/api/server.ts';
import { createSystemClock } from '../node/src/system/clock.ts';
import { signinAddress } from '../node/src/system/node-file.ts';
import { doorView } from '../test/unit/api/door.ts';
import { FakeNode, hereView, jobView, nodeView, SELF, TOKEN } from '../test/unit/api/fakes.ts';

/**
 * `node scripts/screenshots-leaving.ts FOLDER`: takes pictures of what machines keep and of how they leave a farm, in
 * dark and light, wide and narrow, from the real dashboard on a node that is made up.
 */

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
const BELEN = '12D3KooWBelenBelenBelenBelenBelenBelenBelenBelenBele';
const CARMEN = '12D3KooWCarmenCarmenCarmenCarmenCarmenCarmenCarmenCa';
const target = resolve(process.argv[2] ?? 'screenshots');
await mkdir(target, { recursive: true });

const fake = new FakeNode();
const { components } = fake;
const store = {
  usedBytes: 61.3e9,
  quotaBytes: 215e9,
  freeDiskBytes: 402e9,
  reserveBytes: 21.5e9,
  accepting: true,
};
const here = { ...components.here, here: async () => ({ ...hereView(), store }) };
const api = createApi(
  { ...components, here },
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
    for (const size of ['wide', 'narrow'] as const) await takeAll(browser, theme, size);
} finally {
  await browser.close();
  await api.stop();
}

/** A farm of three with a film on this machine only, and a frame of it on another. */
function fill(leaving: Partial<Record<string, Partial<NodeView>>> = {}): void {
  const names: [peer: string, name: string][] = [
    [SELF, 'studio'],
    [BELEN, 'belen'],
    [CARMEN, 'carmen'],
  ];
  fake.nodes = names.map(([peer, name]) => {
    const view = { ...nodeView(), peer, name, here: peer === SELF, coordinator: peer === SELF };
    return { ...view, ...leaving[peer] };
  });
  fake.farm = { ...fake.farm, members: names.length };
  const done = { total: 240, open: 0, rendered: 0, done: 240, failed: 0, skipped: 0 };
  const only = (peer: string, machine: string, held: Omit<HeldOnly, 'job'>): Partial<JobView> => ({
    onlyOn: [{ peer, machine, ...held }],
  });
  fake.jobs = [
    jobView('aaaabbbbccccdddd', 1, {
      name: 'Fan dance, shot 01',
      ...only(SELF, 'studio', { results: 12, scene: true }),
    }),
    jobView('aaaaccccddddeeee', 2, {
      name: 'Palmas, shot 02',
      ...only(BELEN, 'belen', { results: 7, scene: false }),
    }),
    jobView('aaaaddddeeeeffff', 3, { name: 'Crowd test', state: 'done', counts: done }),
    jobView('aaaaeeeeffffgggg', 4, { name: 'Night batch with a long name', state: 'done', counts: done }),
    jobView('aaaaffffgggghhhh', 5, { name: 'Turntable', state: 'done', counts: done }),
  ];
  const [member] = doorView().members;
  if (member === undefined) throw new Error('Somebody is in the farm.');
  const members = names.map(([peer, name]) => ({
    ...member,
    peer,
    name,
    here: peer === SELF,
    founder: peer === SELF,
    ...(peer !== SELF && { admittedBy: 'studio', admittedAt: 1_700_000_000_000 }),
  }));
  fake.door = doorView({ newcomers: [], found: [], members });
  fake.config = { ...fake.config, keepDays: 14 };
  fake.retention = {
    days: 0,
    freesBytes: 9_730_000_000,
    jobs: [
      { job: 'aaaaddddeeeeffff', order: 3, name: 'Crowd test', sizeBytes: 730_000_000, goes: true },
      {
        job: 'aaaaeeeeffffgggg',
        order: 4,
        name: 'Night batch with a long name',
        sizeBytes: 9_000_000_000,
        goes: true,
        why: 'It goes in 9 days.',
      },
      {
        job: 'aaaaffffgggghhhh',
        order: 5,
        name: 'Turntable',
        sizeBytes: 81_000_000,
        goes: false,
        why: 'frame 12 is not in its folder yet.',
      },
    ],
  };
}

async function takeAll(from: Browser, theme: 'dark' | 'light', size: 'wide' | 'narrow'): Promise<void> {
  const context = await from.newContext({
    viewport: SIZES[size],
    isMobile: size === 'narrow',
    colorScheme: theme,
  });
  const page = await context.newPage();
  await page.goto(signinAddress({ address: api.address, token: TOKEN }));
  const show = async (path: string): Promise<void> => {
    await page.goto(`${api.address}${path}`);
    await page.getByText('Live', { exact: true }).first().waitFor({ state: 'attached' });
  };
  const shoot = (name: string, fullPage = true): Promise<Buffer> =>
    page.screenshot({
      path: join(target, `${name}-${theme}-${size}.png`),
      fullPage,
      animations: 'disabled',
    });
  const ask = async (button: string): Promise<void> => {
    await page.getByRole('button', { name: button, exact: true }).click();
    await page.getByRole('dialog').waitFor();
  };
  fill();
  await show('/machines');
  await page.getByText('Turntable').waitFor();
  await shoot('machine');
  await ask('Free 9.7 GB');
  await shoot('free', false);
  await show('/machines');
  await ask('Leave the farm');
  await shoot('leave', false);
  await show('/door');
  await shoot('door');
  await ask('Remove: belen');
  await shoot('remove', false);
  const away = { live: { ...nodeView().live, reachable: false } };
  fill({ [BELEN]: away });
  await show('/door');
  await ask('Remove: belen');
  await shoot('remove-away', false);
  await leavingPages(show, shoot, page);
  await context.close();
}

/** This machine half-way, and another that can't go on. */
async function leavingPages(
  show: (path: string) => Promise<void>,
  shoot: (name: string) => Promise<Buffer>,
  page: Page,
): Promise<void> {
  const moving = (results: number): DepartureView => ({
    state: 'moving',
    left: { results, scenes: 1 },
    message: 'What only this machine holds goes to others.',
  });
  fake.departures = [moving(12), moving(4)];
  const idleReason =
    'It is leaving the farm. No other machine takes what is left: none has room for it, or its files can be read nowhere.';
  const stuck = { leaving: true, live: { ...nodeView().live, idleReason } };
  fill({ [SELF]: { leaving: true }, [BELEN]: stuck });
  await show('/machines');
  await page.getByText(/ moved$/).waitFor();
  await page.getByText('8 of 13').waitFor();
  await shoot('leaving');
  await show('/door');
  await page.getByText(/^No other machine takes/).waitFor();
  await shoot('leaving-door');
}
