import { constants } from 'node:fs';
import type {
  FileCalls,
  FileCallsSync,
  FileFacts,
  FreeSpace,
  OpenFile,
} from '../../../node/src/system/file-calls.ts';
import type { Dice } from '../dice.ts';
import type { Node } from './nodes.ts';
import { type Deed, Refusals } from './refusals.ts';
import { fileError, type Volume } from './volume.ts';

/** A call that waits for its turn. */
interface Waiting {
  readonly isChange: boolean;
  /** Carries it out; what comes back tells whoever waits. */
  readonly perform: () => () => void;
}

interface Handle {
  readonly node: Node;
  readonly path: string;
  readonly appends: boolean;
  position: number;
}

/** What a call that was begun is about; `unreadable`: the disk could not read it. */
export type Watch = (call: 'rm' | 'rename' | 'unreadable', path: string) => void;

/** Thrown into a thread whose process is gone. */
class GoneError extends Error {
  override readonly name = 'GoneError';
}

const FREE: FreeSpace = { bavail: 1 << 24, bsize: 4_096 };
const FULL: FreeSpace = { bavail: 0, bsize: 4_096 };

/**
 * The calls of one process to a volume. Those that run at once are carried out in an order that chance gives, one each
 * time that the host asks; those of a thread are carried out within one turn. Before any call that changes something,
 * or after it and before anybody hears of it, the process may be at its end: from then on nothing is carried out, and
 * nobody hears of anything.
 */
export class ProcessFiles implements FileCalls {
  readonly sync: FileCallsSync;
  readonly #volume: Volume;
  readonly #dice: Dice;
  readonly #watch: Watch;
  readonly #refusals: Refusals;
  readonly #waiting: Waiting[] = [];
  readonly #handles = new Map<number, Handle>();
  /** Calls that change something and are carried out before the end. */
  #left = Number.POSITIVE_INFINITY;
  /** Whether anybody hears of the last of them. */
  #isHeard = true;
  /** What is given such a name is the last that it changes. */
  #lastName: RegExp | undefined;
  #nextHandle = 1_000;
  #isGone = false;

  constructor(components: { volume: Volume; dice: Dice; watch?: Watch; refusals?: Refusals }) {
    this.#volume = components.volume;
    this.#dice = components.dice;
    this.#refusals = components.refusals ?? new Refusals(components);
    this.#watch = components.watch ?? (() => undefined);
    this.sync = this.#callsOfThread();
  }

  /** The process is at its end. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The process ends after so many changes more. */
  endAfter(changes: number, isHeard: boolean): void {
    this.#left = changes;
    this.#isHeard = isHeard;
  }

  /** The process ends as soon as it has renamed something to such a path, if not before. */
  endAtName(path: RegExp): void {
    this.#lastName = path;
  }

  /** Of a process that is killed some calls are on their way already, and are carried out unheard. */
  end(share: number): void {
    this.#isGone = true;
    for (const { perform } of this.#waiting.splice(0)) if (this.#dice.chance(share)) perform();
  }

  /** Carries out one of the calls that wait. */
  turn(): void {
    const [next] = this.#waiting.splice(this.#dice.whole(0, this.#waiting.length - 1), 1);
    if (next === undefined) return;
    if (next.isChange && !this.#mayChange()) return;
    const tell = next.perform();
    if (next.isChange && this.#left === 0 && !this.#isHeard) this.#isGone = true;
    if (!this.#isGone) tell();
  }

  #mayChange(): boolean {
    if (this.#isGone || this.#left === 0) this.#isGone = true;
    this.#left -= 1;
    return !this.#isGone;
  }

  /** @throws what the disk refuses a call with. */
  #ask(deed: Deed, path: string): void {
    try {
      this.#refusals.ask(deed, path);
    } catch (error) {
      if (deed === 'read') this.#watch('unreadable', path);
      throw error;
    }
  }

  #asked<T>(deed: Deed, path: string, perform: () => T): Promise<T> {
    return this.#call(deed !== 'read', () => {
      this.#ask(deed, path);
      return perform();
    });
  }

