import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createLogger } from '../../../node/src/system/logger.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createLoopDelay, createMetrics, createNodeMetrics } from '../../../node/src/system/metrics.ts';
import { temporaryFolder } from '../blobs/helpers.ts';

describe('the logger', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  before(() => {
    folder = temporaryFolder();
  });
  after(() => folder.remove());

  it('writes JSON lines to a file and short lines to a person, each at its level, and hides secrets', async () => {
    const path = join(folder.path, 'logs', 'node.log');
    const lines: string[] = [];
    const stream = { write: (line: string) => lines.push(line) };
    const clock = new ManualClock({ wallTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5) });
    const logger = createLogger(
      { clock },
      { file: { path, level: 'info' }, human: { stream, level: 'warn', colors: false } },
    );
    await logger.start();
    const room = logger.child({ room: 'render' });
    room.debug('unseen');
    room.info('started', { slot: 1, token: 'abc' });
    room.child({ job: 'j 1' }).warn('slow', { error: new Error('late'), token: 'abc' });
    await logger.stop();
    await logger.stop();
    logger.error('after the end');
    const records = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(records.length, 2);
    assert.deepEqual(
      [records[0].level, records[0].msg, records[0].room, records[0].slot, records[0].token, records[0].time],
      ['info', 'started', 'render', 1, '(hidden)', '2026-01-02T03:04:05.000Z'],
    );
    assert.equal(records[1].error.message, 'late');
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}slow room=render job="j 1" error=late\n$/);
  });

  it('rotates without losing a line', async () => {
    const path = join(folder.path, 'rotating.log');
    const logger = createLogger(
      { clock: new ManualClock() },
      { file: { path, bytesMax: 1_200, filesMax: 3 } },
    );
    await logger.start();
    for (let index = 0; index < 40; index += 1) {
      logger.info('line', { index });
    }
    await logger.stop();
    const texts = [path, `${path}.1`, `${path}.2`].map((file) => readFileSync(file, 'utf8'));
    assert.equal(existsSync(`${path}.3`), false);
    const seen = texts
      .toReversed()
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).index as number);
    assert.equal(seen.at(-1), 39);
    assert.deepEqual(
      seen,
      Array.from({ length: seen.length }, (_, index) => 40 - seen.length + index),
    );
    assert.ok(seen.length >= 30);
  });
});

describe('metrics', () => {
  it("renders Prometheus' text format", () => {
    const metrics = createMetrics();
    const frames = metrics.counter('cuadro_frames_total', 'Frames by outcome.');
    frames.add(2, { outcome: 'done', job: 'a"\\\n' });
    frames.add(1, { job: 'a"\\\n', outcome: 'done' });
    metrics.gauge('cuadro_slots', 'Slots.').set(2);
    metrics.gaugeOf('cuadro_free_bytes', 'Free.', () => 5);
    metrics.countersOf('cuadro_refused_total', 'Refused.', () => [
      [{ reason: 'late' }, 2],
      [{ reason: 'large' }, 7],
    ]);
    const seconds = metrics.histogram('cuadro_render_seconds', 'Time.', [1, 5]);
    for (const value of [0.5, 2, 9]) seconds.observe(value);
    assert.equal(
      metrics.render(),
      [
        '# HELP cuadro_frames_total Frames by outcome.',
        '# TYPE cuadro_frames_total counter',
        'cuadro_frames_total{job="a\\"\\\\\\n",outcome="done"} 3',
        '# HELP cuadro_slots Slots.',
        '# TYPE cuadro_slots gauge',
        'cuadro_slots 2',
        '# HELP cuadro_free_bytes Free.',
        '# TYPE cuadro_free_bytes gauge',
        'cuadro_free_bytes 5',
        '# HELP cuadro_refused_total Refused.',
        '# TYPE cuadro_refused_total counter',
        'cuadro_refused_total{reason="late"} 2',
        'cuadro_refused_total{reason="large"} 7',
        '# HELP cuadro_render_seconds Time.',
        '# TYPE cuadro_render_seconds histogram',
        'cuadro_render_seconds_bucket{le="1"} 1',
        'cuadro_render_seconds_bucket{le="5"} 2',
        'cuadro_render_seconds_bucket{le="+Inf"} 3',
        'cuadro_render_seconds_sum 11.5',
        'cuadro_render_seconds_count 3',
        '',
      ].join('\n'),
    );
    assert.throws(() => frames.add(-1), RangeError);
    assert.throws(() => metrics.gauge('cuadro_slots', 'Again.'), RangeError);
  });

  it('sees a stalled loop', async () => {
    const clock = createSystemClock();
    const delay = createLoopDelay();
    assert.equal(delay.maxMs(), 0);
    await delay.start();
    await clock.sleep(30);
    const until = clock.now() + 120;
    while (clock.now() < until);
    await clock.sleep(30);
    assert.ok(delay.maxMs() >= 80, `${delay.maxMs()} ms`);
    assert.ok(delay.percentileMs(99) >= 80);
    await delay.stop();
  });

  it('asks for percentiles of a hundred, and counts gossip where there is a network', () => {
    const mesh: { gossip?: { sent: number; received: number; dropped: number } } = {};
    const metrics = createNodeMetrics({
      loopDelay: {
        start: () => Promise.resolve(),
        stop: () => Promise.resolve(),
        percentileMs: (percentile) => percentile,
        maxMs: () => 200,
        reset: () => undefined,
      },
      gossip: () => mesh.gossip,
    });
    const lines = (): string[] =>
      metrics
        .render()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
    const delays = [
      'cuadro_loop_delay_p50_ms 50',
      'cuadro_loop_delay_p99_ms 99',
      'cuadro_loop_delay_max_ms 200',
    ];
    assert.deepEqual(lines(), delays);
    mesh.gossip = { sent: 3, received: 5, dropped: 1 };
    assert.deepEqual(lines(), [
      ...delays,
      'cuadro_gossip_sent_total 3',
      'cuadro_gossip_received_total 5',
      'cuadro_gossip_dropped_total 1',
    ]);
  });
});
