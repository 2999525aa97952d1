import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  nightKindSchema,
  nightStateSchema,
  type NightEvent,
  type NightKind,
  type NightTone,
  type NightView,
} from '@cuadro/protocol';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Api } from '../../node/src/api/server.ts';
import { createNight } from '../../node/src/diary/night.ts';
import { signinAddress } from '../../node/src/system/node-file.ts';
import { TOKEN } from '../unit/api/fakes.ts';
import {
  EVENING,
  FLAKY,
  FLAKY_TIMES,
  JOBS,
  makeNight,
  MORNING,
  NIGHT_HOURS,
  peerOf,
  type Name,
} from './made-night.ts';
import { violationsOf } from './accessible.ts';
import { createMorning } from './morning.ts';
import { CHROMIUM_FLAGS, setTheme, until } from './support.ts';

/** What the page has to show of one event. */
interface Told {
  readonly time: string;
  readonly end?: string;
  readonly tone: NightTone;
  readonly under: 'Jobs' | 'Machines';
  readonly sentence: string;
  readonly links: readonly string[];
}

const machine = (...names: Name[]): string[] => names.map((name) => `${name} /machines/${peerOf(name)}`);
const DANCE = `#41 Dance of the lanterns /jobs/${JOBS.dance}`;
const SMOKE = `#42 Smoke /jobs/${JOBS.smoke}`;
const RETAKE = `#43 Retake /jobs/${JOBS.retake}`;

