import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import type { FileCalls, OpenFile } from '../../../node/src/system/file-calls.ts';
import { PinLines } from '../../../node/src/blobs/pin-lines.ts';
import { PinJournal } from '../../../node/src/blobs/pins.ts';
import { AwayTimes } from '../../../node/src/replicas/copy-away.ts';
import { copyLimits } from '../../../node/src/replicas/copy-limits.ts';
import { type LackMark, lackFromText } from '../../../node/src/store/lack.ts';
import { localToText } from '../../../node/src/store/local-text.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { decoder, demand, type Decoder, type Reader } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { joined } from '../mutate.ts';
import { bytesLike, json, jsonLike } from '../sources.ts';
import type { Wild } from '../wild-cbor.ts';
import { SIGNERS } from './signed-records.ts';
import { piecesOf } from './streams.ts';

/**
 * What a node has noted for its next start: the pins of its files, who has been away for how long, and that records may
 * be missing.
 */

const encoder = new TextEncoder();
const HASHES = Array.from({ length: 5 }, (_, i) => `${i}${'0123456789abcdef'.repeat(4).slice(1)}`);
const OWNERS = ['bbbbbbbbbbbbbbbb', 'aaaaaaaaaaaaaaaa', 'job', 'o'.repeat(200)];
const JOURNAL = '/data/pins';

const pinLine = (dice: Dice): string =>
  `${dice.once(4) ? '-' : '+'}${dice.pick(HASHES)} ${dice.pick(OWNERS)}`;

/** Torn at its end now and then, with a line that is longer than any that is kept, or longer than the store lets it grow. */
function journal(dice: Dice): Uint8Array {
  const lines = Array.from({ length: 1 + dice.size(8) }, () => pinLine(dice));
  if (dice.once(20)) lines.push(`${pinLine(dice)}${'o'.repeat(dice.between(3_820, 4_200))}`, pinLine(dice));
  const text = `${lines.join('\n')}${dice.once(4) ? '' : '\n'}`;
  return encoder.encode(dice.once(2_000) ? text.repeat(400) : text);
}

/** The lines as their form says it, and what they come to. */
function pinsIn(bytes: Uint8Array): { pins: Set<string>; lines: number; isTorn: boolean } {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  const torn = lines.pop() ?? '';
  const pins = new Set<string>();
  for (const line of lines) {
    const [, sign, pin] = /^([+-])([0-9a-f]{64} [!-~]+)$/.exec(line) ?? [];
    if (pin === undefined || line.length >= 4_096) continue;
    if (sign === '+') pins.add(pin);
    else pins.delete(pin);
  }
  return { pins, lines: lines.length, isTorn: torn !== '' };
}

/** The files that a journal is made of, in memory; a read gives as much as a piece has. */
class JournalDisk {
  readonly files = new Map<string, Uint8Array>();

  readonly calls = {
    open: async (path: string, flags?: string | number): Promise<OpenFile> => {
      if (flags === 'wx') this.files.set(path, new Uint8Array(0));
      const pieces = piecesOf(this.files.get(path) ?? new Uint8Array(0));
      const nothing = async (): Promise<void> => undefined;
      const file: Partial<OpenFile> = {
        close: nothing,
        sync: nothing,
        datasync: nothing,
        read: async (into) => {
          const { value } = pieces.next() as { value: Uint8Array | undefined };
          into.set(value ?? []);
          return { bytesRead: value?.length ?? 0 };
        },
        writeFile: async (data) => {
          const more = typeof data === 'string' ? encoder.encode(data) : data;
          this.files.set(path, joined(this.files.get(path) ?? new Uint8Array(0), more));
        },
      };
      return file as OpenFile;
    },
    rename: async (from: string, to: string): Promise<void> => {
      this.files.set(to, this.files.get(from) ?? new Uint8Array(0));
      this.files.delete(from);
    },
    stat: async (path: string) => ({ size: this.files.get(path)?.length ?? 0 }),
  } as unknown as FileCalls;
}

const sameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((one) => b.has(one));

