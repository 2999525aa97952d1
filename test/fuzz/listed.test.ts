import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { projectFiles } from '../../scripts/check/sources.ts';
import { DECODERS } from './decoders.ts';
import { NOT_FUZZED } from './listed.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const EXPORT = /^export (?:async )?(?:function|const) ((?:decode|read|parse)[A-Z]\w*|decode)\b/gm;
/** Where values of unknown form become known ones. */
const VALUES =
  /\b(safeParse|checkedBy|parsedBy)\(|[sS]chema\.parse\(|\bJSON\.parse\(|\bdecode\(\w|decoder\.decode\(/;
/** Where bytes become numbers, and texts lines, keys or files' contents. */
const BYTES =
  /new DataView\(|\.readU?Int\d|\bcreatePrivateKey\(\w|\breadFile(Sync)?\(|StringDecoder\(|\.split\([^)]*\\[nr0]/;

/** Exports by file and name, and files in which something is read by a schema, as JSON or as CBOR. */
function readersIn(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = text.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const exports = Array.from(code.matchAll(EXPORT), (match) => `${path} ${match[1]}`);
  return VALUES.test(code) || BYTES.test(code) ? [...exports, path] : exports;
}

const readers = projectFiles(ROOT)
  .filter((path) => /^(protocol|node)\/src\/.*\.ts$/.test(path))
  .flatMap(readersIn);
const covered = new Set(DECODERS.flatMap(({ covers }) => covers));
const sourceFiles = new Set(
  DECODERS.flatMap(({ sources }) => sources).map((source) =>
    typeof source === 'string' ? source : source.file,
  ),
);

test('R4: every decoder of the product is fuzzed, or says why it is not', () => {
  assert.ok(readers.length > 60, `${readers.length} readers were found in the sources`);
  const covers = (reader: string): boolean =>
    // A file whose decoding exports are all fuzzed is read by them.
    covered.has(reader) ||
    sourceFiles.has(reader) ||
    reader in NOT_FUZZED ||
    exportsOf(reader).some((name) => covered.has(name));
  assert.deepEqual(
    readers.filter((reader) => !covers(reader)),
    [],
  );
});

const exportsOf = (file: string): string[] => readers.filter((reader) => reader.startsWith(`${file} `));

test('what the lists name is there, and stands on one of them', () => {
  const files = new Set(projectFiles(ROOT));
  const named = [...covered, ...Object.keys(NOT_FUZZED)];
  assert.deepEqual(
    named.filter((name) => !files.has(name.split(' ')[0] ?? '')),
    [],
  );
  assert.deepEqual(
    Object.keys(NOT_FUZZED).filter((name) => covered.has(name)),
    [],
  );
  const exported = named.filter((name) => name.includes(' '));
  const gone = exported.filter((name) => {
    const [file = '', symbol] = name.split(' ');
    return !new RegExp(`\\b${symbol}\\b`).test(readFileSync(join(ROOT, file), 'utf8'));
  });
  assert.deepEqual(gone, []);
});

test('no two decoders have one name, and each names the sources that its coverage counts', () => {
  assert.equal(new Set(DECODERS.map(({ name }) => name)).size, DECODERS.length);
  const files = new Set(projectFiles(ROOT));
  assert.deepEqual(
    [...sourceFiles].filter((file) => !files.has(file)),
    [],
  );
  const uncounted = DECODERS.filter(({ sources }) => sources.length === 0);
  assert.deepEqual(
    uncounted.map(({ name }) => name),
    [],
  );
});

test('R4: what a decoder covers counts for the coverage', () => {
  const files = [...covered].map((name) => name.split(' ')[0] ?? '');
  assert.deepEqual(
    files.filter((file) => !sourceFiles.has(file)),
    [],
  );
});
