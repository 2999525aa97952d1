import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { encode, type HeldAttempt, type Pulse, type PulseRow } from '@cuadro/protocol';
import { PULSE_BYTES } from '../../../node/src/core/options.ts';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { isPulse, PulseRoom } from '../../../node/src/core/pulse.ts';

const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ maxLength, unit: 'binary' });
const number = fc.oneof(
  fc.nat(),
  fc.constant(Number.MAX_SAFE_INTEGER),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
);

const held: fc.Arbitrary<HeldAttempt> = fc.record(
  {
    attempt: fc.record({ epoch: fc.record({ term: number, peer: text(64) }), sequence: number }),
    job: text(32),
    task: number,
    redo: number,
    retry: number,
    running: fc.boolean(),
    fraction: number,
    remainingMs: number,
    text: text(200),
    substitute: fc.boolean(),
  },
  { requiredKeys: ['attempt', 'job', 'task', 'redo', 'retry', 'running', 'fraction'] },
);

const row: fc.Arbitrary<PulseRow> = fc.record({
  peer: text(64),
  reachable: fc.boolean(),
  load: number,
  freeDiskBytes: number,
  held: fc.array(held, { maxLength: 8, size: 'max' }),
});

const head: fc.Arbitrary<Pulse> = fc.record(
  {
    kind: fc.constant('pulse' as const),
    epoch: fc.record({ term: number, peer: text(64) }),
    sequence: number,
    successors: fc.array(text(64), { maxLength: 5 }),
    followers: number,
    stale: fc.array(text(64), { maxLength: 40 }),
    rows: fc.constant([]),
    root: fc.constant('0a'.repeat(16)),
  },
  { requiredKeys: ['kind', 'epoch', 'sequence', 'successors', 'followers', 'stale', 'rows'] },
);

it('R42: a pulse takes as many rows as encoding each of them says', () => {
  const seen = { fits: 0, full: 0 };
  fc.assert(
    fc.property(head, fc.array(row, { minLength: 1, maxLength: 60, size: 'max' }), (pulse, rows) => {
      const room = new PulseRoom(pulse);
      let bytes = encode(pulse).length;
      for (const one of rows) {
        bytes += encode(one).length;
        const fits = bytes <= PULSE_BYTES;
        seen[fits ? 'fits' : 'full'] += 1;
        assert.equal(room.take(one), fits);
      }
    }),
    { numRuns: 40 },
  );
  assert.ok(seen.fits > 100 && seen.full > 100, `both kinds came: ${JSON.stringify(seen)}`);
});

const PULSE: Pulse = {
  kind: 'pulse',
  epoch: { term: 1, peer: 'a' },
  sequence: 1,
  successors: [],
  followers: 0,
  stale: [],
  rows: [],
};

/** A row of one machine that holds so many attempts, the last with a text of such a length. */
function rowOf(attempts: number, textLength: number): PulseRow {
  const one: HeldAttempt = {
    attempt: { epoch: { term: 1, peer: 'a' }, sequence: 1 },
    job: 'abcdefghijklmnop',
    task: 1,
    redo: 0,
    retry: 0,
    running: true,
    fraction: 0.5,
    text: 'x'.repeat(100),
  };
  const last = { ...one, text: 'x'.repeat(textLength) };
  return {
    peer: 'b',
    reachable: true,
    load: 1,
    freeDiskBytes: 1,
    held: [...Array.from({ length: attempts }, () => one), last],
  };
}

it('R42: a pulse takes what fills it to the last byte, and nothing that is a byte more, also as the first', () => {
  const headBytes = encode(PULSE).length;
  const attempts = 60;
  const bytesWith = (textLength: number): number => headBytes + encode(rowOf(attempts, textLength)).length;
  const room = PULSE_BYTES - bytesWith(1_000);
  assert.ok(room > 0);
  assert.equal(bytesWith(1_000 + room), PULSE_BYTES);
  assert.equal(new PulseRoom(PULSE).take(rowOf(attempts, 1_000 + room)), true);
  assert.equal(new PulseRoom(PULSE).take(rowOf(attempts, 1_001 + room)), false);
  const filled = new PulseRoom(PULSE);
  assert.equal(filled.take(rowOf(attempts, 900 + room)), true);
  assert.equal(filled.take(rowOf(0, 100)), false);
});

