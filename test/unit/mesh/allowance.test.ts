import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AbstractStream } from '@libp2p/utils';
import { PULSE_BYTES, defaultOptions as core } from '../../../node/src/core/options.ts';
import { Allowance } from '../../../node/src/mesh/allowance.ts';
import {
  ALLOWANCE_BYTES_FIRST,
  ALLOWANCE_STALE_MS,
  SLICE_BYTES,
  STREAM_WINDOW_BYTES,
} from '../../../node/src/mesh/limits.ts';
import { quietLogger } from '../../../node/src/mesh/quiet-logger.ts';
import { BulkStream } from '../../../node/src/mesh/stream.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

/** As many as one machine has answered by another at a time. */
const STREAMS = 4;
/** When the clock of each machine began. */
const OFFSETS_MS = [5_000_000, 1] as const;
/** A mark and its frame, sealed. */
const MARK_BYTES = 40;
/** By how much a pulse may be late that goes by the same connection as bulk. */
const LATE_MS_MAX = 400;
/** What may stand on a line: the 200 ms of R165, a pulse, and what one grant goes beyond. */
const AHEAD_MS_MAX = 300;

/** One way of a line: what is sent comes after what was sent before, as fast as the line is, and a while later. */
class Line {
  readonly #clock: ManualClock;
  readonly latencyMs: number;
  megabits: number;
  #freeAtMs = 0;

  constructor(clock: ManualClock, init: { megabits: number; latencyMs: number }) {
    this.#clock = clock;
    this.megabits = init.megabits;
    this.latencyMs = init.latencyMs;
  }

  send(bytes: number, arrived: () => void): void {
    const nowMs = this.#clock.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes * 8) / (this.megabits * 1_000);
    this.#clock.after(this.#freeAtMs + this.latencyMs - nowMs, arrived);
  }

  /** How long what is sent now waits for what was sent before. */
  get aheadMs(): number {
    return Math.max(0, this.#freeAtMs - this.#clock.now());
  }
}

/** The library's own stream over a line that takes all at once, as TCP does, up to the stream's window. */
class LineStream extends AbstractStream {
  readonly #line: Line;
  #windowBytes = STREAM_WINDOW_BYTES;
  readsNothing = false;
  arrivedBytes = 0;

  constructor(line: Line) {
    super({ id: '1', log: quietLogger.forComponent('test'), direction: 'outbound' });
    this.#line = line;
  }

  sendData(data: { readonly byteLength: number }): { sentBytes: number; canSendMore: boolean } {
    const sentBytes = Math.min(data.byteLength, this.#windowBytes);
    this.#windowBytes -= sentBytes;
    if (sentBytes > 0)
      this.#line.send(sentBytes, () => {
        this.arrivedBytes += sentBytes;
        if (this.readsNothing) return;
        this.#windowBytes += sentBytes;
        this.onMuxerDrain();
      });
    return { sentBytes, canSendMore: sentBytes === data.byteLength };
  }

  sendReset(): void {}
  async sendCloseWrite(): Promise<void> {}
  async sendCloseRead(): Promise<void> {}
  sendPause(): void {}
  sendResume(): void {}
}

/** One of the two at the ends of a line. */
interface End {
  readonly allowance: Allowance;
  readonly raw: readonly LineStream[];
  readonly streams: readonly BulkStream[];
  readonly delaysMs: number[];
}

/** A machine that does nothing in the last part of each interval, since others have its processor. */
function busy(clock: ManualClock, { everyMs, lastMs }: { everyMs: number; lastMs: number }, phaseMs: number) {
  const waiting: (() => void)[] = [];
  const go = (): void => waiting.splice(0).forEach((work) => work());
  return (work: () => void): void => {
    const leftMs = everyMs - ((clock.now() + phaseMs) % everyMs);
    waiting.push(work);
    if (leftMs > lastMs) go();
    else if (waiting.length === 1) clock.after(leftMs, go);
  };
}

function ends(
  clock: ManualClock,
  lines: readonly [Line, Line],
  { pauses = { everyMs: 1, lastMs: 0 } } = {},
): readonly [End, End] {
  const turns = [busy(clock, pauses, 0), busy(clock, pauses, pauses.everyMs / 3)] as const;
  const end = (here: 0 | 1): End => {
    const there = here === 0 ? 1 : 0;
    const [line, back] = [lines[here], lines[there]];
    const allowance: Allowance = new Allowance({
      now: () => clock.now() + OFFSETS_MS[here],
      mark: (number) => {
        const returns = (): void => {
          const heardAtMs = clock.now() + OFFSETS_MS[there];
          const returned = (): void => assert.ok(allowance.returned(number, heardAtMs));
          back.send(MARK_BYTES, () => turns[here](returned));
        };
        line.send(MARK_BYTES, () => turns[there](returns));
      },
    });
    const raw = Array.from({ length: STREAMS }, () => new LineStream(line));
    const init = { peer: 'peer', now: () => clock.now(), closed: () => {}, allowance };
    const delaysMs: number[] = [];
    const pulse = (): void => {
      const dueMs = clock.now();
      line.send(PULSE_BYTES, () => delaysMs.push(clock.now() - dueMs));
      clock.after(core.pulseIntervalMs, pulse);
    };
    pulse();
    return { allowance, raw, delaysMs, streams: raw.map((stream) => new BulkStream({ ...init, stream })) };
  };
  return [end(0), end(1)];
}