/** One event of each kind, as the page tells them one after the other: a kind without a line here has no place on it. */
const KINDS: Record<NightKind, Told> = {
  joined: {
    ...{ time: '22:05', tone: 'note', under: 'Machines', links: machine('elena') },
    sentence: 'The node of elena ran for the first time.',
  },
  submitted: {
    ...{ time: '22:08', tone: 'note', under: 'Jobs', links: [DANCE, ...machine('alba')] },
    sentence: '#41 Dance of the lanterns was submitted on alba: 151 frames and a film.',
  },
  asleep: {
    ...{ time: '22:30', end: 'until 23:15', tone: 'note', under: 'Machines', links: machine('belen') },
    sentence: 'belen slept for 45 min.',
  },
  'attempts-lost': {
    ...{ time: '22:30', tone: 'note', under: 'Jobs', links: [SMOKE, ...machine('belen')] },
    sentence: 'Frames 10 and 12 of #42 Smoke ran on belen when it was lost, and went to other machines.',
  },
  'task-failed': {
    ...{ time: '23:06', tone: 'bad', under: 'Jobs', links: [`#42 Smoke /jobs/${JOBS.smoke}/tasks?task=10`] },
    sentence:
      'Frame 11 of #42 Smoke failed on 3 machines and was given up: The cache /mnt/projects/lanterns/caches/smoke_v007/0011.vdb is missing.',
  },
  'job-ended': {
    ...{ time: '23:06', tone: 'bad', under: 'Jobs', links: [SMOKE] },
    sentence:
      '#42 Smoke failed 57 min after it was submitted, with 28 of 29 frames there. 1 of its frames failed.',
  },
  rebooted: {
    ...{ time: '23:25', end: 'until 23:29', tone: 'odd', under: 'Machines', links: machine('carmen') },
    sentence:
      'carmen went down without notice (a restart, a crash or a power cut), and was back after 4 min.',
  },
  'failed-elsewhere': {
    ...{ time: '23:40', tone: 'odd', under: 'Jobs' },
    links: [`#41 Dance of the lanterns /jobs/${JOBS.dance}/tasks?task=11`, ...machine('dolores')],
    sentence:
      'Frame 12 of #41 Dance of the lanterns failed on dolores and went back to the queue: Blender crashed in frame 12.',
  },
  'disk-full': {
    ...{ time: '00:00', end: 'until 00:38', tone: 'bad', under: 'Machines', links: machine('dolores') },
    sentence:
      'dolores could keep no more results and took no work for 38 min. It said: “The disk has only 4.1 GiB free; 5.0 GiB are kept in reserve for the system.”',
  },
  copied: {
    ...{ time: '00:30', tone: 'good', under: 'Machines', links: machine('belen') },
    sentence: '3 results that only belen held are on a second machine now.',
  },
  'cut-off': {
    ...{ time: '00:50', end: 'until 00:58', tone: 'odd', under: 'Machines', links: machine('dolores') },
    sentence:
      'dolores was out of reach for 8 min and came back without having stopped, so it was the network.',
  },
  'off-hours': {
    ...{ time: '01:00', end: 'until 05:00', tone: 'note', under: 'Machines', links: machine('elena') },
    sentence:
      'elena took no work for 4 h. It said: “These are not its hours: it works Mon–Fri 19:00–01:00, by its own clock.”',
  },
  'switched-off': {
    ...{ time: '01:20', end: 'until 05:40', tone: 'note', under: 'Machines', links: machine('alba') },
    sentence: 'alba was switched off, and was back after 4 h 20 min.',
  },
  coordinator: {
    ...{ time: '01:20', tone: 'odd', under: 'Machines', links: machine('belen') },
    sentence:
      'belen coordinates the farm, because alba was switched off. Nobody did for 1 s; what ran went on.',
  },
  'rendered-again': {
    ...{ time: '01:45', end: 'until 02:01', tone: 'odd', under: 'Jobs' },
    links: [RETAKE, ...machine('carmen', 'alba')],
    sentence:
      "Frames 1, 2 and 3 of #43 Retake were rendered again by carmen: what was rendered first is on alba, which couldn't be asked.",
  },
  misfit: {
    ...{ time: '02:10', tone: 'bad', under: 'Machines', links: machine('carmen', 'belen') },
    sentence:
      'carmen sent belen 2 wrong pieces, the last of the file c0ffee012345. They were dropped, and carmen was not asked for a while.',
  },
  'held-back': {
    ...{ time: '02:30', end: 'until 02:50', tone: 'note', under: 'Machines', links: machine('carmen') },
    sentence: 'carmen took no work for 20 min. It said: “It is to run no tasks for now.”',
  },
  fault: {
    ...{ time: '03:00', end: 'until 03:12', tone: 'bad', under: 'Machines', links: machine('dolores') },
    sentence: 'dolores took no work for 12 min. It said: “Blender did not start within 60 s.”',
  },
  lost: {
    ...{ time: '03:30', end: 'still so', tone: 'bad', under: 'Machines', links: machine('fernanda') },
    sentence: "fernanda was lost: it can't be reached since. It is asleep, switched off, cut off or broken.",
  },
  'power-cut': {
    ...{ time: '04:00', end: 'until 04:06', tone: 'bad', under: 'Machines' },
    links: machine('elena', 'carmen', 'dolores', 'belen'),
    sentence:
      'All 4 machines that were on went down together, as in a power cut: elena, carmen, dolores and belen. The last was back after 6 min, and the work went on.',
  },
  paused: {
    ...{ time: '05:20', end: 'until 05:38', tone: 'note', under: 'Machines', links: machine('dolores') },
    sentence: 'The owner of dolores wanted it back, so it took no work for 18 min.',
  },
};

/** As designed: no tone is told by its colour alone. */
const TONES: Record<NightTone, { icon: string; word: string }> = {
  good: { icon: 'check', word: 'good' },
  note: { icon: 'note', word: '' },
  odd: { icon: 'warning', word: 'notable' },
  bad: { icon: 'error', word: 'bad' },
};

/** One event as it stands on the page. */
interface Row {
  time: string;
  moment: string;
  hour: string;
  tone: string;
  icon: string;
  sentence: string;
  end: string;
  links: string[];
  /** What is empty, is cut off, or lies on something else. */
  wrong: string[];
}

