import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { describe, it } from 'node:test';
import type { FileCalls, FileCallsSync } from '../../../node/src/system/file-calls.ts';

export interface FilesUnderTest {
  readonly files: FileCalls;
  readonly sync: FileCallsSync;
  /** An empty folder of its own. */
  readonly root: string;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** What the store expects of a file system, before any power cut. */
export function fileCallsContract(
  name: string,
  withFiles: (use: (subject: FilesUnderTest) => Promise<void>) => Promise<void>,
): void {
  const expects = (what: string, use: (subject: FilesUnderTest) => Promise<void>): void =>
    void it(what, () => withFiles(use));

  /** A new file with content, unsynced. */
  const put = async ({ files }: FilesUnderTest, path: string, content: string): Promise<void> => {
    const file = await files.open(path, 'wx', 0o644);
    await file.writeFile(content);
    await file.close();
  };

  describe(`file calls: ${name}`, () => {
    expects('what was written is read, by every way, before and after a sync', async (subject) => {
      const { files, sync, root } = subject;
      const file = await files.open(`${root}/a`, 'wx+', 0o644);
      await file.writeFile('one ');
      await file.writeFile(Buffer.from('two'));
      assert.equal(text(await files.readFile(`${root}/a`)), 'one two');
      await file.sync();
      await file.datasync();
      const into = new Uint8Array(16);
      assert.equal(sync.readSync(file.fd, into, 2, 3, 4), 3, 'by the number of the open file');
      assert.equal(text(into.subarray(2, 5)), 'two');
      assert.equal(sync.writeSync(file.fd, Buffer.from('xTWO!'), 1, 3, 4), 3);
      await file.close();
      const open = await files.open(`${root}/a`);
      assert.equal((await open.read(into, 1, 5, null)).bytesRead, 5, 'from where it was');
      assert.equal((await open.read(into, 6, 5, null)).bytesRead, 2, 'to the end');
      assert.equal(text(into.subarray(1, 8)), 'one TWO');
      assert.equal((await open.read(into, 0, 5, null)).bytesRead, 0, 'and no further');
      await open.close();
      await assert.rejects(open.read(into, 0, 1, 0), { code: 'EBADF' });
      assert.equal(text(await files.readFile(`${root}/a`)), 'one TWO');
      const { size } = await files.stat(`${root}/a`);
      assert.equal(size, 7);
      await assert.rejects(file.sync(), { code: 'EBADF' });
    });

    expects('a thread reads on from where it was, to the end, and writes on', async (subject) => {
      const { files, sync, root } = subject;
      await put(subject, `${root}/a`, 'abcdefg');
      const input = sync.openSync(`${root}/a`, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      const output = sync.openSync(`${root}/b`, 'wx', 0o444);
      assert.ok(sync.fstatSync(input).isFile());
      const buffer = new Uint8Array(4);
      const lengths: number[] = [];
      for (;;) {
        const length = sync.readSync(input, buffer, 0, buffer.length, null);
        lengths.push(length);
        if (length === 0) break;
        for (let written = 0; written < length; )
          written += sync.writeSync(output, buffer.subarray(0, length), written);
      }
      sync.fsyncSync(output);
      sync.closeSync(input);
      sync.closeSync(output);
      assert.deepEqual(lengths, [4, 3, 0]);
      assert.equal(text(await files.readFile(`${root}/b`)), 'abcdefg');
      assert.deepEqual(sync.readdirSync(root).sort(), ['a', 'b']);
      assert.equal(sync.lstatSync(`${root}/b`).size, 7);
      sync.rmSync(`${root}/b`, { force: true });
      sync.rmSync(`${root}/b`, { force: true });
      assert.throws(() => sync.openSync(`${root}/b`, 'r'), { code: 'ENOENT' });
      assert.throws(() => sync.openSync(`${root}/a`, 'wx'), { code: 'EEXIST' });
    });

    expects('appends go to the end, whoever wrote there before', async (subject) => {
      const { files, root } = subject;
      const first = await files.open(`${root}/log`, 'a', 0o644);
      const second = await files.open(`${root}/log`, 'a', 0o644);
      await first.appendFile('1');
      await second.appendFile('2');
      await first.appendFile('3');
      await Promise.all([first.close(), second.close()]);
      assert.equal(text(await files.readFile(`${root}/log`)), '123');
    });

    expects('a new length is filled with zeros, also where there were bytes once', async (subject) => {
      const { files, root } = subject;
      await put(subject, `${root}/a`, 'abcdef');
      const file = await files.open(`${root}/a`, 'r+');
      await file.sync();
      await file.truncate(2);
      await file.truncate(5);
      await file.chmod(0o444);
      await file.close();
      assert.equal(text(await files.readFile(`${root}/a`)), 'ab\0\0\0');
    });

    expects('a rename replaces a file at one moment; who has it open keeps it', async (subject) => {
      const { files, sync, root } = subject;
      await put(subject, `${root}/new`, 'new');
      await put(subject, `${root}/old`, 'old');
      const open = sync.openSync(`${root}/old`, 'r');
      await files.rename(`${root}/new`, `${root}/old`);
      const into = new Uint8Array(3);
      sync.readSync(open, into, 0, 3, 0);
      sync.closeSync(open);
      assert.equal(text(into), 'old');
      assert.equal(text(await files.readFile(`${root}/old`)), 'new');
      assert.deepEqual(await files.readdir(root), ['old']);
      await assert.rejects(files.rename(`${root}/new`, `${root}/old`), { code: 'ENOENT' });
      await assert.rejects(files.rename(`${root}/old`, `${root}/none/old`), { code: 'ENOENT' });
    });

    expects('a rename between two names of one file leaves both', async (subject) => {
      const { files, root } = subject;
      await put(subject, `${root}/a`, 'one');
      await files.link(`${root}/a`, `${root}/b`);
      await files.rename(`${root}/a`, `${root}/b`);
      assert.deepEqual((await files.readdir(root)).sort(), ['a', 'b']);
      await files.rm(`${root}/a`);
      assert.equal(text(await files.readFile(`${root}/b`)), 'one');
    });

    expects('a name that is taken is refused, by a link, a folder and a new file', async (subject) => {
      const { files, root } = subject;
      await put(subject, `${root}/a`, 'a');
      await put(subject, `${root}/b`, 'b');
      await assert.rejects(files.link(`${root}/a`, `${root}/b`), { code: 'EEXIST' });
      await assert.rejects(files.mkdir(`${root}/a`), { code: 'EEXIST' });
      await assert.rejects(files.open(`${root}/a`, 'wx'), { code: 'EEXIST' });
      await assert.rejects(files.open(`${root}/c`, 'r+'), { code: 'ENOENT' });
      await files.copyFile(`${root}/a`, `${root}/b`);
      assert.equal(text(await files.readFile(`${root}/b`)), 'a');
    });

    expects('folders are made with those around them, and tell the first that was new', async (subject) => {
      const { files, root } = subject;
      assert.equal(await files.mkdir(`${root}/x/y/z`, { recursive: true }), `${root}/x`);
      assert.equal(await files.mkdir(`${root}/x/y`, { recursive: true }), undefined);
      await files.mkdir(`${root}/x/w`);
      assert.deepEqual((await files.readdir(`${root}/x`)).sort(), ['w', 'y']);
      await put(subject, `${root}/x/y/file`, 'file');
      await assert.rejects(files.mkdir(`${root}/x/y/file/z`, { recursive: true }), { code: 'ENOTDIR' });
      await assert.rejects(files.rename(`${root}/x/w`, `${root}/x/y`), { code: 'ENOTEMPTY' });
      await files.rename(`${root}/x/y`, `${root}/x/w`);
      assert.equal(text(await files.readFile(`${root}/x/w/file`)), 'file');
      assert.ok((await files.lstat(`${root}/x/w`)).isDirectory());
      await files.chmod(`${root}/x/w`, 0o755);
      await assert.rejects(files.rm(`${root}/x/w`), { code: 'ERR_FS_EISDIR' });
      await files.rm(`${root}/x`, { recursive: true, force: true });
      await files.rm(`${root}/x`, { recursive: true, force: true });
      await assert.rejects(files.rm(`${root}/x`), { code: 'ENOENT' });
      await assert.rejects(files.unlink(`${root}/x`), { code: 'ENOENT' });
      assert.deepEqual(await files.readdir(root), []);
    });

    expects('a folder is opened and synced like a file, and not read like one', async ({ files, root }) => {
      const folder = await files.open(root, constants.O_RDONLY);
      await folder.sync();
      await folder.close();
      await assert.rejects(files.readFile(root), { code: 'EISDIR' });
      await assert.rejects(files.readdir(`${root}/none`), { code: 'ENOENT' });
      await files.access(root, constants.W_OK);
      await assert.rejects(files.access(`${root}/none`, constants.W_OK), { code: 'ENOENT' });
      await assert.rejects(files.readFile(`${root}/a`, { signal: AbortSignal.abort() }));
      const { bavail, bsize } = await files.statfs(root);
      assert.ok(bavail * bsize > 0);
      assert.equal(files.statfsSync(root).bsize, bsize);
    });

    expects('what a file takes on the disk is told, at least what was written', async (subject) => {
      const { files, root } = subject;
      await put(subject, `${root}/a`, '');
      assert.equal((await files.stat(`${root}/a`)).blocks, 0);
      const file = await files.open(`${root}/b`, 'wx+', 0o644);
      await file.writeFile(randomBytes(1_000_000));
      await file.sync();
      await file.close();
      assert.ok((await files.stat(`${root}/b`)).blocks * 512 >= 1_000_000);
    });

    expects('a time that is set is told', async (subject) => {
      const { files, root } = subject;
      await put(subject, `${root}/a`, '');
      await files.utimes(`${root}/a`, 1_000_000, 1_000_000);
      assert.equal((await files.stat(`${root}/a`)).mtimeMs, 1_000_000_000);
    });
  });
}
