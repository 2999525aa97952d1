import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkArrows, importsOf, roomOf } from '../../../scripts/check/arrows.ts';
import { checkLength, checkLockFile, checkRules, checkTopLevel } from '../../../scripts/check/house.ts';
import { checkPurity } from '../../../scripts/check/purity.ts';
import { formatFinding } from '../../../scripts/check/sources.ts';

/** What the arrow check says about one import in one file. */
function arrow(
  path: string,
  specifier: string,
  form = (name: string) => `import { x } from '${name}';`,
): number {
  return checkArrows([{ path, text: form(specifier) }]).length;
}

function purity(text: string, path = 'node/src/core/step.ts'): string[] {
  return checkPurity([{ path, text }]).map((finding) => finding.sentence.split(' stands')[0] ?? '');
}

test('rooms are told by their folders', () => {
  const rooms: [string, string | undefined][] = [
    ['protocol/src/frames.ts', 'protocol'],
    ['node/src/core/step.ts', 'core'],
    ['node/src/driver.ts', 'driver'],
    ['node/src/daemon.ts', 'daemon'],
    ['node/src/render/blender/session.ts', 'render'],
    ['node/src/attic/x.ts', undefined],
    ['node/src/loose.ts', undefined],
    ['ui/src/views/farm.ts', 'ui'],
    ['scripts/check.ts', 'scripts'],
    ['ui/vite.config.ts', undefined],
  ];
  for (const [path, room] of rooms) assert.equal(roomOf(path), room, path);
});

test('the arrows of the house: what may be imported passes', () => {
  const allowed: [string, string][] = [
    ['protocol/src/frames.ts', './ids.ts'],
    ['protocol/src/codec.ts', '@ipld/dag-cbor'],
    ['protocol/src/api.ts', 'zod'],
    ['node/src/core/step.ts', '@cuadro/protocol'],
    ['node/src/driver.ts', './core/step.ts'],
    ['node/src/driver.ts', './store/interface.ts'],
    ['node/src/blobs/store.ts', '../mesh/interface.ts'],
    ['node/src/worker/worker.ts', '../render/interface.ts'],
    ['node/src/store/level-store.ts', 'level'],
    ['node/src/cli/commands/up.ts', '../../daemon.ts'],
    ['node/src/daemon.ts', './worker/worker.ts'],
    ['ui/src/data/client.ts', '@cuadro/protocol/api'],
    ['test/unit/core/step.test.ts', '../../../node/src/core/step.ts'],
  ];
  for (const [path, specifier] of allowed) assert.equal(arrow(path, specifier), 0, `${path} → ${specifier}`);
});

test('the arrows of the house: what may not be imported is found', () => {
  const refused: [string, string][] = [
    ['protocol/src/frames.ts', '../../node/src/core/step.ts'],
    ['protocol/src/frames.ts', 'node:fs'],
    ['protocol/src/frames.ts', 'fastify'],
    ['node/src/core/step.ts', '../system/interface.ts'],
    ['node/src/core/step.ts', 'node:crypto'],
    ['node/src/core/step.ts', 'zod'],
    ['node/src/driver.ts', './store/level-store.ts'],
    ['node/src/store/level-store.ts', '../blobs/interface.ts'],
    ['node/src/blobs/store.ts', '../mesh/host.ts'],
    ['node/src/render/engine.ts', '../worker/worker.ts'],
    ['node/src/api/server.ts', '../core/step.ts'],
    ['node/src/api/server.ts', 'level'],
    ['node/src/worker/worker.ts', 'libp2p'],
    ['node/src/cli/jobs.ts', '../daemon.ts'],
    ['node/src/cli/jobs.ts', '../store/level-store.ts'],
    ['ui/src/data/client.ts', '@cuadro/node/api/server'],
    ['ui/src/data/client.ts', 'node:fs'],
  ];
  for (const [path, specifier] of refused) assert.equal(arrow(path, specifier), 1, `${path} → ${specifier}`);
  assert.equal(checkArrows([{ path: 'node/src/attic/x.ts', text: '' }]).length, 1, 'a file in no room');
});

test('every form of import is seen, and nothing in strings or comments', () => {
  const forms: ((name: string) => string)[] = [
    (name) => `import type { X } from '${name}';`,
    (name) => `import '${name}';`,
    (name) => `export * from '${name}';`,
    (name) => `export { x } from '${name}';`,
    (name) => `const x = await import('${name}');`,
    (name) => `type X = import('${name}').X;`,
  ];
  for (const form of forms)
    assert.equal(arrow('node/src/core/step.ts', '../api/server.ts', form), 1, form('…'));
  const text = `// import '../api/a.ts'\nconst s = "import '../api/a.ts'";\nconst t = import.meta.url;`;
  assert.deepEqual(importsOf({ path: 'a.ts', text }), []);
});

