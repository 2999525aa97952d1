import type { FileFacts } from '../../../node/src/system/file-calls.ts';
import type { Dice } from '../dice.ts';
import { FileNode, FolderNode, type NameChange, type Node } from './nodes.ts';

/**
 * A file system in memory, and what its disk has of it. What every process sees is the newest; a power cut leaves what
 * was synced, and of the rest what chance wants, at least as unkindly as ext4 (`data=ordered` or `data=writeback`), XFS
 * and btrfs may:
 *
 * - The content of a file is what `fsync` or `fdatasync` of it found, or any mixture of that with what was written
 *   since, in units of 512 bytes to 64 KiB; its size is any between. What was never written within it reads as zeros
 *   or noise, but not as what another file once held. One unit of 512 bytes is written whole or not at all.
 * - A name that came or went is on the disk after an `fsync` of its folder, and not after one of its file. Without it
 *   each may be on the disk or not, whatever happened to later ones; only changes of the same name keep their order.
 * - `rename` replaces what stands under the new name at one moment: there is the old file or the new one. The old name
 *   may stay beside the new one, but never goes before that has come; so a file isn't lost between two names.
 * - A folder whose own name is not on the disk is lost with all that is in it, synced or not.
 * - Between calls the disk may write anything of all that by itself, in any order.
 * - What was synced stays as it is.
 *
 * The end of a process loses nothing of what its calls did.
 */
export class Volume {
  readonly root = new FolderNode();
  /** In the order in which they were made. */
  readonly #changes = new Set<NameChange>();
  readonly #dirty = new Set<FileNode>();
  nowMs = 1;

  // ---- Names -------------------------------------------------------------------------------------------------

  /** The node of a path. @throws ENOENT, ENOTDIR. */
  at(path: string): Node {
    let node: Node = this.root;
    for (const name of namesOf(path)) {
      if (node.kind !== 'folder') throw fileError('ENOTDIR', path);
      const next = node.names.get(name);
      if (next === undefined) throw fileError('ENOENT', path);
      node = next;
    }
    return node;
  }

  fileAt(path: string): FileNode {
    const node = this.at(path);
    if (node.kind !== 'file') throw fileError('EISDIR', path);
    return node;
  }

  folderAt(path: string): FolderNode {
    const node = this.at(path);
    if (node.kind !== 'folder') throw fileError('ENOTDIR', path);
    return node;
  }

  exists(path: string): boolean {
    let node: Node | undefined = this.root;
    for (const name of namesOf(path)) {
      if (node?.kind !== 'folder') return false;
      node = node.names.get(name);
    }
    return node !== undefined;
  }

