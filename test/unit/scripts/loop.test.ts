import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { ARGUED, checkLoop } from '../../../scripts/check/loop.ts';
import { formatFinding, projectFiles, readSources, type SourceFile } from '../../../scripts/check/sources.ts';

const ROOT = 'node/src/daemon.ts';
const STORE = 'node/src/blobs/store.ts';
const JOBS = 'node/src/blobs/hash-jobs.ts';

/** What is found in a node of which the daemon loads the store, with these texts for its files. */
function found(texts: Readonly<Record<string, string>>, argued = {}): string[] {
  const sources: SourceFile[] = Object.entries({ [ROOT]: "import './blobs/store.ts';", ...texts }).map(
    ([path, text]) => ({ path, text }),
  );
  return checkLoop(sources, argued).map(({ file, sentence }) => `${file}: ${sentence.split(/[;:,]/)[0]}`);
}
const inStore = (text: string): string[] => found({ [STORE]: text });
const held = (name: string): string[] => [`${STORE}: ${name} holds up the node's loop`];

describe("what would hold up the node's loop", () => {
  it('is found where the daemon loads it, by whatever name it is called', () => {
    const cases: [string, string][] = [
      ["import { readFileSync } from 'node:fs';", 'readFileSync'],
      ["import { readFileSync as read } from 'node:fs';", 'readFileSync'],
      ["import fs from 'node:fs'; fs.fsyncSync(1);", 'fsyncSync'],
      ["import * as fs from 'fs'; fs['openSync']('a', 'r');", 'openSync'],
      ["const { statSync } = await import('node:fs');", 'statSync'],
      ["const { existsSync: is } = await import('node:fs');", 'existsSync'],
      ["import { DatabaseSync } from 'node:sqlite';", 'DatabaseSync'],
      ["import { systemFileCallsSync } from '../system/file-calls.ts';", 'systemFileCallsSync'],
      ['files.writeSync(file, bytes);', 'writeSync'],
      ["import { createHash } from 'node:crypto';", 'createHash'],
      ["import { createHmac } from 'crypto';", 'createHmac'],
      ["import { hash } from 'node:crypto';", 'hash'],
      ["import { hash as sum } from 'node:crypto';", 'hash'],
      ["import * as crypto from 'node:crypto'; crypto.hash('sha256', bytes);", 'hash'],
      ["import c from 'node:crypto'; c.hash('sha256', bytes);", 'hash'],
      ["import * as c from 'node:crypto'; c.createHash('sha256');", 'createHash'],
    ];
    for (const [text, name] of cases) assert.deepEqual(inStore(text), held(name), text);
  });

  it('not what only looks like it', () => {
    const innocent = [
      "import { readFile } from 'node:fs/promises';",
      "import { constants, createWriteStream } from 'node:fs';",
      "import type { Hash } from 'node:crypto';",
      "import { randomBytes } from 'node:crypto'; entry.hash;",
      "import { hash } from './layout.ts';",
      "await crypto.subtle.digest('SHA-256', bytes);",
      'createRecordSync(components);',
      '// readFileSync',
    ];
    for (const text of innocent) assert.deepEqual(inStore(text), [], text);
  });

  it('nor where nothing loads it but a thread, another process or a type', () => {
    const sync = "import { readSync } from 'node:fs';";
    const worker = 'node/src/blobs/hash-worker.ts';
    const spawns = "new Worker(new URL('./hash-worker.ts', import.meta.url));";
    assert.deepEqual(
      found({ [STORE]: spawns, [worker]: "import { a } from './hash-jobs.ts';", [JOBS]: sync }),
      [],
    );
    assert.deepEqual(found({ [STORE]: '', 'node/src/cli/program.ts': sync }), []);
    for (const by of ["import type { A } from './a.ts';", "import { type A } from './a.ts';"])
      assert.deepEqual(found({ [STORE]: by, 'node/src/blobs/a.ts': sync }), [], by);
  });

  it('but however far away it is', () => {
    const path = 'node/src/blobs/a.ts';
    const sync = "import { readSync } from 'node:fs';";
    for (const by of ["import './a.ts';", "export * from './a.ts';", "await import('./a.ts');"])
      assert.deepEqual(
        found({ [STORE]: by, [path]: sync }),
        [`${path}: readSync holds up the node's loop`],
        by,
      );
  });
});

describe('what threads do', () => {
  const isRefused = [`${STORE}: ./hash-jobs.ts is what threads do`];

  it('may not be loaded on the loop, whatever it is', () => {
    for (const by of ["import { carryOut } from './hash-jobs.ts';", "await import('./hash-jobs.ts');"])
      assert.deepEqual(
        found({ [STORE]: by, [JOBS]: "import { createHash } from 'node:crypto';" }),
        isRefused,
      );
    const worker = "import './hash-worker.ts';";
    assert.deepEqual(inStore(worker), [`${STORE}: ./hash-worker.ts is what threads do`]);
  });

  it('but for its types', () => {
    assert.deepEqual(inStore("import type { HashJob } from './hash-jobs.ts';"), []);
  });
});

describe('the argued list', () => {
  const argued = { [STORE]: { names: ['readFileSync'], reason: 'A line, once.' } };

  it('allows just what it names', () => {
    const text = "import { readFileSync } from 'node:fs'; readFileSync('a');";
    assert.deepEqual(found({ [STORE]: text }, argued), []);
    assert.deepEqual(found({ [STORE]: `${text} fs.writeFileSync('a', b);` }, argued), held('writeFileSync'));
  });

  it('argues for nothing that is not there', () => {
    const needless = ': scripts/check/loop.ts argues for ';
    assert.deepEqual(found({ [STORE]: '' }, argued), [`${STORE}${needless}readFileSync here`]);
    assert.deepEqual(found({}, argued), [`${STORE}${needless}a file that the daemon loads here`]);
  });
});

it('without the daemon nothing would be told, which is found as well', () => {
  const [gone, ...others] = checkLoop([{ path: STORE, text: '' }]);
  assert.match(gone?.sentence ?? '', /what runs on the loop/);
  assert.deepEqual(others, []);
});

describe('the node as it is', () => {
  const root = resolve(import.meta.dirname, '../../..');
  const sources = readSources(root, projectFiles(root), /^node\/src\/.*\.ts$/);

  it('hashes no content on its loop, and waits there for no disk, but where that is argued', () => {
    assert.deepEqual(checkLoop(sources).map(formatFinding), []);
    for (const { reason } of Object.values(ARGUED)) assert.match(reason, /^[A-Z].{10,}\.$/);
  });

  it('and that is told of it: a hash of content in the store, or on its way to it, is found', () => {
    const hasher = 'node/src/blobs/hasher.ts';
    const notes = 'node/src/jobs/notes.ts';
    const plants: Readonly<Record<string, string>> = {
      [STORE]: "\nimport { createHash } from 'node:crypto';\n",
      [hasher]: "\nexport { carryOut } from './hash-jobs.ts';\n",
      [notes]: "\nimport { readFileSync } from 'node:fs';\n",
    };
    const planted = sources.map(({ path, text }) => ({ path, text: `${text}${plants[path] ?? ''}` }));
    const told = checkLoop(planted).map(({ file, sentence }) => `${file}: ${sentence.split(/[;:,]/)[0]}`);
    assert.deepEqual(told.sort(), [
      `${hasher}: ./hash-jobs.ts is what threads do`,
      ...held('createHash'),
      `${notes}: readFileSync holds up the node's loop`,
    ]);
  });
});
