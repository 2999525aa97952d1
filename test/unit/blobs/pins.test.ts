import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PinLines } from '../../../node/src/blobs/pin-lines.ts';
import { PinJournal } from '../../../node/src/blobs/pins.ts';
import { type FileCalls, type OpenFile, systemFileCalls } from '../../../node/src/system/file-calls.ts';
import { disguised } from '../disguised.ts';
import { temporaryFolder } from './helpers.ts';

const hashOf = (i: number): string => (i * 2_654_435_761).toString(16).padStart(64, '0');
/** Some 800 KB of lines: they are read in several pieces, whose ends lie within lines. */
const LINES = 10_000;

/** The system's calls, with some of an open file's in another way. */
const filesWith = (other: (file: OpenFile) => Partial<OpenFile>): FileCalls => ({
  ...systemFileCalls,
  open: async (...call) => {
    const file = await systemFileCalls.open(...call);
    return disguised(file, other(file));
  },
});

/** Files whose writes wait for the test, which resolves or rejects one after the other; `until` so many have begun. */
function heldWrites() {
  const writes: PromiseWithResolvers<void>[] = [];
  const files = filesWith((file) => ({
    appendFile: async (text) => {
      const write = Promise.withResolvers<void>();
      writes.push(write);
      await write.promise;
      await file.appendFile(text);
    },
  }));
  const until = async (count: number): Promise<void> => {
    while (writes.length < count) await new Promise((next) => setImmediate(next));
  };
  return { files, writes, until };
}