/** Lines alone, as they come in pieces. */
function readLines(bytes: Uint8Array): { pins: Set<string>; lines: number; isTorn: boolean } {
  const pins = new Set<string>();
  const lines = new PinLines((isSet, words, owner) => {
    const pin = `${Buffer.from(words.slice().buffer).toString('hex')} ${owner}`;
    if (isSet) pins.add(pin);
    else pins.delete(pin);
  });
  for (const piece of piecesOf(bytes)) lines.take(Buffer.from(piece));
  return { pins, lines: lines.count, isTorn: lines.isTorn };
}

/** The whole journal takes memory for a million pins: one in so many inputs is a file. */
const FILE_EACH = 8;

function journalReader(): Reader<Uint8Array> {
  return {
    read: async (bytes) => {
      const { pins, lines, isTorn } = pinsIn(bytes);
      const read = readLines(bytes);
      demand(sameSet(read.pins, pins), 'Other pins are read than stand there.');
      demand(read.lines === lines && read.isTorn === isTorn, 'Lines are counted that are none.');
      if (bytes.length % FILE_EACH === 0) await readJournal(bytes, { pins, lines, isTorn });
      return pins.size > 0 ? 'taken' : 'refused';
    },
  };
}

async function readJournal(
  bytes: Uint8Array,
  { pins, lines, isTorn }: ReturnType<typeof pinsIn>,
): Promise<void> {
  const disk = new JournalDisk();
  disk.files.set(JOURNAL, bytes);
  demand(sameSet(await pinsAtStart(disk.calls), pins), 'A start has other pins than stand there.');
  demand(disk.files.size === 1, 'A file is left behind.');
  const kept = disk.files.get(JOURNAL) ?? bytes;
  if (kept === bytes) return demand(!isTorn, 'The next line goes on from a torn one.');
  demand(isTorn || lines > 1_000, 'A journal is made anew for nothing.');
  demand(!pinsIn(kept).isTorn, 'A journal that was made anew is torn.');
  demand(sameSet(await pinsAtStart(disk.calls), pins), 'The next start has other pins.');
}

async function pinsAtStart(files: FileCalls): Promise<Set<string>> {
  const journal = new PinJournal({ files }, { path: JOURNAL });
  await journal.start(`${JOURNAL}.tmp`);
  const { table } = journal;
  const pins = table.allOwners().flatMap((owner) => table.hashes(owner).map((hash) => `${hash} ${owner}`));
  demand(table.size === pins.length, 'Pins are counted that are none.');
  await journal.stop();
  return new Set(pins);
}

const [SELF, NEAR, FAR] = SIGNERS.map(({ peer }) => peer) as [string, string, string];
const members = new Set([SELF, NEAR, FAR]);
const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const REPLACE_MS = 24 * 3_600_000;
const WALL_MS = 1_700_000_000_000;

const away = (dice: Dice): Wild => ({
  at: WALL_MS - dice.pick([0, 1, 3_600_000, 1e9, -1e9]),
  away: Object.fromEntries(
    [NEAR, FAR, 'toString', SELF]
      .slice(dice.below(3))
      .map((peer) => [peer, { watchedMs: dice.pick([0, 0.5, 1e6, 1e8]), blindMs: dice.pick([0, 1e7, 1e8]) }]),
  ),
});

/** Numbers that JSON has words for, and an encoder writes none of. */
const wildNumbers = (dice: Dice, text: string): string =>
  text.replace(/\d+(\.\d+)?/g, (number) =>
    dice.once(3) ? dice.pick(['1e999', '-1e999', '1e308', '-1e308', '9007199254740993']) : number,
  );

