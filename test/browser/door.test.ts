import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DoorView } from '@cuadro/protocol';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Api } from '../../node/src/api/server.ts';
import { signinAddress } from '../../node/src/system/node-file.ts';
import { doorView, NEWCOMER } from '../unit/api/door.ts';
import { type FakeNode, startFake, TOKEN } from '../unit/api/fakes.ts';
import { CHROMIUM_FLAGS } from './support.ts';

const uiFolder = fileURLToPath(new URL('../../ui/dist', import.meta.url));
const asked: DoorView['asked'] = [
  {
    farm: { id: 'gggggggggggggggg', name: 'attic' },
    machine: 'tower',
    words: 'river nut ladder',
    state: 'waiting',
  },
];
const waiting = doorView({
  state: 'waiting',
  message: 'This machine waits to be let into attic.',
  newcomers: [],
  found: [],
  members: [],
  asked,
});

describe('the door in the dashboard', () => {
  let browser: Browser;
  let node: FakeNode;
  let api: Api;
  before(async () => {
    ({ node, api } = await startFake({ uiFolder }));
    browser = await chromium.launch({
      executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
    });
  });
  beforeEach(() => {
    node.door = doorView();
  });
  after(async () => {
    await browser.close();
    await api.stop();
  });

  async function open(path: string, colorScheme: 'dark' | 'light' = 'dark', width = 1280): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    await page.goto(signinAddress({ address: api.address, token: TOKEN }));
    await page.goto(`${api.address}${path}`);
    await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    return page;
  }
  const change = (door: DoorView): void => {
    node.door = door;
    node.emit({ kind: 'door', door });
  };
  /** Clicks, and waits until the node was asked for it. */
  async function ask(page: Page, name: string, button: string, within?: string): Promise<unknown[]> {
    const called = node.called(name);
    const place = within === undefined ? page : page.locator(within);
    await place.getByRole('button', { name: button, exact: true }).click();
    await called;
    return node.calls.findLast((call) => call.name === name)?.args ?? [];
  }

  it('admits a newcomer with one click, on the door and on the first page', async () => {
    for (const path of ['/door', '/']) {
      const page = await open(path);
      await page.getByText('amber piano river').waitFor();
      assert.deepEqual(await ask(page, 'admit', 'Admit: laptop'), [NEWCOMER]);
    }
  });

  it('shows a newcomer that comes while the page is open, wherever one is', async () => {
    node.door = doorView({ newcomers: [] });
    const page = await open('/jobs');
    change(doorView());
    await page.getByLabel('1 at the door').waitFor();
  });

  it('counts the open door down, opens it and closes it', async () => {
    node.door = doorView({ open: { leftMs: 65_000 } });
    const page = await open('/door');
    await page.getByText(/^Open, 1 min 0\d s left$/).waitFor();
    await page.getByText(/^Open, 5\d s left$/).waitFor();
    await ask(page, 'closeDoor', 'Close the door');
    const { open: _open, ...closed } = doorView();
    change(closed);
    await page.getByText('Closed', { exact: true }).waitFor();
    assert.deepEqual(await ask(page, 'openDoor', 'Open for 15 minutes'), [900_000]);
  });

  it('asks before it removes a member, and before farms merge', async () => {
    const page = await open('/door');
    await page.getByRole('button', { name: 'Remove: render-1' }).click();
    await page.getByLabel('Why (it is shown there)').fill('sold');
    const [member, reason] = await ask(page, 'removeMember', 'Remove', 'cuadro-dialog');
    assert.match(String(member), /^12D3KooWRender/);
    assert.equal(reason, 'sold');
    await page.getByRole('button', { name: 'Merge: attic' }).click();
    assert.deepEqual(await ask(page, 'mergeFarm', 'Merge', 'cuadro-dialog'), ['gggggggggggggggg']);
  });

  it('joins by address', async () => {
    const page = await open('/door');
    await page.getByLabel('Join by address').fill(' 192.168.1.9 ');
    assert.deepEqual(await ask(page, 'joinAddress', 'Join'), ['192.168.1.9']);
  });

  it('shows a waiting machine its three words, large, on the first page, too', async () => {
    node.door = waiting;
    for (const path of ['/', '/door']) {
      const page = await open(path);
      const size = await page
        .getByText('river nut ladder')
        .evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize));
      assert.ok(size >= 26, `${size} px`);
    }
  });

  it('says what to do where no other machine is seen', async () => {
    const interfaces = [{ name: 'eth0', address: '192.168.1.5', problem: 'no multicast' }];
    node.door = doorView({ alone: { message: 'No other node was seen for 20 s.', interfaces } });
    const page = await open('/door');
    await page.getByText('eth0 192.168.1.5').waitFor();
  });

  for (const theme of ['dark', 'light'] as const) {
    it(`has no accessibility violation and fits a phone, ${theme}`, async () => {
      for (const door of [doorView(), waiting]) {
        node.door = door;
        for (const width of [1280, 390]) {
          const page = await open('/door', theme, width);
          await page.getByRole('heading', { name: 'The door', exact: true }).waitFor();
          const { violations } = await new AxeBuilder({ page }).analyze();
          assert.deepEqual(
            violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join()}`),
            [],
          );
          const wider = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          assert.ok(wider <= 0, `${wider} pixels too wide`);
        }
      }
    });
  }
});