/** Each stream is written to without an end. */
function fill({ streams }: End): void {
  const piece = new Uint8Array(2 ** 20);
  const go = async (stream: BulkStream): Promise<void> => {
    for (;;) await stream.write(piece);
  };
  for (const stream of streams) void go(stream).catch(() => undefined);
}

/** Each stream is written to, and rests when that has gone. */
function fillNowAndThen(clock: ManualClock, { streams }: End, bytes: number, restMs: number): void {
  const piece = new Uint8Array(bytes);
  const go = async (stream: BulkStream): Promise<void> => {
    for (;;) {
      await stream.write(piece);
      await new Promise<void>((resolve) => void clock.after(restMs, resolve));
    }
  };
  for (const stream of streams) void go(stream).catch(() => undefined);
}

async function pass(clock: ManualClock, ms: number, look: () => void = () => undefined): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1) {
    clock.advance(1);
    await new Promise(setImmediate);
    look();
  }
}

const arrived = ({ raw }: End): number => raw.reduce((sum, { arrivedBytes }) => sum + arrivedBytes, 0);

function lineOf(megabits: number, latencyMs: number): { clock: ManualClock; lines: [Line, Line] } {
  const clock = new ManualClock();
  const init = { megabits, latencyMs };
  return { clock, lines: [new Line(clock, init), new Line(clock, init)] };
}

describe('R165: bulk on the connection of the pulses', () => {
  for (const megabits of [2, 10, 20, 100]) {
    it(`delays no pulse by much at ${megabits} Mbit/s, both ways full, and fills the line`, async () => {
      const { clock, lines } = lineOf(megabits, 1);
      const both = ends(clock, lines);
      both.forEach(fill);
      await pass(clock, 8_000);
      for (const end of both) {
        assert.ok(end.delaysMs.length >= 14, 'pulses arrive');
        const latestMs = Math.max(...end.delaysMs);
        assert.ok(latestMs < LATE_MS_MAX, `a pulse was ${latestMs} ms late`);
        const pulsesBytes = end.delaysMs.length * PULSE_BYTES;
        const share = ((arrived(end) + pulsesBytes) * 8) / (megabits * 1_000 * 8_000);
        assert.ok(share > 0.9, `the line was used for ${share}`);
        // Each has its turn.
        const shares = end.raw.map(({ arrivedBytes }) => arrivedBytes / arrived(end));
        assert.ok(Math.min(...shares) > 0.15, `shares of ${shares.join(', ')}`);
      }
    });
  }

  for (const [what, megabits, latencyMs] of [
    ['far away', 50, 150],
    ['fast', 1_000, 1],
  ] as const) {
    it(`fills a line that is ${what}`, async () => {
      const { clock, lines } = lineOf(megabits, latencyMs);
      const [end] = ends(clock, lines);
      fill(end);
      await pass(clock, 4_000);
      const before = arrived(end);
      await pass(clock, 1_000);
      const share = ((arrived(end) - before) * 8) / (megabits * 1e6);
      assert.ok(share > 0.75, `it was used for ${share}`);
    });
  }

  it('delays no pulse by much where one way alone is full', async () => {
    const { clock, lines } = lineOf(10, 1);
    const both = ends(clock, lines);
    fill(both[0]);
    await pass(clock, 5_000);
    const latestMs = Math.max(...both.flatMap(({ delaysMs }) => delaysMs));
    assert.ok(latestMs < LATE_MS_MAX, `a pulse was ${latestMs} ms late`);
  });

  for (const megabits of [10, 20, 100]) {
    it(`lets little stand on a line of ${megabits} Mbit/s whose other way is full now and then`, async () => {
      const { clock, lines } = lineOf(megabits, 1);
      const [end, other] = ends(clock, lines);
      fill(end);
      // What has no answer yet, while answers wait, has arrived for the most part: it is no measure of what may go.
      fillNowAndThen(clock, other, megabits * 18_750, 300);
      let mostMs = 0;
      await pass(clock, 10_000, () => (mostMs = Math.max(mostMs, ...lines.map((line) => line.aheadMs))));
      assert.ok(mostMs < AHEAD_MS_MAX, `${mostMs} ms stood on the line`);
      const share = (arrived(end) * 8) / (megabits * 1_000 * 10_000);
      assert.ok(share > 0.9, `the line was used for ${share}`);
    });
  }

  it('fills a line between machines that answer late now and then', async () => {
    const { clock, lines } = lineOf(10, 1);
    const both = ends(clock, lines, { pauses: { everyMs: 400, lastMs: 120 } });
    both.forEach(fill);
    await pass(clock, 8_000);
    for (const end of both) {
      const share = (arrived(end) * 8) / (10_000 * 8_000);
      assert.ok(share > 0.8, `the line was used for ${share}`);
    }
  });

  it('holds back on a line that has become slow', async () => {
    const { clock, lines } = lineOf(100, 1);
    const [end] = ends(clock, lines);
    fill(end);
    await pass(clock, 3_000);
    for (const line of lines) line.megabits = 10;
    // What was out then must go first.
    await pass(clock, 4_000);
    end.delaysMs.length = 0;
    await pass(clock, 3_000);
    assert.ok(Math.max(...end.delaysMs) < LATE_MS_MAX, `a pulse was ${Math.max(...end.delaysMs)} ms late`);
  });

  it('leaves the turn of a stream whose peer reads nothing, or that is cut, to the others', async () => {
    const { clock, lines } = lineOf(10, 1);
    const [end] = ends(clock, lines);
    for (const raw of end.raw.slice(0, 2)) raw.readsNothing = true;
    fill(end);
    await pass(clock, 3_000);
    end.streams[2]?.abort();
    await pass(clock, 3_000);
    const [, , , last] = end.raw;
    const before = last?.arrivedBytes ?? 0;
    await pass(clock, 1_000);
    const share = (((last?.arrivedBytes ?? 0) - before) * 8) / 10e6;
    assert.ok(share > 0.7, `it has ${share} of the line`);
  });
});