  #call<T>(isChange: boolean, perform: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({
      isChange,
      perform: () => {
        try {
          const result = perform();
          return () => resolve(result);
        } catch (error) {
          return () => reject(error);
        }
      },
    });
    return promise;
  }

  /** A thread does something; it hears nothing where the process ends meanwhile. */
  ofThread<T>(perform: () => T): Promise<T> {
    return this.#call(false, perform);
  }

  // ---- Names -------------------------------------------------------------------------------------------------

  rename(from: string, to: string): Promise<void> {
    this.#watch('rename', from);
    return this.#asked('name', to, () => {
      this.#volume.rename(from, to);
      if (this.#lastName?.test(to) === true) this.#left = 0;
    });
  }

  link(file: string, name: string): Promise<void> {
    return this.#asked('name', name, () => this.#volume.link(file, name));
  }

  unlink(path: string): Promise<void> {
    this.#watch('rm', path);
    return this.#asked('drop', path, () => this.#volume.unlink(path));
  }

  rm(path: string, options: { force?: boolean; recursive?: boolean } = {}): Promise<void> {
    this.#watch('rm', path);
    return this.#asked('drop', path, () => this.#volume.remove(path, options));
  }

  readdir(path: string): Promise<string[]> {
    return this.#asked('read', path, () => [...this.#volume.folderAt(path).names.keys()].sort());
  }

  mkdir(path: string, options: { recursive?: boolean } = {}): Promise<string | undefined> {
    return this.#asked('grow', path, () => this.#volume.makeFolder(path, options.recursive === true));
  }

  stat(path: string): Promise<FileFacts> {
    return this.#asked('read', path, () => this.#volume.facts(this.#volume.at(path)));
  }

  /** There are no symbolic links here. */
  lstat(path: string): Promise<FileFacts> {
    return this.stat(path);
  }

  access(path: string, _mode: number): Promise<void> {
    return this.#asked('read', path, () => void this.#volume.at(path));
  }

  chmod(path: string, _mode: number): Promise<void> {
    return this.#asked('name', path, () => void this.#volume.at(path));
  }

  utimes(path: string, _usedSeconds: number, changedSeconds: number): Promise<void> {
    return this.#asked('name', path, () => {
      this.#volume.at(path).mtimeMs = changedSeconds * 1_000;
    });
  }

  statfs(path: string): Promise<FreeSpace> {
    return this.#call(false, () => this.statfsSync(path));
  }

  statfsSync(_path: string): FreeSpace {
    return this.#refusals.isToldFull ? FULL : FREE;
  }

  // ---- Content -----------------------------------------------------------------------------------------------

  readFile(path: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.#asked('read', path, () => {
      options.signal?.throwIfAborted();
      return this.#volume.fileAt(path).content().slice();
    });
  }

  copyFile(from: string, to: string): Promise<void> {
    return this.#asked('grow', to, () => {
      const content = this.#volume.fileAt(from).content();
      const node = this.#volume.exists(to) ? this.#volume.fileAt(to) : this.#volume.create(to);
      this.#volume.truncate(node, 0);
      const { written, error } = this.#refusals.takes(content.length, to);
      this.#volume.write(node, 0, content.subarray(0, written));
      if (error !== undefined) throw error;
    });
  }

  async open(path: string, flags: string | number = 'r', _mode?: number): Promise<OpenFile> {
    const isNew = typeof flags === 'string' && /[wa]/.test(flags);
    const fd = await this.#asked(isNew ? 'grow' : 'read', path, () => this.#opened(path, flags));
    const handle = this.#handles.get(fd) as Handle;
    const onFile = <T>(isChange: boolean, perform: () => T): Promise<T> =>
      this.#call(isChange, () => {
        if (!this.#handles.has(fd)) throw fileError('EBADF', path);
        return perform();
      });
    const write = (data: Uint8Array | string): Promise<void> =>
      onFile(true, () => this.#writeAll(handle, Buffer.from(data)));
    const sync = (): Promise<void> => onFile(true, () => this.#sync(handle));
    return {
      fd,
      writeFile: write,
      appendFile: write,
      read: (into, offset, length, position) =>
        onFile(false, () => ({
          bytesRead: this.#read(handle, into.subarray(offset, offset + length), position),
        })),
      truncate: (size) => onFile(true, () => this.#truncate(handle, size)),
      chmod: () => onFile(true, () => this.#ask('name', path)),
      sync,
      datasync: sync,
      close: () => onFile(false, () => void this.#handles.delete(fd)),
    };
  }

  #opened(path: string, flags: string | number): number {
    const node = this.#nodeFor(path, typeof flags === 'number' ? flagsOf(flags) : flags);
    const fd = this.#nextHandle++;
    this.#handles.set(fd, { node, path, appends: flags === 'a', position: 0 });
    return fd;
  }

  #nodeFor(path: string, flags: string): Node {
    switch (flags) {
      case 'r':
        return this.#volume.at(path);
      case 'r+':
        return this.#volume.fileAt(path);
      case 'wx':
      case 'wx+':
        return this.#volume.create(path);
      case 'a':
        return this.#volume.exists(path) ? this.#volume.fileAt(path) : this.#volume.create(path);
      default:
        throw new Error(`The simulated disk opens nothing with ${flags}.`);
    }
  }

  #handle(fd: number): Handle {
    const handle = this.#handles.get(fd);
    if (handle === undefined) throw fileError('EBADF', String(fd));
    return handle;
  }

  #write(handle: Handle, data: Uint8Array, position: number | undefined): void {
    const { node, appends, path } = handle;
    if (node.kind !== 'file') throw fileError('EBADF', path);
    const at = position ?? (appends ? node.size : handle.position);
    if (position === undefined) handle.position = at + data.length;
    if (data.length > 0) this.#volume.write(node, at, data);
  }

  #writeAll(handle: Handle, data: Uint8Array): void {
    const { written, error } = this.#refusals.takes(data.length, handle.path);
    this.#write(handle, data.subarray(0, written), undefined);
    if (error !== undefined) throw error;
  }

  #sync({ node, path }: Handle): void {
    try {
      this.#ask('sync', path);
    } catch (error) {
      this.#volume.failToSync(node, this.#dice);
      throw error;
    }
    this.#volume.sync(node);
  }

  #truncate({ node, path }: Handle, size: number): void {
    this.#ask('name', path);
    if (node.kind !== 'file') throw fileError('EBADF', path);
    if (node.size !== size) this.#volume.truncate(node, size);
  }

  #read(handle: Handle, into: Uint8Array, position: number | null): number {
    const { node, path } = handle;
    if (node.kind !== 'file') throw fileError('EISDIR', path);
    this.#ask('read', path);
    const at = position ?? handle.position;
    const bytes = node.content().subarray(at, at + into.length);
    into.set(bytes);
    if (position === null) handle.position += bytes.length;
    return bytes.length;
  }

  #callsOfThread(): FileCallsSync {
    const volume = this.#volume;
    const change = (): void => {
      if (!this.#mayChange()) throw new GoneError();
    };
    return {
      openSync: (path, flags) => {
        const isNew = typeof flags === 'string' && flags !== 'r';
        if (isNew) change();
        this.#ask(isNew ? 'grow' : 'read', path);
        return this.#opened(path, flags);
      },
      fstatSync: (file) => volume.facts(this.#handle(file).node),
      lstatSync: (path) => {
        this.#ask('read', path);
        return volume.facts(volume.at(path));
      },
      readSync: (file, into, offset, length, position) =>
        this.#read(this.#handle(file), into.subarray(offset, offset + length), position),
      writeSync: (file, bytes, offset = 0, length = bytes.length - offset, position) => {
        change();
        const handle = this.#handle(file);
        const { written, error } = this.#refusals.takes(length, handle.path);
        this.#write(handle, bytes.subarray(offset, offset + written), position);
        // Where a part was written, only the next call hears why it wasn't more.
        if (error !== undefined && written === 0) throw error;
        return written;
      },
      fsyncSync: (file) => {
        change();
        this.#sync(this.#handle(file));
      },
      closeSync: (file) => {
        if (!this.#handles.delete(file)) throw fileError('EBADF', String(file));
      },
      rmSync: (path, options) => {
        change();
        this.#ask('drop', path);
        volume.remove(path, options);
      },
      readdirSync: (path) => {
        this.#ask('read', path);
        return [...volume.folderAt(path).names.keys()].sort();
      },
    };
  }
}

/** Numbers of `constants` that only read. */
function flagsOf(flags: number): string {
  if ((flags & ~(constants.O_NONBLOCK ?? 0)) !== constants.O_RDONLY)
    throw new Error(`The simulated disk opens nothing with ${flags}.`);
  return 'r';
}
