import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { emptyTask, recordKey } from '@cuadro/protocol';
import { createLevelStore } from '../../../node/src/store/level-store.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { temporaryFolder } from '../blobs/helpers.ts';
import { JOBS } from '../replicas/records.ts';

/** What a power cut may leave of the newest log of a real LevelDB, opened again by the production store. */

const JOB = JOBS[0] as string;
const WRITES = 60;
const CUTS = 48;
const FLIPS = 12;
const BLOCK_BYTES = 32_768;
const HEAD_BYTES = 7;
/** More than one of LevelDB's blocks, so that some writes stand in several parts (doc/log_format.md: 32 KiB). */
const NOTE_CHARACTERS = 40_000;
const NOTE_EVERY = 7;

const noteOf = (write: number): string =>
  String(write)
    .repeat(NOTE_CHARACTERS / 2)
    .slice(0, NOTE_CHARACTERS);
/** Both or neither: they are written at once. */
const pairOf = (write: number) => [emptyTask(JOB, 2 * write), emptyTask(JOB, 2 * write + 1)];

/** How the part that was on its way stands on the disk. */
const TAILS = ['gone', 'zeros', 'noise', 'zeros, then as it was', 'noise, then as it was'] as const;

describe('the log of a power cut', () => {
  const folder = temporaryFolder();
  const whole = join(folder.path, 'whole');
  /** How long the log was after each write, the notes among them, and after each of records when it was acknowledged. */
  const ends: number[] = [0];
  const acknowledged: number[] = [];
  let log: string;

  const logIn = (records: string): string => {
    const logs = readdirSync(records).filter((name) => name.endsWith('.log'));
    return join(records, logs.sort().at(-1) as string);
  };

  before(async () => {
    const store = createLevelStore(whole);
    await store.start();
    for (let write = 0; write < WRITES; write++) {
      if (write % NOTE_EVERY === 0) {
        await store.setLocal({ [`note/${write}`]: noteOf(write) });
        ends.push(statSync(logIn(whole)).size);
      }
      await store.write({ put: pairOf(write), remove: [] });
      acknowledged.push(statSync(logIn(whole)).size);
      ends.push(acknowledged.at(-1) as number);
    }
    await store.stop();
    log = logIn(whole);
    assert.deepEqual(
      acknowledged,
      acknowledged.toSorted((a, b) => a - b),
      'all of it stands in one log',
    );
    assert.equal(statSync(log).size, acknowledged.at(-1), 'a stop writes nothing more');
  });
  after(folder.remove);

  for (let seed = 1; seed <= CUTS; seed++) {
    const random = createSeededRandom(seed);
    const tail = TAILS[seed % TAILS.length] as (typeof TAILS)[number];
    it(`seed ${seed}: holds what was acknowledged before it, and no half of a write; behind it is ${tail}`, async () => {
      const bytes = readFileSync(log);
      // Mostly near the end of a write, where lengths and sums stand.
      const end = acknowledged[Math.floor(random.float() * WRITES)] as number;
      const near = Math.floor(random.float() * 24) - 12;
      const at = Math.max(
        0,
        Math.min(bytes.length, random.float() < 0.7 ? end + near : Math.floor(random.float() * bytes.length)),
      );
      const torn = Math.min(bytes.length, at + 1 + Math.floor(random.float() * 600));
      if (tail.startsWith('zeros')) bytes.fill(0, at, torn);
      else if (tail.startsWith('noise'))
        for (let byte = at; byte < torn; byte++) bytes[byte] = Math.floor(random.float() * 256);
      const left = tail === 'gone' ? at : tail.endsWith('as it was') ? bytes.length : torn;
      const copy = join(folder.path, `cut-${seed}`);
      cpSync(whole, copy, { recursive: true });
      writeFileSync(logIn(copy), bytes.subarray(0, left));

      const store = createLevelStore(copy);
      await store.start();
      const { records, damaged, lacks } = await store.load();
      const found = new Map(records.map((record) => [recordKey(record), record]));
      assert.equal(damaged, 0);
      // Only where nothing stands behind the end of a write can't it be known that there was more.
      const isWhole = Buffer.compare(bytes.subarray(0, left), readFileSync(log).subarray(0, left)) === 0;
      const isSeen = !(isWhole && ends.includes(left));
      assert.equal(lacks, isSeen ? 'cut' : undefined);
      for (let write = 0; write < WRITES; write++) {
        const pair = pairOf(write);
        const here = pair.map((record) => found.get(recordKey(record)));
        const isSure = (acknowledged[write] as number) <= at;
        if (isSure || here[0] !== undefined || here[1] !== undefined)
          assert.deepEqual(here, pair, `write ${write}`);
        if (write % NOTE_EVERY !== 0) continue;
        const note = await store.getLocal(`note/${write}`);
        if (isSure || note !== undefined) assert.equal(note, noteOf(write));
      }
      assert.ok(found.size <= 2 * WRITES, 'nothing that was never written');
      // And it goes on from there.
      await store.write({ put: pairOf(WRITES), remove: [] });
      await store.stop();
      const again = createLevelStore(copy);
      await again.start();
      assert.equal((await again.load()).records.length, found.size + 2);
      await again.stop();
      rmSync(copy, { recursive: true });
    });
  }

  for (let seed = 1; seed <= FLIPS; seed++) {
    const random = createSeededRandom(seed);
    it(`R173: a flipped bit anywhere in it is noticed, and what stands in other blocks is there, seed ${seed}`, async () => {
      const bytes = readFileSync(log);
      const place = Math.floor(random.float() * bytes.length);
      // The last bytes of a block, too few for a head, may stand empty.
      const at = place % BLOCK_BYTES < BLOCK_BYTES - HEAD_BYTES ? place : place - HEAD_BYTES;
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random.float() * 8));
      const copy = join(folder.path, `flip-${seed}`);
      cpSync(whole, copy, { recursive: true });
      writeFileSync(logIn(copy), bytes);
      const store = createLevelStore(copy);
      await store.start();
      const { records, lacks } = await store.load();
      await store.stop();
      assert.equal(lacks, 'cut');
      const found = new Set(records.map(recordKey));
      const block = Math.floor(at / BLOCK_BYTES);
      for (const [write, end] of acknowledged.entries()) {
        const start = ends[ends.indexOf(end) - 1] as number;
        const isElsewhere =
          Math.floor((end - 1) / BLOCK_BYTES) < block || Math.floor(start / BLOCK_BYTES) > block;
        if (isElsewhere)
          for (const record of pairOf(write)) assert.ok(found.has(recordKey(record)), `write ${write}`);
      }
      rmSync(copy, { recursive: true });
    });
  }
});
