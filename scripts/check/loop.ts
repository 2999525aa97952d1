import * as fs from 'node:fs';
import { posix } from 'node:path';
import { importsOf } from './arrows.ts';
import {
  type Finding,
  isSyntaxNode,
  lineAt,
  type SourceFile,
  type SyntaxNode,
  walkSyntax,
} from './sources.ts';

/** What it loads runs on the node's loop; what it starts, as a thread or as a process of its own, does not. */
const ROOT = 'node/src/daemon.ts';
const BOUND = /^node\/src\/.*\.ts$/;

/** What the threads do that read, write and hash contents: nothing on the loop may load it. */
const THREADS = /^node\/src\/blobs\/hash-(jobs|worker)\.ts$/;

/** Calls that wait in their place for a disk, and our own that stand for some of them. */
const DISK: ReadonlySet<string> = new Set([
  ...Object.keys(fs).filter((name) => name.endsWith('Sync')),
  ...['DatabaseSync', 'systemFileCallsSync', 'makeFolderSync'],
]);
/** Calls that hash in their place, whatever object they are called of. */
const HASHING: ReadonlySet<string> = new Set(['createHash', 'createHmac']);
/** And one that is told by where it comes from alone. */
const HASH = 'hash';
const CRYPTO = /^(node:)?crypto$/;
/** No file has any of these that lacks such a word, and most do: they are not looked at further. */
const PERHAPS = /Sync|createH|crypto/;

interface Argued {
  readonly names: readonly string[];
  readonly reason: string;
}

/** Such calls on the loop, by file, and why none of them lasts: of each file these and no others. */
export const ARGUED: Readonly<Record<string, Argued>> = {
  'node/src/daemon.ts': { names: ['readFileSync'], reason: 'The version, once, as the program is loaded.' },
  'node/src/system/file-calls.ts': {
    names: [
      ...['openSync', 'fstatSync', 'lstatSync', 'readSync', 'writeSync', 'fsyncSync', 'closeSync'],
      ...['rmSync', 'readdirSync', 'statfsSync', 'systemFileCallsSync'],
    ],
    reason: 'Only names them, for the threads.',
  },
  'node/src/system/folder-lock.ts': {
    names: [
      ...['readFileSync', 'rmSync', 'statSync', 'truncateSync', 'writeFileSync'],
      ...['makeFolderSync', 'DatabaseSync'],
    ],
    reason: 'Empty files and a number of a few digits, before all else at the start and after it at the end.',
  },
  'node/src/system/folders.ts': {
    names: ['mkdirSync', 'statSync', 'makeFolderSync'],
    reason: 'One folder, for the lock, before anything else can go on.',
  },
  'node/src/system/logger.ts': {
    names: ['closeSync', 'existsSync', 'fstatSync', 'mkdirSync', 'openSync', 'renameSync', 'writeSync'],
    reason:
      'A line is in the file before the node goes on, or the last words of one that ends would be lost.',
  },
  'node/src/system/memory.ts': { names: ['readFileSync'], reason: 'A line of the kernel, on no disk.' },
  'node/src/system/node-file.ts': {
    names: ['readFileSync'],
    reason: 'The token and who runs already: a line each, once at the start.',
  },
  'node/src/render/blender/memory.ts': { names: ['readFileSync'], reason: 'Of the kernel, on no disk.' },
  'node/src/render/process/die-with-node.ts': {
    names: ['accessSync'],
    reason: 'Whether a program is there: asked once.',
  },
  'node/src/render/verify/pictures.ts': {
    names: ['existsSync', 'writeFileSync'],
    reason: 'A word to the kernel, on no disk.',
  },
  'node/src/render/verify/canonical.ts': {
    names: ['createHash'],
    reason: 'Begins the hash of pixels, which only the process of pictures makes; heads are read without it.',
  },
  'node/src/store/lack.ts': {
    names: ['existsSync'],
    reason: 'Whether a file is there, as the store opens or has been mended.',
  },
  'node/src/store/rescue.ts': {
    names: ['existsSync'],
    reason: 'Whether folders are there, before a store is open.',
  },
  'node/src/blobs/shelf.ts': {
    names: ['statfsSync'],
    reason: 'How much room there is, for the words of an error that is about to be thrown.',
  },
  'node/src/blobs/pieces.ts': {
    names: ['createHash'],
    reason: 'Over a list of pieces: 32 bytes for each, none of the content.',
  },
  'node/src/blobs/tree.ts': {
    names: ['createHash'],
    reason: 'Over the paths and hashes of a tree, none of the content.',
  },
  'node/src/api/dashboard.ts': {
    names: ['existsSync'],
    reason: 'Whether the dashboard was built, once at the start.',
  },
  'node/src/api/security.ts': { names: ['createHash'], reason: 'Over a token.' },
  'node/src/farm/state.ts': { names: ['createHash'], reason: 'Over two ids, for the three words.' },
  'node/src/jobs/marks.ts': { names: ['hash'], reason: 'Over a short text: a note, or a file name.' },
  'node/src/replicas/digests.ts': { names: ['hash'], reason: 'Over a record, which is bounded.' },
  'node/src/replicas/remembering-verify.ts': {
    names: ['hash'],
    reason: 'Over what is signed, a part of a record, in place of a check that takes fifty times as long.',
  },
};