/** All events of the page, from the top. */
async function rowsOf(page: Page): Promise<Row[]> {
  return page.locator('cuadro-night li.event').evaluateAll((events) => {
    let bottom = Number.NEGATIVE_INFINITY;
    return events.map((event): Row => {
      const within = (selector: string): HTMLElement => event.querySelector(selector) as HTMLElement;
      const text = (selector: string): string => event.querySelector(selector)?.textContent?.trim() ?? '';
      const [time, icon, words] = [within('time'), within('cuadro-icon'), within(':scope > span')];
      const wrong: string[] = [];
      const panel = (event.closest('.panel') as Element).getBoundingClientRect();
      const row = event.getBoundingClientRect();
      if (row.top < bottom - 0.5) wrong.push('it lies on the one above');
      bottom = row.bottom;
      const drawn = icon.shadowRoot?.querySelector('svg');
      if ((drawn?.children.length ?? 0) === 0) wrong.push('its icon is empty');
      const columns = [time, icon, words].map((one) => one.getBoundingClientRect());
      for (const [at, { left, width, height }] of columns.entries()) {
        if (width === 0 || height === 0) wrong.push(`column ${at} is empty`);
        if (left < (columns[at - 1]?.right ?? 0)) wrong.push(`column ${at} lies on the one before`);
      }
      // What is only for those who hear the page has no place on it.
      const shown = [...words.querySelectorAll(':scope > span:not(.unseen)')];
      for (const part of [time, ...shown]) {
        for (const { left, right, top, bottom: end } of part.getClientRects())
          if (left < panel.left || right > panel.right || top < row.top - 2 || end > row.bottom + 2)
            wrong.push(`"${part.textContent}" is cut off`);
      }
      for (const part of [event, ...event.querySelectorAll('*')])
        if (getComputedStyle(part).textOverflow === 'ellipsis') wrong.push('it is shortened');
      const links = [...event.querySelectorAll('a')].map(
        (link) => `${link.textContent?.trim()} ${link.getAttribute('href')}`,
      );
      return {
        time: text('time'),
        moment: time.getAttribute('datetime') ?? '',
        hour: event.parentElement?.previousElementSibling?.textContent?.trim() ?? '',
        tone: `${event.className} ${text('.unseen')}`.trim(),
        icon: icon.getAttribute('name') ?? '',
        sentence: text(':scope > span > span:nth-child(2)'),
        ...{ end: text('.until'), links, wrong },
      };
    });
  });
}

/** Of each machine the stretches of its line of time, in pixels of that line that they can be seen on. */
async function timelinesOf(page: Page): Promise<{ state: string; seen: number }[][]> {
  return page.locator('cuadro-night-timeline .line').evaluateAll((lines) =>
    lines.map((line) => {
      const whole = line.getBoundingClientRect();
      return [...line.children].map((stretch) => {
        const { left, right } = stretch.getBoundingClientRect();
        const seen = Math.min(right, whole.right) - Math.max(left, whole.left);
        return { state: stretch.className, seen };
      });
    }),
  );
}

