import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  tellNight,
  type DiaryEvent,
  type NightFailure,
  type NightJob,
  type NightSource,
  type ToldEntry,
} from '@cuadro/protocol';
import { JOB_A, nodeView } from '../api/fakes.ts';
import { jobView } from '../api/views.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NAMES = ['alba', 'belen', 'carmen', 'dolores'];
const TO = 12 * HOUR;

/** Entries as `[minutes, machine, event]`, in the order of each machine's writing. */
function diary(...lines: (readonly [number, string, DiaryEvent])[]): ToldEntry[] {
  const count = new Map<string, number>();
  return lines.map(([minutes, peer, event]) => {
    const sequence = (count.get(peer) ?? 0) + 1;
    count.set(peer, sequence);
    return { peer, sequence, at: minutes * MINUTE, event };
  });
}

const firsts = NAMES.map((peer) => [0, peer, { kind: 'started', after: 'first' }] as const);
const lost = (machine: string): DiaryEvent => ({ kind: 'lost', machine });
const back = (machine: string): DiaryEvent => ({ kind: 'back', machine });
const cut = (minutes: number): DiaryEvent => ({ kind: 'started', after: 'cut', since: minutes * MINUTE });

function tell(entries: readonly ToldEntry[], source: Partial<NightSource> = {}) {
  return tellNight({
    from: 1 * MINUTE,
    to: TO,
    nodes: NAMES.map((peer) => ({ ...nodeView(), peer, name: peer, here: peer === 'alba' })),
    diary: entries,
    jobs: [],
    work: new Map(),
    nameOf: (peer) => peer,
    ...source,
  });
}

const told = (view: ReturnType<typeof tell>): string[] =>
  view.events.map(({ at, until, kind, machines }) =>
    [at / MINUTE, until === undefined ? '-' : until / MINUTE, kind, ...machines].join(' '),
  );

/** Lines of the diaries, and what is told of them. */
const TABLE: [string, ToldEntry[], string[]][] = [
  [
    'a sleeper says itself how long it slept, and its loss is told once',
    diary(
      ...firsts,
      [60, 'alba', lost('belen')],
      [90, 'alba', back('belen')],
      [90, 'belen', { kind: 'woke', forMs: 30 * MINUTE }],
    ),
    ['60 90 asleep belen'],
  ],
  [
    'of a machine that went down whoever lost it knows better when',
    diary(...firsts, [60.5, 'alba', lost('belen')], [64, 'belen', cut(60)], [64, 'alba', back('belen')]),
    ['60.5 64 rebooted belen'],
  ],
  [
    'a machine that nobody heard of again is lost',
    diary(...firsts, [60, 'alba', lost('belen')]),
    ['60 - lost belen'],
  ],
  [
    'one that comes back without having stopped was cut off',
    diary(...firsts, [60, 'alba', lost('belen')], [70, 'carmen', back('belen')]),
    ['60 70 cut-off belen'],
  ],
  [
    'of two that lost each other the many are believed',
    diary(
      ...firsts,
      [60, 'alba', lost('belen')],
      [60, 'alba', lost('carmen')],
      [60, 'alba', lost('dolores')],
      [60, 'belen', lost('alba')],
      [70, 'belen', back('alba')],
    ),
    ['60 70 cut-off alba'],
  ],
  [
    'one that was switched off stays so until it starts',
    diary(
      ...firsts,
      [60, 'belen', { kind: 'ended' }],
      [60.2, 'alba', lost('belen')],
      [120, 'belen', { kind: 'started', after: 'order', since: 60 * MINUTE }],
      [200, 'carmen', { kind: 'ended' }],
    ),
    ['60 120 switched-off belen', '200 - switched-off carmen'],
  ],
  [
    'a rest ends with the next word, and the last one lasts',
    diary(
      ...firsts,
      [60, 'belen', { kind: 'rests', why: 'disk', sentence: 'Full.' }],
      [70, 'belen', { kind: 'rests', why: 'owner', sentence: 'Its owner paused it.' }],
      [80, 'belen', { kind: 'works' }],
      [90, 'belen', { kind: 'rests', why: 'hours', sentence: 'These are not its hours.' }],
    ),
    ['60 70 disk-full belen', '70 80 paused belen', '90 - off-hours belen'],
  ],
  [
    'all that were on and went down at once had no power; one that was off had no part in it',
    diary(
      ...firsts,
      [30, 'dolores', { kind: 'ended' }],
      [64, 'alba', cut(60)],
      [65, 'belen', cut(60.5)],
      [63, 'carmen', cut(59.8)],
    ),
    ['30 - switched-off dolores', '60.5 65 power-cut carmen alba belen'],
  ],
  [
    'where one stayed on it was no power cut',
    diary(...firsts, [64, 'alba', cut(60)], [65, 'belen', cut(60.5)], [63, 'carmen', cut(59.8)]),
    ['59.8 63 rebooted carmen', '60 64 rebooted alba', '60.5 65 rebooted belen'],
  ],
];

