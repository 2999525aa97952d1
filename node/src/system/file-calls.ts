import * as fs from 'node:fs';
import * as promises from 'node:fs/promises';

/**
 * The calls of which durable files are made, and no others. In production these are Node's own, without a layer
 * between; the simulator brings a disk that loses power. What both keep is in test/contract/files.
 */

/** What is known of a file or folder. */
export interface FileFacts {
  readonly size: number;
  /** What it takes on the disk, in units of 512 bytes: of a file with gaps less than its size. */
  readonly blocks: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

export interface OpenFile {
  /** Its number, by which a thread of the same process reads and writes it. */
  readonly fd: number;
  /** Appends where the file is as long as what was written through this handle. */
  writeFile(data: Uint8Array | string): Promise<void>;
  appendFile(data: string): Promise<void>;
  /** From where the last one ended where `position` is null; no bytes at the end. */
  read(
    into: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ readonly bytesRead: number }>;
  truncate(sizeBytes: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  /** Content and facts are durable when it resolves; a file's name is its folder's content. */
  sync(): Promise<void>;
  /** As `sync`, without what is not needed to read the content. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Errors are the system's, by their `code`. */
export interface FileCalls {
  /** `flags` as Node names them, or the numbers of `constants`; reading where there are none. */
  open(path: string, flags?: string | number, mode?: number): Promise<OpenFile>;
  readFile(path: string, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
  copyFile(from: string, to: string): Promise<void>;
  /** Replaces a file that stands there, at one moment for everybody who looks. */
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file; refused with EEXIST where the name is taken. */
  link(file: string, name: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rm(path: string, options?: { readonly force?: boolean; readonly recursive?: boolean }): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** With `recursive` it tells the first folder that it had to make. */
  mkdir(
    path: string,
    options?: { readonly recursive?: boolean; readonly mode?: number },
  ): Promise<string | undefined>;
  stat(path: string): Promise<FileFacts>;
  lstat(path: string): Promise<FileFacts>;
  access(path: string, mode: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  utimes(path: string, usedSeconds: number, changedSeconds: number): Promise<void>;
  statfs(path: string): Promise<FreeSpace>;
  statfsSync(path: string): FreeSpace;
}

export interface FreeSpace {
  /** Blocks that an ordinary user may still write. */
  readonly bavail: number;
  readonly bsize: number;
}

/** The calls of a thread that has nothing else to do. */
export interface FileCallsSync {
  openSync(path: string, flags: string | number, mode?: number): number;
  fstatSync(file: number): FileFacts;
  lstatSync(path: string): FileFacts;
  /** From where the last one ended where `position` is null. */
  readSync(file: number, into: Uint8Array, offset: number, length: number, position: number | null): number;
  writeSync(file: number, bytes: Uint8Array, offset?: number, length?: number, position?: number): number;
  fsyncSync(file: number): void;
  closeSync(file: number): void;
  rmSync(path: string, options: { readonly force: boolean }): void;
  readdirSync(path: string): string[];
}

/** Node's own functions, as they are. */
export const systemFileCalls: FileCalls = {
  open: promises.open,
  readFile: promises.readFile,
  copyFile: promises.copyFile,
  rename: promises.rename,
  link: promises.link,
  unlink: promises.unlink,
  rm: promises.rm,
  readdir: promises.readdir,
  mkdir: promises.mkdir,
  stat: promises.stat,
  lstat: promises.lstat,
  access: promises.access,
  chmod: promises.chmod,
  utimes: promises.utimes,
  statfs: promises.statfs,
  statfsSync: fs.statfsSync,
};

export const systemFileCallsSync: FileCallsSync = fs;
