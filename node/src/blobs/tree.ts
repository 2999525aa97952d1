import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type FileCalls, systemFileCalls } from '../system/file-calls.ts';
import { reasonOf, systemCode } from '../system/files.ts';
import { ownRun } from '../system/own-run.ts';
import type { Random } from '../system/interface.ts';
import { BlobStoreError, DestinationExistsError, DestinationUnwritableError } from './errors.ts';
import { mapBounded } from './gate.ts';
import type { BlobHash, BlobStore, PinOwner, SignalOption } from './interface.ts';
import { defaultBlobStoreOptions } from './options.ts';
import { assertTreePaths, treeMarkerName } from './tree-path.ts';

/** One file of a stored tree (a bundle): relative path with `/`, and its blob. */
export interface TreeEntry {
  readonly path: string;
  readonly hash: BlobHash;
  readonly sizeBytes: number;
}

export interface TreeFile {
  readonly path: string;
  /** Where the content stands now. It is copied, never moved. */
  readonly source: string;
}

/** Stores all files of a tree, durably; entries come back sorted by path, so equal trees give equal lists. */
export async function storeTree(
  components: { blobs: BlobStore },
  files: readonly TreeFile[],
  options: SignalOption & { pin?: PinOwner } = {},
): Promise<TreeEntry[]> {
  assertTreePaths(files.map(({ path }) => path));
  const sources = files.map(({ source }) => ({ path: source, mode: 'copy' as const }));
  const stored = await components.blobs.putMany(sources, options);
  return files.map(({ path }, index) => ({ path, ...infoOf(stored[index]) })).sort(byPath);
}

function infoOf(info: { hash: string; sizeBytes: number } | undefined): { hash: string; sizeBytes: number } {
  if (info === undefined) throw new Error('putMany returned fewer results than it had sources.');
  return { hash: info.hash, sizeBytes: info.sizeBytes };
}

function byPath(a: TreeEntry, b: TreeEntry): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** The name of a tree's content: SHA-256 over its sorted paths and hashes. */
export function treeHash(entries: readonly TreeEntry[]): BlobHash {
  const hash = createHash('sha256');
  for (const { path, hash: blob, sizeBytes } of [...entries].sort(byPath)) {
    hash.update(`${JSON.stringify(path)} ${blob} ${sizeBytes}\n`);
  }
  return hash.digest('hex');
}

export interface RestoreOptions extends SignalOption {
  /**
   * Says which run of the system wrote the tree; default: the kernel's boot id. Restored files are not synced (they
   * can be rebuilt), so a tree of an earlier run is hashed before it is used again.
   */
  readonly bootId?: string;
}

/**
 * Rebuilds a tree at `destination`, all or nothing: into a temporary folder beside it, then a rename. Files and
 * folders are read-only. A tree that is there already, complete and of the same content, is used as it is; anything
 * else there is replaced, so `destination` must be a folder that belongs to the node. One call at a time per
 * destination. Returns whether it was `restored` or `reused`.
 */
export async function restoreTree(
  { blobs, random, files = systemFileCalls }: { blobs: BlobStore; random: Random; files?: FileCalls },
  entries: readonly TreeEntry[],
  destination: string,
  options: RestoreOptions = {},
): Promise<'restored' | 'reused'> {
  assertTreePaths(entries.map(({ path }) => path));
  const bootId = options.bootId ?? (await readBootId());
  const marker = JSON.stringify({ tree: treeHash(entries), bootId });
  if (await isComplete({ blobs, files }, entries, destination, marker, options)) return 'reused';
  const parent = dirname(destination);
  const temporary = join(parent, `.${basename(destination)}.${random.name()}.tmp`);
  try {
    await files.mkdir(parent, { recursive: true });
    await files.mkdir(temporary);
    await build({ blobs, files }, entries, temporary, marker, options);
    await removeTree(destination, files);
    await files.rename(temporary, destination);
    return 'restored';
  } catch (error) {
    await removeTree(temporary, files).catch(() => undefined);
    if (error instanceof BlobStoreError || systemCode(error) === undefined) throw error;
    throw new DestinationUnwritableError(destination, reasonOf(error), { cause: error });
  }
}

async function build(
  { blobs, files }: { blobs: BlobStore; files: FileCalls },
  entries: readonly TreeEntry[],
  root: string,
  marker: string,
  options: SignalOption,
): Promise<void> {
  const folders = foldersOf(entries);
  for (const folder of folders) await files.mkdir(join(root, folder), { recursive: true });
  await mapBounded(entries, defaultBlobStoreOptions.concurrency, options.signal, async (entry, signal) => {
    const destination = join(root, entry.path);
    try {
      await blobs.materialize(entry.hash, destination, { signal, fileMode: 0o444, existing: 'refuse' });
    } catch (error) {
      // Where capitals are not told apart a scene may name one file in two spellings: that file is there already.
      if (!(error instanceof DestinationExistsError)) throw error;
      if ((await blobs.hashFile(destination, { signal })).hash !== entry.hash) throw error;
    }
  });
  const file = await files.open(join(root, treeMarkerName), 'wx', 0o444);
  try {
    await file.writeFile(marker);
  } finally {
    await file.close();
  }
  for (const folder of [...folders].reverse()) await files.chmod(join(root, folder), 0o555);
  await files.chmod(root, 0o555);
}

/** All folders of a tree, outer ones first. */
function foldersOf(entries: readonly TreeEntry[]): string[] {
  const folders = new Set<string>();
  for (const { path } of entries) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      folders.add(path.slice(0, slash));
    }
  }
  return [...folders].sort();
}

async function isComplete(
  { blobs, files }: { blobs: BlobStore; files: FileCalls },
  entries: readonly TreeEntry[],
  root: string,
  marker: string,
  options: SignalOption,
): Promise<boolean> {
  const bytes = await files.readFile(join(root, treeMarkerName)).catch(() => undefined);
  if (bytes === undefined) return false;
  const found = Buffer.from(bytes).toString('utf8');
  const sameBoot = found === marker;
  if (!sameBoot && treeOf(found) !== treeOf(marker)) return false;
  for (const { path, hash, sizeBytes } of entries) {
    options.signal?.throwIfAborted();
    const file = join(root, path);
    const stat = await files.lstat(file).catch(() => undefined);
    if (stat === undefined || !stat.isFile() || stat.size !== sizeBytes) return false;
    if (!sameBoot && (await blobs.hashFile(file, options)).hash !== hash) return false;
  }
  return true;
}

function treeOf(marker: string): unknown {
  try {
    return (JSON.parse(marker) as { tree?: unknown }).tree;
  } catch {
    return undefined;
  }
}

async function readBootId(): Promise<string> {
  // Systems without it get this process's own: a tree of an earlier one is hashed before it is used again.
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(ownRun)).trim();
}

/** Removes a restored tree: its folders are read-only and must be opened first. Nothing there is fine. */
export async function removeTree(root: string, files: FileCalls = systemFileCalls): Promise<void> {
  const stat = await files.lstat(root).catch(() => undefined);
  if (stat === undefined) return;
  if (stat.isDirectory()) await openFolders(root, files);
  await files.rm(root, { recursive: true, force: true });
}

async function openFolders(folder: string, files: FileCalls): Promise<void> {
  await files.chmod(folder, 0o755);
  for (const name of await files.readdir(folder)) {
    const child = join(folder, name);
    if ((await files.lstat(child)).isDirectory()) await openFolders(child, files);
  }
}