describe('what the night is told from', () => {
  for (const [what, entries, expected] of TABLE) {
    it(`R127: ${what}`, () => {
      assert.deepEqual(told(tell(entries)), expected);
    });
  }

  it('R138: a machine that sent wrong pieces is named with the machine that it sent them to, and the file', () => {
    const hash = `abcdef012345${'6'.repeat(52)}`;
    const misfit = (machine: string, count: number): DiaryEvent => ({ kind: 'misfit', machine, hash, count });
    const view = tell(
      diary(...firsts, [60, 'alba', misfit('belen', 1)], [70, 'carmen', misfit('belen', 12)]),
    );
    assert.deepEqual(told(view), ['60 - misfit belen alba', '70 - misfit belen carmen']);
    assert.deepEqual(
      view.events.map(({ sentence }) => sentence),
      [
        'belen sent alba a wrong piece of the file abcdef012345. It was dropped, and belen was not asked for a while.',
        'belen sent carmen 12 wrong pieces, the last of the file abcdef012345. They were dropped, and belen was not asked for a while.',
      ],
    );
  });

  it('R127: why a machine took no work is told in its own words of that time', () => {
    const reason = 'The data folder /srv/cuadro cannot be written to.';
    const entries = diary(
      ...firsts,
      [60, 'belen', { kind: 'rests', why: 'slots', sentence: 'It is to run no tasks for now.' }],
      [70, 'belen', { kind: 'works' }],
      [80, 'belen', { kind: 'rests', why: 'disk', sentence: reason }],
    );
    const { events, needs } = tell(entries);
    assert.deepEqual(
      events.map(({ sentence }) => sentence),
      [
        'belen took no work for 10 min. It said: “It is to run no tasks for now.”',
        `belen could keep no more results and took no work, and still takes none. It said: “${reason}”`,
      ],
    );
    assert.deepEqual(
      needs.map(({ sentence }) => sentence),
      [`belen can keep no more results: ${reason}`],
    );
  });

  it('R127: a new coordinator says what became of the one before', () => {
    const leads: DiaryEvent = { kind: 'leads', cause: 'lost', term: 2, leaderlessMs: 700, before: 'belen' };
    const ends: [ToldEntry[], RegExp][] = [
      [
        diary(...firsts, [60, 'belen', { kind: 'ended' }], [60.1, 'alba', leads]),
        /because belen was switched off\. Nobody did for 1 s/,
      ],
      [
        diary(...firsts, [60, 'belen', { kind: 'ended' }], [60.1, 'alba', { ...leads, leaderlessMs: 300 }]),
        /because belen was switched off\.$/,
      ],
      [diary(...firsts, [60.1, 'alba', leads], [64, 'belen', cut(60)]), /because belen went down/],
      [diary(...firsts, [60.1, 'alba', leads], [60.3, 'alba', lost('belen')]), /because belen was lost/],
      [diary(...firsts, [60.1, 'alba', leads]), /because belen couldn't be reached/],
    ];
    for (const [entries, sentence] of ends) {
      const event = tell(entries).events.find(({ kind }) => kind === 'coordinator');
      assert.match(event?.sentence ?? '', sentence);
    }
  });

  it('R127: whoever was cut off and led itself is told as that, and new machines together', () => {
    const leads: DiaryEvent = { kind: 'leads', cause: 'lost', term: 2, leaderlessMs: 700, before: 'belen' };
    const cutOff = diary(
      ...firsts,
      [60, 'belen', lost('alba')],
      [60.05, 'alba', leads],
      [70, 'belen', back('alba')],
    );
    const { events } = tell(cutOff, { from: 0 });
    assert.deepEqual(
      events.map(({ sentence }) => sentence),
      [
        'The nodes of alba, belen, carmen and dolores ran for the first time.',
        'alba was out of reach for 10 min and came back without having stopped, so it was the network.',
        'alba was cut off from the others and coordinated what it could do alone.',
      ],
    );
  });

  it("R127: a machine's line of time has no gap, and its state is the worst of those that it was in", () => {
    const entries = diary(
      ...firsts,
      [60, 'belen', { kind: 'rests', why: 'disk', sentence: 'Full.' }],
      [120, 'belen', { kind: 'works' }],
      [100, 'alba', lost('belen')],
      [110, 'alba', back('belen')],
    );
    const spans = [{ from: 30 * MINUTE, to: 90 * MINUTE }];
    const view = tell(entries, { work: new Map([['belen', { spans, results: 4, failures: 1 }]]) });
    const belen = view.machines.find(({ peer }) => peer === 'belen');
    assert.deepEqual(
      belen?.spans.map(({ state, from, to }) => `${state} ${from / MINUTE}-${to / MINUTE}`),
      ['idle 1-30', 'rendering 30-60', 'full 60-100', 'lost 100-110', 'full 110-120', 'idle 120-720'],
    );
    assert.equal(
      belen?.sentence,
      '4 results in 30 min of work, 1 failed attempt; full for 50 min; out of reach for 10 min.',
    );
  });

  it('R127: what lasts from before belongs to the night, what was over does not', () => {
    const entries = diary(
      ...firsts,
      [60, 'alba', lost('belen')],
      [70, 'alba', back('belen')],
      [80, 'alba', lost('carmen')],
    );
    assert.deepEqual(told(tell(entries, { from: 100 * MINUTE })), ['80 - lost carmen']);
  });

  it('R127: nobody waits for a machine that was removed, and it is not on while the others have no power', () => {
    const nodes = ['alba', 'belen'].map((peer) => ({ ...nodeView(), peer, name: peer }));
    const entries = diary(
      ...firsts,
      [60, 'alba', lost('carmen')],
      [70, 'carmen', { kind: 'rests', why: 'fault', sentence: 'Blender is gone.' }],
      [204, 'alba', cut(200)],
      [205, 'belen', cut(200)],
    );
    const view = tell(entries, { from: 100 * MINUTE, nodes });
    assert.deepEqual(told(view), ['200 205 power-cut alba belen']);
    assert.deepEqual(told(tell(entries, { nodes })).slice(0, 2), ['60 - lost carmen', '70 - fault carmen']);
  });
});

const failure = (index: number, change: Partial<NightFailure> = {}): NightFailure => ({
  ...{
    task: index,
    name: `frame ${index + 1}`,
    peer: 'belen',
    at: 60 * MINUTE,
    code: 'c',
    message: 'It broke.',
  },
  ...change,
});

function job(change: Partial<NightJob> = {}, view: Parameters<typeof jobView>[2] = {}): NightJob {
  const counts = { total: 11, open: 0, rendered: 0, done: 11, failed: 0, skipped: 0 };
  const times = { submittedAt: 10 * MINUTE, changedAt: 130 * MINUTE };
  return {
    view: jobView(JOB_A, 1, { state: 'done', counts, oneCopyOnly: 0, submitter: 'alba', ...times, ...view }),
    ...{ films: 1, filmsMade: 1, made: 11, failed: [], failures: [], lost: [], again: [] },
    ...change,
  };
}

describe('what is told of jobs', () => {
  it('R127: that it ended, how far it came, how long it took and where its frames are', () => {
    const view = tell([], { jobs: [job()] });
    assert.deepEqual(told(view), ['10 - submitted alba', '130 - job-ended']);
    assert.equal(view.events[0]?.sentence, '#1 job 1 was submitted on alba: 10 frames and a film.');
    assert.equal(
      view.events[1]?.sentence,
      '#1 job 1 is done: all 10 frames and the film, 2 h after it was submitted.',
    );
    assert.match(view.jobs[0]?.sentence ?? '', /Every result is on two machines at least\./);
    assert.match(view.summary, /^1 job done; nothing was rendered\. Nothing needs you\.$/);
  });

  it('R127: attempts that went with their machine, together, and apart from later ones', () => {
    const ones = [failure(0), failure(1, { at: 60.5 * MINUTE }), failure(4, { at: 90 * MINUTE })];
    const view = tell([], { jobs: [job({ lost: ones })] });
    const sentences = view.events
      .filter(({ kind }) => kind === 'attempts-lost')
      .map(({ sentence }) => sentence);
    assert.deepEqual(sentences, [
      'Frames 1 and 2 of #1 job 1 ran on belen when it was lost, and went to other machines.',
      'Frame 5 of #1 job 1 ran on belen when it was lost, and went to other machines.',
    ]);
  });

  it('R127: what several machines ran when the network took them is told in one sentence, in the order of frames', () => {
    const ones = [failure(9), failure(1, { peer: 'carmen', at: 60.2 * MINUTE })];
    const [event] = tell([], { jobs: [job({ lost: ones })] }).events.filter(
      ({ kind }) => kind === 'attempts-lost',
    );
    assert.equal(
      event?.sentence,
      'Frames 2 and 10 of #1 job 1 ran on belen and carmen when they were lost, and went to other machines.',
    );
  });

  it('R127: a task that was given up, with its reason, and that a person has to see to it', () => {
    const counts = { total: 11, open: 0, rendered: 0, done: 9, failed: 1, skipped: 1 };
    const failed = [{ ...failure(6), machines: 3 }];
    const view = tell([], {
      jobs: [job({ failed, filmsMade: 0 }, { state: 'failed', counts, reason: '1 of 11 tasks failed.' })],
    });
    const sentences = view.events.map(({ kind, sentence }) => `${kind}: ${sentence}`);
    assert.ok(
      sentences.includes('task-failed: Frame 7 of #1 job 1 failed on 3 machines and was given up: It broke.'),
    );
    assert.ok(
      sentences.includes(
        'job-ended: #1 job 1 failed 2 h after it was submitted, with 9 of 10 frames there. 1 of 11 tasks failed.',
      ),
      sentences.join('\n'),
    );
    assert.deepEqual(
      view.needs.map(({ sentence }) => sentence),
      ['Frame 7 of #1 job 1 failed everywhere: It broke. Mend the cause and render it again.'],
    );
  });

  it('R127: what made a job end is told before its end', () => {
    const failed = [{ ...failure(6, { at: 130 * MINUTE }), machines: 3 }];
    const view = tell([], { jobs: [job({ failed }, { state: 'failed' })] });
    assert.deepEqual(told(view), ['10 - submitted alba', '130 - task-failed', '130 - job-ended']);
  });

  it('R127: an attempt that failed, and that its task waits for another', () => {
    const failures = [failure(0), failure(1, { at: 60.5 * MINUTE })];
    const view = tell([], { jobs: [job({ failures })] });
    assert.equal(
      view.events.find(({ kind }) => kind === 'failed-elsewhere')?.sentence,
      'Frames 1 and 2 of #1 job 1 failed on belen and went back to the queue: It broke.',
    );
  });

  it('R127: results that were made twice, and where the first ones are', () => {
    const again = [0, 1].map((index) => ({
      ...{ task: index, name: `frame ${index + 1}`, by: 'carmen', held: ['belen', 'dolores'] },
      at: (60 + index) * MINUTE,
    }));
    const [event] = tell([], { jobs: [job({ again })] }).events.filter(
      ({ kind }) => kind === 'rendered-again',
    );
    assert.equal(
      event?.sentence,
      "Frames 1 and 2 of #1 job 1 were rendered again by carmen: what was rendered first is on belen and dolores, which couldn't be asked.",
    );
  });

  it('R127: what only one machine holds, and on which', () => {
    const onlyOn = [{ peer: 'belen', machine: 'belen', results: 2, scene: false }];
    const view = tell([], { jobs: [job({}, { oneCopyOnly: 2, onlyOn })] });
    assert.match(view.jobs[0]?.sentence ?? '', /2 results have one copy only, on belen \(2\)\./);
  });
});