/** As many bytes as a number takes at most. */
const MOST = 0.1;

/** A text of three bytes for each unit: what is counted for it, to the byte. */
const wide = (units: number): string => '€'.repeat(units);

/** A pulse with one row, all of whose texts are `short` but one. */
const PLACES: Record<string, (text: string, short: string) => readonly [Pulse, PulseRow]> = {
  "its coordinator's name": (peer, short) => [headOf(short, { epoch: { term: MOST, peer } }), fullRow(short)],
  'the digest of its records': (root, short) => [headOf(short, { root }), fullRow(short)],
  'a successor': (peer, short) => [headOf(short, { successors: [peer] }), fullRow(short)],
  'a stale member': (peer, short) => [headOf(short, { stale: [peer] }), fullRow(short)],
  "a machine's name": (peer, short) => [headOf(short), fullRow(short, { peer })],
  'who granted an attempt': (peer, short) => [
    headOf(short),
    fullRow(short, { held: [heldOf(short, { attempt: { epoch: { term: MOST, peer }, sequence: MOST } })] }),
  ],
  'a job': (job, short) => [headOf(short), fullRow(short, { held: [heldOf(short, { job })] })],
  'the text of an attempt': (text, short) => [
    headOf(short),
    fullRow(short, { held: [heldOf(short, { text })] }),
  ],
};

const headOf = (short: string, change: Partial<Pulse> = {}): Pulse => ({
  ...PULSE,
  epoch: { term: MOST, peer: short },
  sequence: MOST,
  followers: MOST,
  root: short,
  ...change,
});
const fullRow = (short: string, change: Partial<PulseRow> = {}): PulseRow => ({
  ...{ peer: short, reachable: true, load: MOST, freeDiskBytes: MOST, held: [] },
  ...change,
});
const heldOf = (short: string, change: Partial<HeldAttempt> = {}): HeldAttempt => ({
  attempt: { epoch: { term: MOST, peer: short }, sequence: MOST },
  job: short,
  task: MOST,
  redo: MOST,
  retry: MOST,
  running: true,
  fraction: MOST,
  remainingMs: MOST,
  text: short,
  substitute: true,
  ...change,
});

for (const [what, make] of Object.entries(PLACES))
  it(`R42: a pulse has no room for a byte more, all of it for ${what}`, () => {
    const bytesOf = ([pulse, row]: readonly [Pulse, PulseRow]): number =>
      encode(pulse).length + encode(row).length;
    for (const short of ['', 'ab']) {
      const units = Math.floor((PULSE_BYTES - bytesOf(make(wide(4_000), short)) + 12_000) / 3);
      for (const [text, fits] of [
        [wide(units), true],
        [`${wide(units)}abc`, false],
      ] as const) {
        const [pulse, row] = make(text, short);
        assert.equal(bytesOf([pulse, row]) <= PULSE_BYTES, fits);
        assert.equal(new PulseRoom(pulse).take(row), fits);
      }
    }
  });

it('R42: a pulse takes as many small rows as there is room for, with attempts and without', () => {
  const head = headOf('');
  for (const count of [0, 1, 9]) {
    const row = fullRow('', { held: Array.from({ length: count }, () => heldOf('')) });
    const room = new PulseRoom(head);
    let taken = 0;
    while (room.take(row)) taken += 1;
    assert.equal(taken, Math.floor((PULSE_BYTES - encode(head).length) / encode(row).length));
  }
});

it('R115, R128: pulses are told from all else that is said', () => {
  const pulse = { ...PULSE, rows: [] };
  const claim = { kind: 'doubt', epoch: PULSE.epoch } as const;
  const others: CoreEffect[] = [
    { kind: 'send', to: 'b', message: claim },
    { kind: 'gossip', topic: 'claims', message: claim },
    { kind: 'wake-at', at: 5 },
  ];
  const pulses: CoreEffect[] = [
    { kind: 'send', to: 'b', message: pulse },
    { kind: 'gossip', topic: 'pulse', message: pulse },
  ];
  assert.deepEqual([...others, ...pulses].filter(isPulse), pulses);
});
