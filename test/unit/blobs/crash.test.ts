import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { filesBelow, newStore, temporaryFolder } from './helpers.ts';

const rounds = 8;
/** Puts that are acknowledged before the kill, in every second round: in the others it may come before the first one. */
const PUTS_BEFORE = 4;

describe('a process killed at any moment', () => {
  it(`keeps every acknowledged blob and pin, and no half file, in ${rounds} rounds`, async () => {
    const folder = temporaryFolder();
    const random = createSeededRandom(42);
    const acknowledged = new Map<string, string>();
    try {
      for (let round = 0; round < rounds; round += 1) {
        const program = join(import.meta.dirname, 'crash-child.ts');
        const child = spawn(process.execPath, [program, folder.path, String(1 + round * 10_000)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        const ready = Promise.withResolvers<void>();
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          const wanted = round % 2 === 0 ? 0 : PUTS_BEFORE;
          if (output.includes('ready\n') && output.split('\n').length > 1 + wanted) ready.resolve();
        });
        const closed = once(child, 'close');
        await Promise.race([ready.promise, closed]);
        // The moment is the test's subject, not a wait for something.
        await pause(random.float() * 250);
        child.kill('SIGKILL');
        await closed;
        for (const line of output.split('\n').slice(1, -1)) {
          const [hash = '', owner = ''] = line.split(' ');
          acknowledged.set(hash, owner);
        }
        const store = newStore(folder.path);
        await store.start();
        assert.deepEqual(filesBelow(join(folder.path, 'incoming')), [], 'the sweep leaves nothing');
        const present = new Set<string>();
        for await (const { hash, state } of store.check()) {
          // A pin may have become durable just before its blob's name did.
          if (state === 'missing')
            assert.equal(acknowledged.has(hash), false, 'no acknowledged blob is missing');
          else assert.equal(state, 'ok');
          present.add(hash);
        }
        for (const [hash, owner] of acknowledged) {
          assert.ok(present.has(hash));
          assert.ok(store.pins(hash).includes(owner));
        }
        await store.stop();
      }
      assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} puts were acknowledged`);
    } finally {
      await folder.remove();
    }
  });
});