  /** The folder that a name stands in, or would. */
  #place(path: string): { folder: FolderNode; name: string } {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (name === '') throw fileError('EEXIST', path);
    return { folder: this.folderAt(path.slice(0, slash)), name };
  }

  #set(folder: FolderNode, name: string, node: Node | undefined, after?: NameChange): NameChange {
    if (node === undefined) folder.names.delete(name);
    else folder.names.set(name, node);
    folder.mtimeMs = this.nowMs;
    const change = { folder, name, node, after };
    this.#changes.add(change);
    return change;
  }

  create(path: string): FileNode {
    const { folder, name } = this.#place(path);
    if (folder.names.has(name)) throw fileError('EEXIST', path);
    const node = new FileNode(this.nowMs);
    this.#set(folder, name, node);
    return node;
  }

  /** Tells the first folder that had to be made. */
  makeFolder(path: string, isRecursive: boolean): string | undefined {
    if (!isRecursive) {
      const { folder, name } = this.#place(path);
      if (folder.names.has(name)) throw fileError('EEXIST', path);
      this.#set(folder, name, new FolderNode());
      return undefined;
    }
    let first: string | undefined;
    let at = '';
    for (const name of namesOf(path)) {
      const parent = this.folderAt(at === '' ? '/' : at);
      at += `/${name}`;
      const there = parent.names.get(name);
      if (there?.kind === 'file') throw fileError(at === path ? 'EEXIST' : 'ENOTDIR', path);
      if (there !== undefined) continue;
      first ??= at;
      this.#set(parent, name, new FolderNode());
    }
    return first;
  }

  rename(from: string, to: string): void {
    const node = this.at(from);
    const source = this.#place(from);
    const target = this.#place(to);
    const there = target.folder.names.get(target.name);
    // Two names of one file: both stay.
    if (there === node) return;
    if (there !== undefined && there.kind !== node.kind)
      throw fileError(there.kind === 'folder' ? 'EISDIR' : 'ENOTDIR', to);
    if (there?.kind === 'folder' && there.names.size > 0) throw fileError('ENOTEMPTY', to);
    const came = this.#set(target.folder, target.name, node);
    this.#set(source.folder, source.name, undefined, came);
  }

  link(file: string, name: string): void {
    const node = this.fileAt(file);
    const target = this.#place(name);
    if (target.folder.names.has(target.name)) throw fileError('EEXIST', name);
    this.#set(target.folder, target.name, node);
  }

  unlink(path: string): void {
    this.fileAt(path);
    const { folder, name } = this.#place(path);
    this.#set(folder, name, undefined);
  }

  remove(path: string, { force = false, recursive = false }): void {
    if (force && !this.exists(path)) return;
    const node = this.at(path);
    if (node.kind === 'folder') {
      if (!recursive) throw fileError('ERR_FS_EISDIR', path);
      for (const name of [...node.names.keys()]) this.remove(`${path}/${name}`, { recursive });
    }
    const { folder, name } = this.#place(path);
    this.#set(folder, name, undefined);
  }

  // ---- Content -----------------------------------------------------------------------------------------------

  write(node: FileNode, offset: number, data: Uint8Array): void {
    node.write(offset, data, this.nowMs);
    this.#dirty.add(node);
  }

  truncate(node: FileNode, size: number): void {
    node.truncate(size, this.nowMs);
    this.#dirty.add(node);
  }

  facts(node: Node): FileFacts {
    const size = node.kind === 'file' ? node.size : 0;
    return {
      size,
      // A file system that knows no gaps.
      blocks: Math.ceil(size / 512),
      mtimeMs: node.mtimeMs,
      isFile: () => node.kind === 'file',
      isDirectory: () => node.kind === 'folder',
    };
  }

  // ---- The disk ----------------------------------------------------------------------------------------------

  sync(node: Node): void {
    if (node.kind === 'file') {
      node.sync();
      this.#dirty.delete(node);
      return;
    }
    for (const change of this.#changes) if (change.folder === node) this.#keep(change);
  }

  /** A sync that fails. The names of a folder wait on. */
  failToSync(node: Node, dice: Dice): void {
    if (node.kind !== 'file') return;
    node.failToSync(dice);
    this.#dirty.delete(node);
  }

  /** A change comes to the disk, after those that must come before it. */
  #keep(change: NameChange): void {
    if (!this.#changes.has(change)) return;
    for (const earlier of this.#changes) {
      if (earlier === change) break;
      if (earlier.folder === change.folder && earlier.name === change.name) this.#keep(earlier);
    }
    if (change.after !== undefined) this.#keep(change.after);
    change.folder.keep(change);
    this.#changes.delete(change);
  }

  /** The disk writes something that nobody waits for. */
  settle(dice: Dice): void {
    if (dice.chance(0.5)) {
      const dirty = [...this.#dirty];
      if (dirty.length > 0) dice.pick(dirty).settle(dice);
      return;
    }
    const changes = [...this.#changes];
    if (changes.length > 0) this.#keep(dice.pick(changes));
  }

  /** The power goes, and comes back. */
  cut(dice: Dice): void {
    const changes = [...this.#changes];
    const how = dice.weighted([
      [3, 'none'],
      [2, 'all'],
      [3, 'the first'],
      [5, 'some'],
    ] as const);
    const share = how === 'all' ? 1 : dice.pick([0.1, 0.5, 0.9]);
    if (how === 'the first') changes.splice(dice.whole(0, changes.length));
    for (const change of how === 'none' ? [] : changes)
      if (how === 'the first' || dice.chance(share)) this.#keep(change);
    this.#changes.clear();
    this.#dirty.clear();
    cutBelow(this.root, dice, new Set());
  }

  /** A file that somebody else put there, long ago or just now. */
  place(path: string, content: Uint8Array, isSynced = true): void {
    this.makeFolder(path.slice(0, path.lastIndexOf('/')), true);
    if (this.exists(path)) this.remove(path, {});
    const node = this.create(path);
    this.write(node, 0, content);
    if (!isSynced) return;
    this.sync(node);
    const names = namesOf(path);
    for (let depth = 0; depth < names.length; depth += 1)
      this.sync(this.at(`/${names.slice(0, depth).join('/')}`));
  }
}

function cutBelow(folder: FolderNode, dice: Dice, seen: Set<Node>): void {
  folder.cut();
  for (const node of folder.names.values()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.kind === 'folder') cutBelow(node, dice, seen);
    else node.cut(dice);
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '');

export function fileError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
