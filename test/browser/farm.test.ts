import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { signinAddress } from '../../node/src/system/node-file.ts';
import { LocalFarm, until, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { violationsOf } from './accessible.ts';
import { CHROMIUM_FLAGS } from './support.ts';

const FRAMES = 24;
/** Long enough that work is left when the coordinator is killed, short enough for a test. */
const SLEEP_MS = 400;

describe('two dashboards on two machines', () => {
  let folder: string;
  let farm: LocalFarm;
  let browser: Browser;
  /** The machines that live on, each with its dashboard. */
  let faces: [page: Page, node: LocalNode][];
  let leader: LocalNode;
  let job: string;
  const complaints: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cuadro-faces-'));
    farm = await LocalFarm.open({ folder, nodes: 3 });
    browser = await chromium.launch({
      executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
    });
    await Promise.all(farm.living.map(({ client }) => client.call('closeDoor', {})));
    leader = await until('one coordinator', () => farm.coordinator());
    const others = farm.living.filter(({ index }) => index !== leader.index);
    faces = await Promise.all(
      others.map(async (node): Promise<[Page, LocalNode]> => [await open(node, '/'), node]),
    );
  });
  after(async () => {
    await browser?.close();
    await farm?.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  async function open(node: LocalNode, path: string): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    const { file } = node.client;
    await page.goto(signinAddress(file));
    await page.goto(`${file.address}${path}`);
    await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    return page;
  }

  /** One so busy that it hears no farm in time founds one of its own, as it should: then the next is tried. */
  async function startNewcomer(): Promise<LocalNode> {
    for (let index = 3; index < 6; index++) {
      const newcomer = await farm.start(index);
      const state = await until('the end of its looking', async () => {
        const door = await newcomer.client.call('door', {});
        return door.state === 'looking' ? undefined : door.state;
      });
      if (state === 'waiting') return newcomer;
      await farm.stop(index);
    }
    throw new Error('No newcomer heard the farm.');
  }

  /** Waits until both pages show the same, and it is what is expected. */
  async function bothShow(what: string, show: (page: Page) => Promise<string[]>, ...expected: RegExp[]) {
    const seen = async (): Promise<string[][]> => Promise.all(faces.map(([page]) => show(page)));
    let last: string[][] = [];
    await until(
      what,
      async () => {
        last = await seen();
        const [one, two] = last.map((lines) => lines.join('\n'));
        return one === two && expected.every((pattern) => pattern.test(one ?? ''));
      },
      20_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${last.map((lines) => lines.join('\n')).join('\n---\n')}`);
    });
  }

  async function accessible(page: Page): Promise<void> {
    assert.deepEqual(await violationsOf(page), []);
  }

  it('show the same machines and the same coordinator', async () => {
    const names = farm.living.map(({ name }) => name);
    await bothShow('the machines', machines, ...names.map((name) => new RegExp(`^${name}\\b`, 'm')));
    await bothShow('the coordinator', leads, new RegExp(`^${leader.name} has led$`));
  });

  it('show the same new coordinator after the old one was killed, and why it changed', async () => {
    const [[, submitter]] = faces as [[Page, LocalNode]];
    const settings = { frames: `1-${FRAMES}`, sleepMs: SLEEP_MS };
    const body = { type: 'echo-sleep' as const, name: 'Fan dance', settings };
    job = (await submitter.client.call('submit', { body })).job.id;
    await bothShow('the job', jobs, /^Fan dance Rendering /m);
    await until('some results', async () => (await finished()) >= 4);
    await farm.kill(leader.index);
    await bothShow('the lost machine', machines, new RegExp(`^${leader.name} Not reachable`, 'm'));
    const next = await until('another coordinator', async () => {
      const found = await farm.coordinator();
      return found?.index === leader.index ? undefined : found;
    });
    await bothShow('the new coordinator', leads, new RegExp(`^${next.name} has led$`));
    await bothShow('why it leads', newestReason, new RegExp(`^It took over: ${leader.name} was lost\\.$`));
    assert.ok((await finished()) < FRAMES, 'there was work left to go on with');
  });

  it('show the same job at its end, task by task', async () => {
    await bothShow('the end of the job', jobs, new RegExp(`^Fan dance Done ${FRAMES} of ${FRAMES}`, 'm'));
    for (const [page, node] of faces) await page.goto(`${node.client.file.address}/jobs/${job}/tasks`);
    await bothShow('the tasks', tasks, new RegExp(`^frame ${FRAMES} Done \\S+`, 'm'));
    for (const [page] of faces) await page.getByRole('tab', { name: 'Details' }).click();
    await bothShow('the copies', copies, /Safe to switch off \w+: the job itself and every result are on /);
    for (const [page] of faces) await accessible(page);
  });

  it('show what each machine of the farm can do, and change what the farm wants of another', async () => {
    const [[one, a], [two, b]] = faces as [[Page, LocalNode], [Page, LocalNode]];
    const peer = (await b.client.call('here', {})).peer;
    await one.goto(`${a.client.file.address}/machines/${peer}`);
    await one.getByRole('heading', { name: b.name, level: 1 }).waitFor();
    await one.getByText('Workbench').waitFor();
    await accessible(one);
    await one.getByRole('button', { name: `Pause: ${b.name}`, exact: true }).click();
    await one.getByLabel('Takes work; empty: at any time').fill('Mon-Sun 00:00-24:00');
    await one.getByRole('button', { name: 'Save' }).click();
    await one.getByText('It works Mon–Sun, by its own clock.').waitFor();
    await two.goto(`${b.client.file.address}/machines`);
    await two.getByText('It works Mon–Sun, by its own clock.').waitFor();
    await two.getByText('It is paused.').waitFor();
    await two.getByRole('button', { name: `Resume: ${b.name}` }).click();
    await one.getByRole('button', { name: `Pause: ${b.name}`, exact: true }).waitFor();
  });

  it('show a newcomer with the same three words as its own, and one click admits it', async () => {
    const newcomer = await startNewcomer();
    const own = await open(newcomer, '/');
    const shown = await own.locator('cuadro-door-notice .words').innerText();
    assert.match(shown, /^[a-z]+ [a-z]+ [a-z]+$/);
    const [[one], [two]] = faces as [[Page, LocalNode], [Page, LocalNode]];
    for (const [page, node] of faces) {
      await page.goto(`${node.client.file.address}/door`);
      assert.equal(await page.locator('cuadro-newcomers .words').innerText(), shown);
    }
    for (const page of [own, one]) await accessible(page);
    await two.getByRole('button', { name: `Admit: ${newcomer.name}` }).click();
    await one.locator('cuadro-newcomers .newcomer').waitFor({ state: 'detached' });
    await own.locator('cuadro-machine-card').getByText('coordinator', { exact: true }).waitFor();
    faces = [[own, newcomer], ...faces.slice(0, 1)];
    for (const [page, node] of faces) await page.goto(`${node.client.file.address}/`);
    await bothShow('all machines', machines, new RegExp(`^${newcomer.name} `, 'm'));
    await bothShow('the job', jobs, new RegExp(`^Fan dance Done ${FRAMES} of ${FRAMES}`, 'm'));
  });

  it('R160: take a machine out of the farm that leaves by its own dashboard', async () => {
    const [[leaves, gone], [stays, other]] = faces as [[Page, LocalNode], [Page, LocalNode]];
    await stays.goto(`${other.client.file.address}/door`);
    await stays.getByRole('button', { name: `Remove: ${gone.name}` }).waitFor();
    await leaves.goto(`${gone.client.file.address}/machines`);
    await leaves.getByRole('button', { name: 'Leave the farm' }).click();
    await leaves.getByText('Everything that this machine holds is on another one, too.').waitFor();
    await leaves.getByRole('button', { name: 'Leave', exact: true }).click();
    await leaves.getByText(/^This machine has left .*cuadro up --data FOLDER/).waitFor();
    await leaves.getByText('No member of a farm any more').waitFor();
    await accessible(leaves);
    await stays.getByRole('button', { name: `Remove: ${gone.name}` }).waitFor({ state: 'detached' });
    const { members } = await other.client.call('door', {});
    assert.ok(!members.some(({ name }) => name === gone.name));
  });

  it('complain about nothing', () => assert.deepEqual(complaints, []));

  async function finished(): Promise<number> {
    const [[, node]] = faces as [[Page, LocalNode]];
    const { counts } = await node.client.call('job', { params: { job } });
    return counts.rendered + counts.done;
  }
});

/** The text that elements show, with what stands in their shadows, on one line each. */
async function texts(page: Page, selector: string): Promise<string[]> {
  const found = await page.locator(selector).evaluateAll((elements) => {
    const parts = (node: Node): string =>
      node.nodeType === 3
        ? ` ${node.textContent}`
        : node instanceof HTMLStyleElement
          ? ''
          : [...((node as Element).shadowRoot ?? node).childNodes].map(parts).join('');
    return elements.map(parts);
  });
  return found.map((text) => text.replace(/\s+/g, ' ').trim());
}

/** Which machine is this one is the one thing in which the dashboards differ, and with it the order. */
async function machines(page: Page): Promise<string[]> {
  const cards = await texts(page, 'cuadro-machine-card .head');
  return cards.map((text) => text.replace(' this machine', '')).sort();
}

const jobs = (page: Page): Promise<string[]> => texts(page, 'cuadro-farm .job');

/** Who has led; since when, each tells by its own clock. */
const leads = async (page: Page): Promise<string[]> =>
  (await texts(page, 'cuadro-coordinators strong')).map((text) => text.replace(/ since .*/, ''));

/**
 * Why the latest coordinator leads; for how long nobody did, each tells as it saw it. Two may stand at once on a busy
 * machine: then the one that gave way tells of their meeting above what it took over from.
 */
async function newestReason(page: Page): Promise<string[]> {
  const reasons = await texts(page, 'cuadro-coordinators li .why');
  const newest = reasons.find((reason) => !/^Two led at once, and met: \S+ gave way\.$/.test(reason)) ?? '';
  return [newest.replace(/ Nobody led for .*| First work .*/, '')];
}

/** Each task with its state and its machine. */
async function tasks(page: Page): Promise<string[]> {
  const rows = await texts(page, 'cuadro-task-table lit-virtualizer .row');
  return rows.map((text) => text.replace(/ [\d.]+ m?s\b/, ''));
}

const copies = (page: Page): Promise<string[]> =>
  texts(page, 'cuadro-job-details section:has(> h2:text-is("Copies"))');