describe('the journal of the pins', () => {
  it('is read whole in pieces, and a torn last line is none', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    const owner = (i: number): string => `job-${i % 37}`;
    const lines = Array.from({ length: LINES }, (_, i) => `+${hashOf(i)} ${owner(i)}\n`);
    const taken = Array.from({ length: LINES / 100 }, (_, i) => `\n-${hashOf(i)} ${owner(i)}\n`);
    await writeFile(path, [...lines, ...taken].join(''));
    await appendFile(path, `+${hashOf(LINES)} jo`);
    const journal = new PinJournal({ files: systemFileCalls }, { path });
    await journal.start(`${path}.tmp`);
    assert.equal(journal.table.size, LINES - taken.length);
    assert.deepEqual(journal.table.owners(hashOf(LINES - 1)), [owner(LINES - 1)]);
    for (const gone of [0, taken.length - 1, LINES]) assert.ok(!journal.table.isPinned(hashOf(gone)));
    await journal.stop();
    const stored = (await readFile(path, 'latin1')).split('\n');
    assert.equal(stored.length, LINES - taken.length + 1, 'written anew, since it was torn, in pieces too');
    assert.deepEqual(
      stored.slice(0, -1).sort(),
      lines
        .slice(taken.length)
        .map((line) => line.trim())
        .sort(),
    );
  });

  it('cuts off what a failed batch left, now or before the next, so that it never ends as another line', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    const failing = { write: false, cut: false };
    const files = filesWith((file) => ({
      // As a disk that is full: a part of the line arrives.
      appendFile: async (text) => {
        await file.appendFile(failing.write ? text.slice(0, -2) : text);
        if (failing.write) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      },
      truncate: async (sizeBytes) => {
        if (failing.cut) throw new Error('no disk');
        await file.truncate(sizeBytes);
      },
    }));
    const [first, second, third] = [hashOf(1), hashOf(2), hashOf(3)] as const;
    for (const cut of [false, true]) {
      const journal = new PinJournal({ files }, { path });
      await journal.start(`${path}.tmp`);
      await journal.add(first, 'job-1');
      Object.assign(failing, { write: true, cut });
      await assert.rejects(journal.add(second, 'job-12'), { code: 'ENOSPC' });
      await assert.rejects(journal.remove([first], 'job-1'), cut ? /no disk/ : { code: 'ENOSPC' });
      Object.assign(failing, { write: false, cut: false });
      await journal.add(third, 'job-3');
      await journal.stop();
      const again = new PinJournal({ files }, { path });
      await again.start(`${path}.tmp`);
      assert.deepEqual([...again.table.pinned()].sort(), [first, third].sort());
      assert.deepEqual(again.table.owners(first), ['job-1']);
      await again.stop();
    }
  });

  it('has no line of what is needed for the moment, and needs no disk for it', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    let writes = 0;
    const files = filesWith((file) => ({ appendFile: (text) => (writes++, file.appendFile(text)) }));
    const journal = new PinJournal({ files }, { path });
    await journal.start(`${path}.tmp`);
    await journal.add(hashOf(1), '~moment');
    assert.ok(journal.table.isPinned(hashOf(1)));
    await journal.remove([hashOf(1)], '~moment');
    assert.ok(!journal.table.isPinned(hashOf(1)));
    assert.equal(writes, 0);
    await journal.stop();
  });

  it('takes back no pin that another call has made durable, where the batch of the first fails', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    const { files, writes, until } = heldWrites();
    const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
    const journal = new PinJournal({ files }, { path });
    await journal.start(`${path}.tmp`);
    const [shared, lost, again] = [hashOf(1), hashOf(2), hashOf(3)] as const;
    const first = [shared, lost, again].map((hash) => journal.add(hash, 'job'));
    await until(1);
    // While that is written: pinned again, pinned again in vain, given up and pinned again.
    const second = journal.add(shared, 'job');
    const removed = journal.remove([again], 'job');
    const third = journal.add(again, 'job');
    const outcomes = Promise.allSettled([...first, second, removed, third]);
    writes[0]?.reject(full);
    await until(2);
    assert.deepEqual(journal.table.hashes('job').sort(), [shared, again].sort(), 'while it is written');
    const alsoLost = journal.add(lost, 'job');
    const lostToo = assert.rejects(Promise.all([alsoLost, journal.add(lost, 'job')]), { code: 'ENOSPC' });
    writes[1]?.resolve();
    await until(3);
    writes[2]?.reject(full);
    await lostToo;
    const states = (await outcomes).map(({ status }) => status === 'fulfilled');
    assert.deepEqual(states, [false, false, false, true, true, true]);
    assert.deepEqual(journal.table.hashes('job').sort(), [shared, again].sort());
    await journal.stop();
    const next = new PinJournal({ files: systemFileCalls }, { path });
    await next.start(`${path}.tmp`);
    assert.deepEqual(next.table.hashes('job').sort(), [shared, again].sort());
    await next.stop();
  });

  it('keeps a pin that the journal holds, whichever batch that is to write it again or give it up fails', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    const { files, writes, until } = heldWrites();
    const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
    const journal = new PinJournal({ files }, { path });
    await journal.start(`${path}.tmp`);
    const [old, changed] = [hashOf(1), hashOf(2)] as const;
    const kept = journal.add(old, 'job');
    await until(1);
    writes[0]?.resolve();
    await kept;
    // While a batch is on its way the old one is pinned again, and the new one given up and pinned again.
    const first = journal.add(changed, 'job');
    await until(2);
    const second = [journal.add(old, 'job'), journal.remove([changed], 'job'), journal.add(changed, 'job')];
    const outcomes = Promise.allSettled([first, ...second]);
    writes[1]?.resolve();
    await until(3);
    writes[2]?.reject(full);
    const states = (await outcomes).map(({ status }) => status === 'fulfilled');
    assert.deepEqual(states, [true, false, false, false]);
    assert.deepEqual(journal.table.hashes('job').sort(), [old, changed].sort());
    await journal.stop();
    const next = new PinJournal({ files: systemFileCalls }, { path });
    await next.start(`${path}.tmp`);
    assert.deepEqual(next.table.hashes('job').sort(), [old, changed].sort());
    await next.stop();
  });

  it('says nothing of a pin before the rest of a batch that failed is cut off, which could say the opposite', async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const path = join(folder.path, 'pins.journal');
    const broken = Object.assign(new Error('broken'), { code: 'EIO' });
    let isBroken = false;
    const files: FileCalls = {
      ...systemFileCalls,
      open: async (...how) => {
        const file = await systemFileCalls.open(...how);
        const unlessBroken = async (perform: () => Promise<void>): Promise<void> => {
          if (isBroken) throw broken;
          await perform();
        };
        return new Proxy(file, {
          get: (target, name) => {
            if (name === 'datasync') return () => unlessBroken(() => target.datasync());
            if (name === 'truncate') return (size: number) => unlessBroken(() => target.truncate(size));
            const value: unknown = Reflect.get(target, name);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
    const kept = hashOf(1);
    const given = hashOf(2);
    const found = async (): Promise<string[]> => {
      const next = new PinJournal({ files: systemFileCalls }, { path });
      await next.start(`${path}.tmp`);
      const hashes = next.table.hashes('job');
      await next.stop();
      return hashes;
    };
    const journal = new PinJournal({ files }, { path });
    await journal.start(`${path}.tmp`);
    await journal.add(kept, 'job');
    // A removal and a pin whose lines are written, and are neither durable nor cut off.
    isBroken = true;
    await assert.rejects(journal.remove([kept], 'job'), broken);
    await assert.rejects(journal.add(kept, 'job'), broken, 'known, and not to be promised');
    isBroken = false;
    await journal.add(kept, 'job');
    assert.deepEqual(await found(), [kept]);
    isBroken = true;
    await assert.rejects(journal.add(given, 'job'), broken);
    await assert.rejects(journal.remove([given], 'job'), broken, 'gone, and not to be promised');
    isBroken = false;
    await journal.remove([given], 'job');
    assert.deepEqual(await found(), [kept]);
    await journal.stop();
  });

  it('reads the same lines however they are cut into pieces, and no others', () => {
    const hash = hashOf(7);
    const good = [`+${hash} a`, `-${hash} b`, `+${hash} b`, `+${hash} ${'o'.repeat(200)}`];
    const bad = ['', '+', `*${hash} a`, `+${hash} `, `+${hash}a`, `+${hash} a b`, `+${hash.slice(1)} a`];
    const others = [`+${hash.toUpperCase().replace('0', 'A')} a`, 'x'.repeat(9_000), `+${hash} é`];
    const text = `${good.flatMap((line, i) => [line, bad[i], bad[i + 4], ...others]).join('\n')}\n+${hash} torn`;
    const bytes = Buffer.from(text, 'latin1');
    for (const length of [1, 7, 66, 4_096, 5_000, bytes.length]) {
      const read: string[] = [];
      const lines = new PinLines((isSet, words, owner) => {
        const digits = Buffer.from(words.slice().buffer).toString('hex');
        read.push(`${isSet ? '+' : '-'}${digits} ${owner}`);
      });
      for (let at = 0; at < bytes.length; at += length) lines.take(bytes.subarray(at, at + length));
      assert.deepEqual(read, good, `in pieces of ${length}`);
      assert.equal(lines.count, text.split('\n').length - 1);
      assert.ok(lines.isTorn);
    }
  });
});