test('those who judge simulated farms take nothing but types of what they judge', () => {
  const judge = 'test/sim/checkers/kept.ts';
  const says = (text: string, path = judge): string[] =>
    checkArrows([{ path, text }]).map((finding) => finding.sentence);
  const allowed = [
    `import type { Core } from '../../../node/src/core/interface.ts';`,
    `type Core = import('../../../node/src/core/interface.ts').Core;`,
    `export type { Core } from '../../../node/src/core/interface.ts';`,
    `import { type TaskRecord, encode, recordKey as keyOf } from '@cuadro/protocol';`,
    `import type { SimFarm } from '../farm.ts';`,
    `import { jobOn } from '../on-disk.ts';`,
    `import { Violation, type Checker } from './checker.ts';`,
    `import { inspect } from 'node:util';`,
  ];
  for (const text of allowed) assert.deepEqual(says(text), [], text);
  const refused = [
    `import { createCore } from '../../../node/src/core/core.ts';`,
    `import { type Core } from '../../../node/src/core/interface.ts';`,
    `import '../../../node/src/core/core.ts';`,
    `const core = await import('../../../node/src/core/core.ts');`,
    `export { createCore } from '../../../node/src/core/core.ts';`,
    `export * from '../../../node/src/core/interface.ts';`,
    `import { mergeRecords } from '@cuadro/protocol';`,
    `import { countingResult as encode } from '@cuadro/protocol';`,
    `import * as protocol from '@cuadro/protocol';`,
    `import { Machine } from '../machine.ts';`,
  ];
  for (const text of refused) assert.match(says(text).join(), /shares no code with what it judges/, text);
  const [core = ''] = refused;
  assert.equal(
    says(core.replace('../../../', '../../'), 'test/sim/on-disk.ts').length,
    1,
    'nor what reads disks for them',
  );
  assert.deepEqual(
    says(core.replace('../../../', '../../'), 'test/sim/machine.ts'),
    [],
    'what is judged may',
  );
});

test('a finding names its file and line', () => {
  const text = `import { a } from './a.ts';\n\nimport { x } from '../api/x.ts';\n`;
  const [finding] = checkArrows([{ path: 'node/src/core/step.ts', text }]);
  assert.ok(finding);
  assert.match(formatFinding(finding), /^node\/src\/core\/step\.ts:3: core may not import api/);
});

test('clock, randomness and timers are found wherever they hide', () => {
  const cases: [string, string][] = [
    ['const t = Date.now();', 'Date.now'],
    ['const t = new Date();', 'new Date()'],
    ['const t = new Date;', 'new Date()'],
    ['const t = Date();', 'Date()'],
    ['const r = Math.random();', 'Math.random'],
    ['const t = performance.now();', 'performance.now'],
    ['const t = process.hrtime.bigint();', 'process.hrtime'],
    ['setTimeout(f, 1);', 'setTimeout'],
    ['const later = setImmediate;', 'setImmediate'],
    ['run(setInterval);', 'setInterval'],
    ['globalThis.setTimeout(f, 1);', 'setTimeout'],
    ['const id = globalThis.crypto.randomUUID();', 'crypto.randomUUID'],
    ['crypto.getRandomValues(a);', 'crypto.getRandomValues'],
    ['const s = AbortSignal.timeout(5);', 'AbortSignal.timeout'],
    ["import { setTimeout as sleep } from 'node:timers/promises';", 'node:timers/promises'],
    ["import { performance } from 'node:perf_hooks';", 'node:perf_hooks'],
    ["import { createHash, randomBytes } from 'node:crypto';", 'randomBytes of node:crypto'],
  ];
  for (const [text, what] of cases) assert.deepEqual(purity(text), [what], text);
});

test('what only looks like a clock passes, and so do the rooms that own one', () => {
  const innocent = [
    'const t = new Date(clock.wallTime());',
    'const t = Date.parse(text);',
    'clock.setTimeout(f, 1);',
    'const o = { setTimeout: 1 };',
    'interface Timers { setTimeout(f: () => void): void }',
    'let timer: ReturnType<typeof setTimeout>;',
    'Math.max(1, 2);',
    "const s = 'Date.now()'; // Date.now()",
    "import { createHash } from 'node:crypto';",
  ];
  for (const text of innocent) assert.deepEqual(purity(text), [], text);
  for (const path of [
    'node/src/system/clock.ts',
    'node/src/cli/up.ts',
    'ui/src/a.ts',
    'test/a.ts',
    'scripts/a.ts',
  ]) {
    assert.deepEqual(purity('Date.now();', path), [], path);
  }
});

test('a file may have 400 lines and not one more', () => {
  const lines = (count: number) => checkLength([{ path: 'a.ts', text: 'x\n'.repeat(count) }]).length;
  assert.equal(lines(400), 0);
  assert.equal(lines(401), 1);
});

test('the top level holds only what the plan names', () => {
  assert.deepEqual(checkTopLevel(['package.json', 'node/src/a.ts', '.ci/run', 'LICENSE']), []);
  assert.equal(checkTopLevel(['tools/a.ts', 'tools/b.ts']).length, 1);
  assert.equal(checkTopLevel(['NOTES.md'])[0]?.file, 'NOTES.md');
});

test('a lock file that names a registry is refused; links to workspaces are not', () => {
  const lock = (text: string) =>
    checkLockFile({ path: 'package-lock.json', text }).map((finding) => finding.line);
  assert.deepEqual(lock('{\n"resolved": "node",\n"link": true }'), []);
  assert.deepEqual(lock('{\n"resolved": "https://registry.example/a/-/a-1.tgz"\n}'), [2]);
});

test('tests cite only rules that exist, and rules are numbered once', () => {
  const spec = { path: 'protocol/SPEC.md', text: '**R1.** One.\n**R2. Named.** Two.\n**R3.** Three.\n' };
  const cites = (text: string) => checkRules(spec, [{ path: 'test/a.test.ts', text }]);
  assert.deepEqual(cites("test('R1, R3: …')"), { findings: [], uncited: ['R2'] });
  assert.match(cites('\n// R12')?.findings[0]?.sentence ?? '', /no rule R12/);
  assert.equal(cites('\n// R12').findings[0]?.line, 2);
  assert.deepEqual(cites('XR12 R12x').findings, []);
  const twice = checkRules({ path: 'protocol/SPEC.md', text: '**R1.** a\n**R1.** b\n' }, []);
  assert.equal(twice.findings[0]?.line, 2);
});