/** A start with a note, a look, and an end: whatever stood there, what is noted then is read again as it is. */
function awayReader(): Reader<string> {
  const run = async (value: () => Promise<unknown>): Promise<{ noted: unknown; times: AwayTimes }> => {
    const clock = new ManualClock({ wallTimeMs: WALL_MS });
    let noted: unknown;
    const times = new AwayTimes({
      self: SELF,
      clock,
      logger,
      store: {
        getLocal: value,
        // As the store keeps it.
        setLocal: async (entries) => void (noted = JSON.parse(JSON.stringify(Object.values(entries)[0]))),
      },
      members: () => members,
      reachable: () => new Set([NEAR]),
      replaceAfterMs: () => REPLACE_MS,
    });
    await times.start();
    times.look();
    demand(!times.isGone(NEAR) && !times.isGone(SELF), 'One that is reached counts as gone.');
    await times.stop();
    return { noted, times };
  };
  return {
    read: async (text) => {
      const { noted, times } = await run(async () => JSON.parse(text) as unknown);
      const { at, away: read } = noted as { at: number; away: Record<string, Record<string, unknown>> };
      demand(at === WALL_MS && Object.keys(read).join() === FAR, 'Others are noted than are away.');
      const { watchedMs, blindMs } = read[FAR] ?? {};
      const isCount = (ms: unknown): ms is number => typeof ms === 'number' && ms >= 0;
      demand(isCount(watchedMs) && isCount(blindMs), 'It is noted what no start can read.');
      const { noted: again, times: next } = await run(async () => noted);
      demand(JSON.stringify(again) === JSON.stringify(noted), 'The next start counts from elsewhere.');
      demand(next.isGone(FAR) === times.isGone(FAR), 'One is gone, and is not after a start.');
      const least = Math.ceil((1 - copyLimits.blindShare) * REPLACE_MS);
      demand(!times.isGone(FAR) || watchedMs >= least, 'A machine is gone of which nobody has watched.');
      return watchedMs > 0 || blindMs > 0 ? 'taken' : 'refused';
    },
  };
}

const lackMark = (dice: Dice): Wild => ({
  why: dice.pick(['cut', 'damaged', 'gone', 'toString']),
  ranMs: dice.pick([0, 0.5, 1e6, 1e10, -1]),
  isTermOld: dice.once(2),
});

/** With the sum that belongs to it, with another one, or as it is. */
function lackText(dice: Dice): string {
  const text = dice.once(4) ? wildNumbers(dice, json(lackMark(dice))) : jsonLike(lackMark)(dice);
  if (dice.once(3)) return text;
  const sum = dice.once(10) ? crc32('{}') : crc32(text);
  return `\x01${sum.toString(16).padStart(8, '0')}${text}`;
}

/** Whatever stands there, something may be missing, and what is written of it is read again. */
function lackReader(): Reader<string> {
  const isMark = ({ why, ranMs, isTermOld }: LackMark): boolean =>
    ['cut', 'damaged', 'gone'].includes(why) &&
    ranMs >= 0 &&
    ranMs < Infinity &&
    typeof isTermOld === 'boolean';
  return {
    read: (text) => {
      const mark = lackFromText(text);
      demand(isMark(mark), 'A mark is read that no start can count on.');
      const again = lackFromText(localToText(mark));
      demand(isDeepStrictEqual(again, mark), 'The next start reads another mark.');
      const isNew = mark.why === 'cut' && mark.ranMs === 0 && mark.isTermOld;
      demand(isNew || text.includes(mark.why), 'A mark tells of what does not stand there.');
      return isNew ? 'refused' : 'taken';
    },
  };
}

export const journalDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'pin-journal',
    covers: ['node/src/blobs/pin-lines.ts', 'node/src/blobs/pins.ts'],
    sources: [
      'node/src/blobs/pin-lines.ts',
      {
        file: 'node/src/blobs/pins.ts',
        functions: [
          '#load',
          '#rewrite',
          '#lines',
          'addWords',
          'removeWords',
          '#numberOf',
          '#release',
          '#has',
          '#of',
        ],
      },
    ],
    input: bytesLike(journal),
    open: journalReader,
  }),
  decoder<string>({
    name: 'away-times',
    covers: ['node/src/replicas/copy-away.ts'],
    sources: [
      {
        file: 'node/src/replicas/copy-away.ts',
        functions: ['start', 'notedFrom', 'isTime', 'look', '#isTooLong', '#write'],
      },
    ],
    input: (dice) => (dice.once(4) ? wildNumbers(dice, json(away(dice))) : jsonLike(away)(dice)),
    open: awayReader,
  }),
  decoder<string>({
    name: 'lack-mark',
    covers: ['node/src/store/lack.ts'],
    sources: [{ file: 'node/src/store/lack.ts', functions: ['lackFromText', 'newLack'] }],
    input: lackText,
    open: lackReader,
  }),
];
