import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEPARTURE, type DoorView, leavingSentence, type NodeView } from '@cuadro/protocol';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Api } from '../../node/src/api/server.ts';
import { signinAddress } from '../../node/src/system/node-file.ts';
import { doorView, NEWCOMER } from '../unit/api/door.ts';
import {
  config,
  type FakeNode,
  JOB_A,
  jobView,
  nodeView,
  SELF,
  startFake,
  TOKEN,
} from '../unit/api/fakes.ts';
import { violationsOf } from './accessible.ts';
import { CHROMIUM_FLAGS, Viewer } from './support.ts';

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

const RENDER = doorView().members[1]?.peer ?? '';
/** What the other machine says of itself while it leaves, and nobody takes what it holds. */
const stuck = leavingSentence(DEPARTURE.stuck);

describe('the door in the dashboard', () => {
  let browser: Browser;
  let viewer: Viewer;
  let node: FakeNode;
  let api: Api;
  before(async () => {
    ({ node, api } = await startFake({ uiFolder }));
    browser = await chromium.launch({
      executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
    });
    viewer = new Viewer(browser);
  });
  beforeEach(() => {
    node.door = doorView();
    node.nodes = [nodeView()];
    node.jobs = [];
    node.config = { ...config };
  });
  after(async () => {
    await browser.close();
    await api.stop();
  });

  const open = (path: string, theme: 'dark' | 'light' = 'dark', width = 1280): Promise<Page> =>
    viewer.open(api.address, path, signinAddress({ address: api.address, token: TOKEN }), {
      width,
      height: 900,
      theme,
    });
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

  /** Two machines in reach, of which one holds five things of a job that are nowhere else. */
  function hold(peer: string, change: Partial<NodeView> = {}): void {
    const [self, render] = doorView().members;
    if (self === undefined || render === undefined) throw new Error('Two machines are in the farm.');
    node.door = doorView({ newcomers: [], members: [self, { ...render, reachable: true }] });
    const other = { ...nodeView(), peer: RENDER, name: 'render-1', here: false, coordinator: false };
    node.nodes = [nodeView(), other].map((view) => (view.peer === peer ? { ...view, ...change } : view));
    node.jobs = [jobView(JOB_A, 1, { onlyOn: [{ peer, machine: 'it', results: 4, scene: true }] })];
  }
  function become(peer: string, change: Partial<NodeView>): void {
    node.nodes = node.nodes.map((view) => (view.peer === peer ? { ...view, ...change } : view));
    node.hub.notify({ jobs: [], removed: [], tasks: [], nodes: [peer], farm: false });
  }
  const wants = (wanted: boolean, reason = '') => ({ leaving: { wanted, reason } });

  it('R162: has a member give away what only it holds before it goes, shows how far that is, and lets it stay', async () => {
    hold(RENDER);
    const page = await open('/door');
    await page.getByRole('button', { name: 'Remove: render-1' }).click();
    await page
      .getByText('Only it holds 4 results and the scene or plan of a job. That goes to other')
      .waitFor();
    await page.getByRole('link', { name: 'job 1' }).waitFor();
    await page.getByLabel('Why (it is shown there)').fill('sold');
    assert.deepEqual(await ask(page, 'setNode', 'Remove', 'cuadro-dialog'), [RENDER, wants(true, 'sold')]);
    become(RENDER, { leaving: true });
    await page.getByText('What only render-1 holds goes to others.').waitFor();
    node.setJob(JOB_A, { onlyOn: [{ peer: RENDER, machine: 'it', results: 2, scene: false }] });
    await page.getByText('3 of 5 results and scenes moved').waitFor();
    assert.deepEqual(await ask(page, 'setNode', 'Let it stay: render-1'), [RENDER, wants(false)]);
    become(RENDER, { leaving: false });
    await page.getByRole('button', { name: 'Remove: render-1' }).waitFor();
  });

  it('removes a member at once where a person says that what only it holds is lost', async () => {
    const away = { ...nodeView().live, reachable: false };
    hold(RENDER, { live: away });
    const page = await open('/door', 'light');
    await page.getByRole('button', { name: 'Remove: render-1' }).click();
    await page.getByText("It can't be reached, so that can't be moved").waitFor();
    const confirm = page.locator('cuadro-dialog').getByRole('button', { name: 'Remove', exact: true });
    assert.equal(await confirm.isDisabled(), true);
    await page.getByLabel(/^It won't come back: .* Results are then rendered again/).check();
    await accessible(page);
    assert.deepEqual(await ask(page, 'removeMember', 'Remove at once', 'cuadro-dialog'), [RENDER, '']);
  });

  it('says why a member can not leave, and offers to remove it at once', async () => {
    hold(RENDER, { leaving: true, live: { ...nodeView().live, idleReason: stuck } });
    const page = await open(`/machines/${RENDER}`, 'light', 390);
    await page.locator('cuadro-departure').getByText(DEPARTURE.stuck).waitFor();
    await page.getByText('Leaving the farm', { exact: true }).waitFor();
    await accessible(page);
    await page.getByRole('button', { name: 'Remove at once: render-1' }).click();
    assert.equal(await page.getByLabel(/^Remove it at once, and lose what only it holds/).isChecked(), true);
    await ask(page, 'removeMember', 'Remove at once', 'cuadro-dialog');
  });

  it('R162: lets this machine leave, shows what its node says of that, and lets it stay', async () => {
    hold(SELF);
    const page = await open('/machines');
    await page.getByRole('button', { name: 'Leave the farm' }).click();
    await page.getByText('Only this machine holds 4 results and the scene or plan of a job').waitFor();
    await page.getByText('1 job of this machine goes on without it').waitFor();
    assert.deepEqual(await ask(page, 'setNode', 'Leave', 'cuadro-dialog'), [SELF, wants(true)]);
    const message = 'What only this machine holds goes to others.';
    node.departures = [{ state: 'moving', left: { results: 2, scenes: 0 }, message }];
    become(SELF, { leaving: true });
    await page.getByText('3 of 5 results and scenes moved').waitFor();
    await accessible(page);
    assert.deepEqual(await ask(page, 'setNode', 'Stay in the farm'), [SELF, wants(false)]);
    become(SELF, { leaving: false });
    await page.getByRole('button', { name: 'Leave the farm' }).click();
    await page.getByLabel(/^Leave at once, and lose what only this machine holds/).check();
    await ask(page, 'leaveNow', 'Leave at once', 'cuadro-dialog');
  });

  it('R163: frees what done and collected jobs keep once a person agrees, and says what stayed', async () => {
    const job = { job: JOB_A, order: 1, name: 'Fan dance', sizeBytes: 9e9, goes: true };
    node.retention = { days: 0, jobs: [job], freesBytes: 9e9 };
    const page = await open('/machines', 'light');
    await page.getByText('1 job from here is done and collected; deleting it frees 9.0 GB').waitFor();
    await page.getByRole('button', { name: 'Free 9.0 GB' }).click();
    const why = 'fan_0003.png is in its folder no more, or was changed.';
    node.retention = { days: 0, jobs: [{ ...job, goes: false, why }], freesBytes: 0 };
    assert.deepEqual(await ask(page, 'free', 'Delete 1 job', 'cuadro-dialog'), [0]);
    await page.getByText(`“Fan dance” stays: ${why}`).waitFor();
    await page.getByText('0 jobs deleted, 0 B freed on this machine.').waitFor();
    await page.getByText('1 job from here is done; none can be freed yet.').waitFor();
    await page.getByLabel('Days until a collected job is deleted').fill('14');
    assert.deepEqual(await ask(page, 'setConfig', 'Save', 'cuadro-machine-retention'), [{ keepDays: 14 }]);
    await accessible(page);
  });

  it('leaves the days alone where other settings are saved', async () => {
    node.config = { ...config, keepDays: 14 };
    const page = await open('/machines');
    await page.getByLabel('Output folder (where').fill('/tmp/elsewhere');
    const [change] = (await ask(page, 'setConfig', 'Save', 'cuadro-machine-settings')) as [object];
    assert.equal('keepDays' in change, false);
    assert.equal(node.config.keepDays, 14);
    assert.equal(node.config.outputFolder, '/tmp/elsewhere');
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
          await accessible(page);
          const wider = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          assert.ok(wider <= 0, `${wider} pixels too wide`);
        }
      }
    });
  }
});

async function accessible(page: Page): Promise<void> {
  assert.deepEqual(await violationsOf(page), []);
}
