import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { contentOf, temporaryFolder } from './helpers.ts';

const hasStrace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;

describe('the order of system calls of a put', { skip: hasStrace ? false : 'needs strace' }, () => {
  for (const [size, mode] of [
    [1_000, 'copy'],
    [500_000, 'copy'],
    [500_000, 'move'],
    [2_500_000, 'copy'],
  ] as const) {
    it(`${mode} of ${size} bytes: content synced, renamed, folder synced, pin synced, then acknowledged`, async () => {
      const folder = temporaryFolder();
      try {
        const source = join(folder.path, 'source');
        const log = join(folder.path, 'trace');
        writeFileSync(source, contentOf(3, size));
        const data = join(folder.path, 'data');
        // -y prints the path behind each descriptor; calls are logged when they return.
        execFileSync('strace', [
          '-f',
          '-y',
          '-e',
          'trace=fsync,fdatasync,rename,renameat,renameat2,write',
          '-o',
          log,
          process.execPath,
          join(import.meta.dirname, 'trace-child.ts'),
          data,
          source,
          mode,
        ]);
        const lines = finishedCalls(readFileSync(log, 'utf8'));
        const after = lines.findIndex((line) => line.includes('"BEGIN"'));
        const calls = lines.slice(after + 1);
        const acknowledged = calls.findIndex((line) => line.includes('"ACKNOWLEDGED '));
        const hash = /ACKNOWLEDGED ([0-9a-f]+)/.exec(calls[acknowledged] ?? '')?.[1]?.slice(0, 8) ?? 'none';
        const at = (pattern: RegExp): number =>
          calls.findIndex((line) => pattern.test(line) && line.endsWith(' = 0'));
        const renamed = at(new RegExp(`rename.*/incoming/[a-z0-9]+\\.tmp".*/blobs/../${hash}[0-9a-f]*"\\)`));
        const temporary = /"[^"]*\/incoming\/([a-z0-9]+\.tmp)"/.exec(calls[renamed] ?? '')?.[1] ?? 'none';
        const contentSynced = at(new RegExp(`fsync\\(\\d+<[^>]*/incoming/${temporary}>`));
        const folderSynced = at(new RegExp(`fsync\\(\\d+<[^>]*/blobs/${hash.slice(0, 2)}>`));
        const pinSynced = at(/fdatasync\(\d+<[^>]*pins\.journal>/);
        assert.ok(contentSynced >= 0 && contentSynced < renamed, 'content is synced before it gets its name');
        assert.ok(renamed < folderSynced, 'the folder is synced after the rename');
        assert.ok(folderSynced < acknowledged, 'the folder is synced before the acknowledgement');
        assert.ok(pinSynced >= 0 && pinSynced < acknowledged, 'the pin is synced before the acknowledgement');
        if (size > 1_048_576) {
          const pieces = at(new RegExp(`rename.*/blobs/../${hash}[0-9a-f]*\\.pieces"\\)`));
          assert.ok(pieces >= 0 && pieces < folderSynced, 'the piece list is in the same folder sync');
        }
      } finally {
        await folder.remove();
      }
    });
  }
});

/** Joins `<unfinished ...>` and `resumed` lines of one thread, placed where the call returned. */
function finishedCalls(trace: string): string[] {
  const begun = new Map<string, string>();
  const calls: string[] = [];
  for (const line of trace.split('\n')) {
    const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(call);
    if (call.endsWith('<unfinished ...>'))
      begun.set(thread, call.slice(0, -'<unfinished ...>'.length).trimEnd());
    else calls.push(resumed === null ? call : `${begun.get(thread) ?? ''}${resumed[1] ?? ''}`);
  }
  // Padding before the result differs by column.
  return calls.map((call) => call.replace(/\)\s+= /, ') = ').replace(/\s+\)/, ')'));
}
