import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { PartFiles } from '../../../node/src/blobs/part-files.ts';
import type { OpenFile } from '../../../node/src/system/file-calls.ts';
import { temporaryFolder } from './helpers.ts';

/** Files that note what is done with them. */
class Disk {
  readonly log: string[] = [];
  open = 0;
  mostOpen = 0;
  refused: string | undefined;
  /** What closing ends in. */
  closing: Promise<void> = Promise.resolve();

  readonly files = {
    open: async (path: string, flags?: string | number): Promise<OpenFile> => {
      if (path === this.refused) throw new Error('The disk refuses.');
      this.log.push(`${flags} ${path}`);
      this.open += 1;
      this.mostOpen = Math.max(this.mostOpen, this.open);
      const close = async (): Promise<void> => {
        this.log.push(`close ${path}`);
        await this.closing;
        this.open -= 1;
      };
      return { close } as OpenFile;
    },
  };
}

const nothing = async (): Promise<void> => undefined;

describe('the open files of what arrives', () => {
  it('five hundred large files under way at once take few of 256 that a process may open', async (test) => {
    if (process.platform !== 'linux') return test.skip('counts the open files by /proc');
    const folder = temporaryFolder();
    try {
      const child = join(import.meta.dirname, 'part-files-child.ts');
      const line = `ulimit -n 256; exec '${process.execPath}' '${child}' '${folder.path}'`;
      const { stdout } = await promisify(execFile)('bash', ['-c', line]);
      const { mostOpen, ...told } = JSON.parse(stdout) as { mostOpen: number };
      const sizeBytes = 2 ** 20 + 100;
      assert.deepEqual(told, { files: 500, wrong: 0, sizeBytes, openAtEnd: 0, missing: [0] });
      assert.ok(mostOpen > 0 && mostOpen <= 64, `${mostOpen} were open`);
    } finally {
      await folder.remove();
    }
  });

  it('stay open while there is room, and then the one goes that was used longest ago', async () => {
    const disk = new Disk();
    const parts = new PartFiles(disk, { openMax: 2 });
    await parts.use('a', nothing, 'wx+');
    await parts.use('b', nothing);
    await parts.use('a', nothing);
    assert.deepEqual(disk.log, ['wx+ a', 'r+ b']);
    await parts.use('c', nothing);
    await parts.use('a', nothing);
    assert.deepEqual(disk.log.splice(2), ['close b', 'r+ c']);
    await parts.close('a');
    await parts.close('a');
    await parts.close('b');
    await parts.use('d', nothing);
    assert.deepEqual(disk.log.splice(2), ['close a', 'r+ d'], 'whose place was free');
  });

  it('none is closed while somebody uses it: who finds no place waits for one', async () => {
    const disk = new Disk();
    const parts = new PartFiles(disk, { openMax: 2 });
    const [a, b] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const first = parts.use('a', () => a.promise);
    const second = parts.use('b', () => b.promise);
    const others = Array.from({ length: 20 }, (_, i) => parts.use(`other ${i % 10}`, nothing));
    const again = parts.use('a', nothing);
    await again;
    assert.deepEqual(disk.log, ['r+ a', 'r+ b']);
    b.resolve();
    await Promise.all([second, ...others]);
    assert.equal(disk.log.includes('close a'), false);
    a.resolve();
    await first;
    await parts.use('last', nothing);
    assert.equal(disk.mostOpen, 2);
  });

  it('one that is being closed still has its place', async () => {
    const disk = new Disk();
    const parts = new PartFiles(disk, { openMax: 1 });
    await parts.use('a', nothing);
    const closing = Promise.withResolvers<void>();
    disk.closing = closing.promise;
    const closed = parts.close('a');
    const next = parts.use('a', nothing);
    await new Promise(setImmediate);
    assert.deepEqual(disk.log, ['r+ a', 'close a']);
    closing.resolve();
    await Promise.all([closed, next]);
    assert.equal(disk.mostOpen, 1);
  });

  it('one that cannot be opened keeps no place, and is tried again', async () => {
    const disk = new Disk();
    const parts = new PartFiles(disk, { openMax: 1 });
    disk.refused = 'a';
    const failing = parts.use('a', nothing);
    const other = parts.use('b', nothing);
    await assert.rejects(failing, /refuses/);
    await other;
    disk.refused = undefined;
    await parts.use('a', nothing);
    assert.deepEqual(disk.log, ['r+ b', 'close b', 'r+ a']);
  });

  it('what cannot be closed well takes nothing from the next', async () => {
    const disk = new Disk();
    const parts = new PartFiles(disk, { openMax: 1 });
    await parts.use('a', nothing);
    disk.closing = Promise.reject(new Error('The disk refuses.'));
    disk.closing.catch(nothing);
    await parts.use('b', nothing);
    await assert.rejects(parts.close('b'), /refuses/);
    await parts.use('c', nothing);
  });
});
