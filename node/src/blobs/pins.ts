import { dirname } from 'node:path';
import type { FileCalls, OpenFile } from '../system/file-calls.ts';
import { createFileSynced, syncFolder, systemCode } from '../system/files.ts';
import { StoreStoppedError } from './errors.ts';
import type { BlobHash, PinOwner } from './interface.ts';
import { isBlobHash } from './layout.ts';
import { blobLimits } from './options.ts';

const ownerPattern = /^[!-~]+$/;

export function assertPinOwner(owner: PinOwner): void {
  if (!ownerPattern.test(owner) || owner.length > blobLimits.pinOwnerLength) {
    throw new RangeError('A pin owner is a name of 1 to 200 printable characters without blanks.');
  }
}

/** Who needs which blob, in memory. */
export class PinTable {
  readonly #owners = new Map<BlobHash, Set<PinOwner>>();
  readonly #hashes = new Map<PinOwner, Set<BlobHash>>();
  size = 0;

  /** False when nothing changed. */
  add(hash: BlobHash, owner: PinOwner): boolean {
    const owners = this.#owners.get(hash) ?? new Set();
    if (owners.has(owner)) return false;
    this.#owners.set(hash, owners.add(owner));
    this.#hashes.set(owner, (this.#hashes.get(owner) ?? new Set()).add(hash));
    this.size += 1;
    return true;
  }

  remove(hash: BlobHash, owner: PinOwner): boolean {
    const owners = this.#owners.get(hash);
    if (owners === undefined || !owners.delete(owner)) return false;
    if (owners.size === 0) this.#owners.delete(hash);
    const hashes = this.#hashes.get(owner);
    hashes?.delete(hash);
    if (hashes?.size === 0) this.#hashes.delete(owner);
    this.size -= 1;
    return true;
  }

  isPinned(hash: BlobHash): boolean {
    return this.#owners.has(hash);
  }

  owners(hash: BlobHash): PinOwner[] {
    return [...(this.#owners.get(hash) ?? [])];
  }

  hashes(owner: PinOwner): BlobHash[] {
    return [...(this.#hashes.get(owner) ?? [])];
  }

  allOwners(): PinOwner[] {
    return [...this.#hashes.keys()];
  }

  pinned(): IterableIterator<BlobHash> {
    return this.#owners.keys();
  }
}

/**
 * The table on disk: a journal of lines `+HASH OWNER`, `-HASH OWNER`, rewritten at start when it has grown. Lines
 * that wait together share one write and one sync. A torn last line is ignored, and goes at the next start. Every batch
 * begins with a line break, so that what a failed one left cannot spoil the next.
 */
export class PinJournal {
  readonly table = new PinTable();
  readonly #files: FileCalls;
  readonly #path: string;
  #file: OpenFile | undefined;
  #batch: string[] = [];
  #flushed: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(components: { files: FileCalls }, init: { path: string }) {
    this.#files = components.files;
    this.#path = init.path;
  }

  async start(temporary: string): Promise<void> {
    if (this.#file !== undefined) return;
    const { lines, isTorn } = await this.#load();
    // The line break of the next batch would make a line of a torn one: of an owner `job-12` that of `job-1`.
    if (isTorn || lines > this.table.size + blobLimits.pinJournalSlackLines) await this.#rewrite(temporary);
    this.#file = await this.#files.open(this.#path, 'a', 0o644);
    // What a process that was killed had written, this one found; a power cut now must not take it away again.
    await this.#file.datasync();
    await syncFolder(dirname(this.#path), this.#files);
  }

  async stop(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await (this.#flushed ?? this.#writing).catch(() => undefined);
    this.#file = undefined;
    await file.close();
  }

  /** The pin protects at once; it is durable when the promise resolves, and withdrawn when that fails. */
  async add(hash: BlobHash, owner: PinOwner): Promise<void> {
    assertPinOwner(owner);
    const added = this.table.add(hash, owner);
    // While a batch is on its way a known pin may be part of it, and not durable yet: writing it again is harmless.
    if (!added && !this.#busy) return;
    try {
      await this.#append([`+${hash} ${owner}`]);
    } catch (error) {
      if (added) this.table.remove(hash, owner);
      throw error;
    }
  }

  /** Takes effect at once, so that a pin set meanwhile comes after it; put back when it cannot be written. */
  async remove(hashes: readonly BlobHash[], owner: PinOwner): Promise<void> {
    assertPinOwner(owner);
    const removed = hashes.filter((hash) => this.table.remove(hash, owner));
    // Given up by another call it is durable with the batch of that.
    if (removed.length === 0) return this.#busy ? (this.#flushed ?? this.#writing) : undefined;
    try {
      await this.#append(removed.map((hash) => `-${hash} ${owner}`));
    } catch (error) {
      for (const hash of removed) this.table.add(hash, owner);
      throw error;
    }
  }

  #append(lines: readonly string[]): Promise<void> {
    this.#busy = true;
    for (const line of lines) this.#batch.push(line);
    this.#flushed ??= this.#writing.catch(() => undefined).then(() => this.#flush());
    return this.#flushed;
  }

  #flush(): Promise<void> {
    const text = `\n${this.#batch.join('\n')}\n`;
    this.#batch = [];
    this.#flushed = undefined;
    this.#writing = this.#write(text);
    return this.#writing;
  }

  async #write(text: string): Promise<void> {
    if (this.#file === undefined) throw new StoreStoppedError();
    try {
      await this.#file.appendFile(text);
      await this.#file.datasync();
    } finally {
      this.#busy = this.#flushed !== undefined;
    }
  }

  async #load(): Promise<{ lines: number; isTorn: boolean }> {
    let text: string;
    try {
      text = Buffer.from(await this.#files.readFile(this.#path)).toString('latin1');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { lines: 0, isTorn: false };
      throw error;
    }
    const lines = text.split('\n');
    // What follows the last line break is a line that was being written when the power went.
    const isTorn = lines.pop() !== '';
    for (const line of lines) {
      const hash = line.slice(1, 65);
      const owner = line.slice(66);
      if (!isBlobHash(hash) || line[65] !== ' ' || !ownerPattern.test(owner)) continue;
      if (line[0] === '+') this.table.add(hash, owner);
      else if (line[0] === '-') this.table.remove(hash, owner);
    }
    return { lines: lines.length, isTorn };
  }

  async #rewrite(temporary: string): Promise<void> {
    const lines: string[] = [];
    for (const hash of this.table.pinned()) {
      for (const owner of this.table.owners(hash)) lines.push(`+${hash} ${owner}\n`);
    }
    await createFileSynced(temporary, lines.join(''), 0o644, this.#files);
    await this.#files.rename(temporary, this.#path);
  }
}