describe('an allowance', () => {
  const made = (): { allowance: Allowance; marks: number[]; clock: ManualClock } => {
    const clock = new ManualClock();
    const marks: number[] = [];
    const allowance = new Allowance({ now: () => clock.now(), mark: (number) => marks.push(number) });
    return { allowance, marks, clock };
  };
  const takeAll = async (allowance: Allowance): Promise<number> => {
    let bytes = 0;
    while (bytes < ALLOWANCE_BYTES_FIRST) {
      const granted = await allowance.take();
      assert.ok(granted > 0 && granted <= SLICE_BYTES);
      allowance.sent(granted, granted);
      bytes += granted;
    }
    return bytes;
  };

  it('grants no more than may be out until a mark comes back, whatever else is said', async () => {
    const { allowance, marks } = made();
    assert.equal(await takeAll(allowance), ALLOWANCE_BYTES_FIRST);
    let granted = false;
    const next = allowance.take().then(() => (granted = true));
    for (const number of [99, -1, Number.NaN]) assert.equal(allowance.returned(number, 1), false);
    assert.equal(allowance.returned(0, 1), true, 'the first, that went before all');
    assert.equal(allowance.returned(0, 1), false, 'once');
    await new Promise(setImmediate);
    assert.equal(granted, false);
    assert.equal(allowance.returned(marks[1] ?? Number.NaN, 1), true);
    await next;
  });

  it('finds a line anew that carried nothing for a while', async () => {
    const { allowance, marks, clock } = made();
    const returnAll = (): void => void marks.map((number) => allowance.returned(number, clock.now()));
    const isGranted = async (): Promise<boolean> => {
      const controller = new AbortController();
      const granted = allowance.take({ signal: controller.signal }).then(
        (bytes) => bytes,
        () => 0,
      );
      await new Promise(setImmediate);
      controller.abort();
      allowance.sent(0, await granted);
      return (await granted) > 0;
    };
    const bytes = await takeAll(allowance);
    const waiting = allowance.take();
    clock.advance(10);
    returnAll();
    allowance.sent(0, await waiting);
    assert.equal(await takeAll(allowance), bytes);
    assert.equal(await isGranted(), true, 'by now more may be out');
    clock.advance(10);
    returnAll();
    clock.advance(ALLOWANCE_STALE_MS + 1);
    const before = marks.length;
    assert.equal(await takeAll(allowance), bytes);
    assert.equal(await isGranted(), false, 'no more than in the beginning');
    assert.ok(marks.length > before);
    assert.equal(allowance.returned(marks[before] ?? Number.NaN, Number.NaN), false, 'that is no time');
  });

  it('grants what was granted and not sent, and what a waiter left, to the next', async () => {
    const { allowance } = made();
    const first = await allowance.take();
    const controller = new AbortController();
    let bytes = first;
    while (bytes < ALLOWANCE_BYTES_FIRST) bytes += await allowance.take();
    const left = allowance.take({ signal: controller.signal });
    const next = allowance.take();
    controller.abort(new Error('No more.'));
    await assert.rejects(left, /No more/);
    allowance.sent(0, first);
    assert.equal(await next, first);
  });

  it('asks what has arrived where little went, and somebody waits', async () => {
    const { allowance, marks } = made();
    allowance.sent(0);
    // One byte of each grant is sent, and three grants are kept.
    const grants = [
      await allowance.take(),
      await allowance.take(),
      await allowance.take(),
      await allowance.take(),
    ];
    allowance.sent(1, grants[0] ?? 0);
    assert.deepEqual(marks, [0]);
    assert.equal(allowance.returned(0, 1), true);
    const waiting = allowance.take();
    assert.deepEqual(marks, [0, 1], 'the one byte is asked for');
    assert.equal(allowance.returned(1, 1), true);
    await waiting;
  });
});