/**
 * Objects to what would hold up the node's loop: hashing and calls that wait for a disk, in all that the daemon loads,
 * outside the argued list; and to what that list argues for and nobody does any more.
 */
export function checkLoop(sources: SourceFile[], argued = ARGUED): Finding[] {
  const findings: Finding[] = [];
  const onLoop = loadedBy(ROOT, sources, findings);
  for (const [path, source] of onLoop) {
    if (THREADS.test(path)) continue;
    const names = new Set(argued[path]?.names);
    const used = new Set<string>();
    for (const { name, position } of callsOf(source)) {
      if (!names.has(name) && !used.has(name))
        findings.push({
          file: path,
          line: lineAt(source.text, position),
          sentence: `${name} holds up the node's loop: have a thread or Node's own pool do it, or argue for it in scripts/check/loop.ts.`,
        });
      used.add(name);
    }
    for (const name of names) if (!used.has(name)) findings.push(needless(path, name));
  }
  for (const path of Object.keys(argued))
    if (onLoop.size > 0 && !onLoop.has(path)) findings.push(needless(path, 'a file that the daemon loads'));
  return findings;
}

const needless = (file: string, name: string): Finding => ({
  file,
  line: 0,
  sentence: `scripts/check/loop.ts argues for ${name} here, which is not so any more.`,
});

/** All files that run where one runs, with what they take from each other as values; says where that is a thread's. */
function loadedBy(root: string, sources: SourceFile[], findings: Finding[]): Map<string, SourceFile> {
  const byPath = new Map(sources.filter(({ path }) => BOUND.test(path)).map((one) => [one.path, one]));
  const loaded = new Map<string, SourceFile>();
  const first = byPath.get(root);
  if (first !== undefined) loaded.set(root, first);
  else if (byPath.size > 0)
    findings.push({ file: root, line: 0, sentence: 'Nothing tells what runs on the loop: it is gone.' });
  for (const [path, { text }] of loaded) {
    for (const { specifier, isType, values, position } of importsOf({ path, text })) {
      if (isType || values?.length === 0 || !specifier.startsWith('.')) continue;
      const target = posix.join(posix.dirname(path), specifier);
      if (THREADS.test(target))
        findings.push({
          file: path,
          line: lineAt(text, position),
          sentence: `${specifier} is what threads do: the node's loop may not load it.`,
        });
      const source = byPath.get(target);
      if (source !== undefined) loaded.set(target, source);
    }
  }
  return loaded;
}

interface Call {
  readonly name: string;
  readonly position: number;
}

function callsOf(source: SourceFile): Call[] {
  const calls: Call[] = [];
  const cryptos = new Set<string>();
  if (!PERHAPS.test(source.text)) return calls;
  walkSyntax(source, (node, parent) => {
    if (node.type === 'ImportDeclaration') importsOfCrypto(node, calls, cryptos);
    const name = node.type === 'Identifier' ? node['name'] : node.type === 'Literal' ? node['value'] : '';
    if (typeof name !== 'string') return;
    const isOfCrypto =
      name === HASH && parent?.type === 'MemberExpression' && isNamed(parent['object'], cryptos);
    if (DISK.has(name) || HASHING.has(name) || isOfCrypto) calls.push({ name, position: node.start });
  });
  return calls;
}

/** What an import takes of Node's hashing by that name, and under which names it takes all of it. */
function importsOfCrypto(node: SyntaxNode, calls: Call[], cryptos: Set<string>): void {
  const { source, specifiers } = node;
  if (!isSyntaxNode(source) || !CRYPTO.test(String(source['value'])) || node['importKind'] === 'type') return;
  for (const specifier of Array.isArray(specifiers) ? (specifiers as SyntaxNode[]) : []) {
    const { imported, local } = specifier;
    if (isNamed(imported, new Set([HASH]))) calls.push({ name: HASH, position: specifier.start });
    if (imported === undefined && isSyntaxNode(local)) cryptos.add(String(local['name']));
  }
}

const isNamed = (node: unknown, names: ReadonlySet<string>): boolean =>
  isSyntaxNode(node) && node.type === 'Identifier' && names.has(String(node['name']));