describe('an event of every kind on the page of the night', () => {
  let browser: Browser;
  let api: Api;
  let page: Page;
  let view: NightView;
  const complaints: string[] = [];
  const made = makeNight();
  let night = createNight(made.components);

  before(async () => {
    api = createMorning({ ...made, night: { read: (hours) => night.read(hours) } });
    await api.start();
    view = await night.read(NIGHT_HOURS);
    browser = await chromium.launch({
      executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
    });
    const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB' });
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.clock.setFixedTime(MORNING);
    await page.goto(signinAddress({ address: api.address, token: TOKEN }));
    await page.goto(`${api.address}/night`);
    await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    await choose(`${NIGHT_HOURS} hours`);
    await until('the whole night', async () => (await rowsOf(page)).length === view.events.length);
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
  });

  async function choose(name: string): Promise<void> {
    const button = page.getByRole('button', { name, exact: true });
    await button.click();
    assert.equal(await button.getAttribute('aria-pressed'), 'true');
  }

  const sentences = (told: readonly Pick<Row, 'sentence'>[]): string[] =>
    told.map(({ sentence }) => sentence);
  const eventOf = (kind: NightKind): NightEvent => {
    const event = view.events.find((one) => one.kind === kind && one.sentence === KINDS[kind].sentence);
    assert.ok(event, `no event of the kind ${kind} says "${KINDS[kind].sentence}"`);
    return event;
  };

  it('R127: every kind is told, in the order of its time and under its hour', async () => {
    assert.deepEqual(Object.keys(KINDS).sort(), [...nightKindSchema.options].sort());
    const rows = await rowsOf(page);
    assert.deepEqual(sentences(rows), sentences(view.events));
    const places = Object.values(KINDS).map(({ sentence }) => sentences(rows).indexOf(sentence));
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
      'what led to something is told before it',
    );
    for (const kind of nightKindSchema.options) {
      const { time, end = '', tone, sentence, links } = KINDS[kind];
      const row = rows.find((one) => one.sentence === sentence);
      const { at } = eventOf(kind);
      const { icon, word } = TONES[tone];
      const day = at < EVENING + 2 * 3_600_000 ? '4 Mar, ' : '';
      assert.deepEqual(
        { kind, ...row, hour: row?.hour.replace(' at ', ', ') },
        {
          ...{ kind, time, moment: new Date(at).toISOString(), hour: `${day}${time.slice(0, 2)}:00` },
          ...{ tone: `event is-${tone} ${word}`.trim(), icon, sentence, end, links: [...links], wrong: [] },
        },
      );
    }
  });

  it('R127: each stands under its choice and under everything', async () => {
    for (const under of ['Jobs', 'Machines'] as const) {
      const before = (await rowsOf(page)).length;
      await choose(under);
      await until(under, async () => (await rowsOf(page)).length !== before);
      const expected = view.events.filter(({ kind }) => KINDS[kind].under === under);
      assert.deepEqual(sentences(await rowsOf(page)), sentences(expected));
    }
    await choose('Everything');
    await until('everything', async () => (await rowsOf(page)).length === view.events.length);
  });

  it('R127: nothing of it is cut off or lies on anything, wide and narrow, dark and light', async () => {
    for (const colorScheme of ['dark', 'light'] as const)
      for (const width of [1280, 390]) {
        await setTheme(page, colorScheme);
        await page.setViewportSize({ width, height: 844 });
        const rows = await rowsOf(page);
        assert.equal(rows.length, view.events.length);
        const wrong = rows.filter((row) => row.wrong.length > 0);
        assert.deepEqual(wrong, [], `${colorScheme}, ${width}`);
        const wider = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(wider <= 0, `${wider} pixels too wide at ${width}`);
      }
  });

  it('each state of a machine has a word and a look of its own, and every tone its contrast', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await setTheme(page, colorScheme);
      const legend = await page
        .getByRole('group', { name: 'Legend' })
        .locator('> span')
        .evaluateAll((entries) =>
          entries.map((entry) => {
            const { backgroundImage, backgroundColor } = getComputedStyle(
              entry.querySelector('i') as Element,
            );
            return { word: entry.textContent?.trim(), look: `${backgroundImage} ${backgroundColor}` };
          }),
        );
      const states = nightStateSchema.options.length;
      assert.equal(new Set(legend.map(({ word }) => word)).size, states, 'the made night has every state');
      assert.equal(new Set(legend.map(({ look }) => look)).size, states, JSON.stringify(legend));
      for (const { word, look } of legend) assert.notEqual(look, 'none rgba(0, 0, 0, 0)', word);
      assert.deepEqual(await violationsOf(page), [], colorScheme);
    }
  });

  it('a line of time shows every stretch, also the short ones and the one that has just begun', async () => {
    night = createNight(makeNight(FLAKY).components);
    await choose('12 hours');
    await choose(`${NIGHT_HOURS} hours`);
    const at = view.machines.findIndex(({ name }) => name === 'elena');
    const lost = async (): Promise<number[]> =>
      ((await timelinesOf(page))[at] ?? []).filter(({ state }) => state === 'lost').map(({ seen }) => seen);
    await until('the flaky machine', async () => (await lost()).length === FLAKY_TIMES + 1);
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      for (const [stretch, seen] of (await lost()).entries())
        assert.ok(seen >= 3, `stretch ${stretch} shows ${seen} pixels at ${width}`);
    }
  });

  it('an event leads to its machine', async () => {
    const { sentence } = KINDS.misfit;
    const event = page.locator('cuadro-night li.event').filter({ hasText: sentence });
    await event.getByRole('link', { name: 'carmen' }).click();
    await page.waitForURL(`**/machines/${peerOf('carmen')}`);
  });

  it('nothing was complained about', () => assert.deepEqual(complaints, []));
});
