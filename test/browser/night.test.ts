import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { violationsOf } from './accessible.ts';
import { openStage, setTheme, until, type Stage } from './support.ts';

describe('the page of the night', () => {
  let stage: Stage;
  before(async () => {
    // No scene is rendered: to try the engines is half of what a node's start costs.
    stage = await openStage({ blender: '/nowhere/blender', ffmpeg: '/nowhere/ffmpeg' });
  });
  after(() => stage.close());

  const kinds = async (): Promise<string[]> =>
    (await stage.client.call('night', { query: { hours: 12 } })).events.map(({ kind }) => kind);

  it('tells by itself what is written down and what ends, needs first', async () => {
    const page = await stage.open('/night');
    const view = page.locator('cuadro-night');
    await view.getByText('The node of atelier ran for the first time.').waitFor();
    const asked = (): number => stage.requests.filter((address) => address.includes('/api/v1/night')).length;
    const before = asked();
    await stage.client.call('setNode', { params: { node: 'here' }, body: { ownerDesired: 'paused' } });
    // A pause is written down once it has lasted 3 s. Nothing is asked before: what comes is told by the stream.
    await page.waitForTimeout(2_500);
    assert.ok(asked() - before <= 1, 'it does not poll');
    await view.getByText(/^The owner of atelier wanted it back, so it took no work/).waitFor();
    const settings = { frames: '1-6', failFrames: [3] };
    await stage.client.call('submit', { body: { type: 'echo-sleep', name: 'Crowd test', settings } });
    await stage.client.call('setNode', { params: { node: 'here' }, body: { ownerDesired: 'active' } });
    await until('the end of the pause', async () => {
      const { events } = await stage.client.call('night', { query: { hours: 12 } });
      return events.some(({ kind, lasts }) => kind === 'paused' && !lasts);
    });
    await view.getByText(/^The owner of atelier wanted it back, so it took no work for /).waitFor();
    await view.getByRole('heading', { name: 'Needs you' }).waitFor({ timeout: 120_000 });
    await view.getByText(/^Frame 3 of #\d+ Crowd test failed everywhere: /).waitFor();
  });

  it('a restart is told by the node that was restarted', async () => {
    const page = await stage.open('/night');
    await stage.restart(async () => undefined);
    await page
      .locator('cuadro-night')
      .getByText(/^atelier was switched off, and was back after /)
      .waitFor();
    assert.ok((await kinds()).includes('switched-off'));
    // Nobody answers while the node is down, and what it was answering, or just being asked, breaks off.
    const others = stage.complaints
      .splice(0)
      .filter((text) => !/net::ERR_(CONNECTION_(REFUSED|RESET)|SOCKET_NOT_CONNECTED)/.test(text));
    assert.deepEqual(others, []);
  });

  it('is used by keyboard: the span and what is shown, and from an event to its job', async () => {
    const page = await stage.open('/night');
    const view = page.locator('cuadro-night');
    const span = view.getByRole('button', { name: '8 hours' });
    await span.focus();
    await page.keyboard.press('Enter');
    assert.equal(await span.getAttribute('aria-pressed'), 'true');
    const submitted = view.getByText(/^#\d+ Crowd test was submitted on atelier/);
    await submitted.waitFor();
    const machines = view.getByRole('button', { name: 'Machines', exact: true });
    await machines.focus();
    await page.keyboard.press('Space');
    await submitted.waitFor({ state: 'detached' });
    await view.getByRole('button', { name: 'Everything' }).press('Enter');
    const link = view.getByRole('link', { name: /^#\d+ Crowd test$/ }).last();
    await link.focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\//);
  });

  it('has no accessibility violation and fits a phone, dark and light', async () => {
    const page = await stage.open('/night', { width: 390, height: 844 });
    await page.locator('cuadro-night-timeline').first().waitFor();
    for (const colorScheme of ['dark', 'light'] as const) {
      await setTheme(page, colorScheme);
      assert.deepEqual(await violationsOf(page), [], colorScheme);
    }
    const wider = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.ok(wider <= 0, `${wider} pixels too wide`);
  });

  it('nothing was complained about', () => assert.deepEqual(stage.complaints, []));
});
