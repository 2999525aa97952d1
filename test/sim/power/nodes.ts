import { createHash } from 'node:crypto';
import type { Dice } from '../dice.ts';

/** Files and folders of the simulated file system, each with what the disk would have of it after a power cut. */

type Bytes = Uint8Array<ArrayBuffer>;

export class FileNode {
  readonly kind = 'file';
  /** Bytes as every process sees them; what lies past the size means nothing. */
  #bytes: Bytes = new Uint8Array(0);
  #size = 0;
  /** What the disk has. It may be the begin of `#bytes`, which then isn't written to there. */
  #kept: Bytes = new Uint8Array(0);
  #sharedBytes = 0;
  #keptMtimeMs: number;
  #sha: string | undefined;
  mtimeMs: number;
  isDirty = false;
  /** What a sync failed to write is in memory only, and nothing writes it any more. */
  #isLost = false;
  /** Somebody changed its bytes on the disk. */
  isDamaged = false;

  constructor(nowMs: number) {
    // Where its name is on the disk, so are the facts that it began with.
    this.mtimeMs = this.#keptMtimeMs = nowMs;
  }

  get size(): number {
    return this.#size;
  }

  content(): Bytes {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Hash of the content. */
  sha(): string {
    this.#sha ??= createHash('sha256').update(this.content()).digest('hex');
    return this.#sha;
  }

  write(offset: number, data: Uint8Array, nowMs: number): void {
    const end = offset + data.length;
    this.#fill(Math.min(offset, this.#size), end);
    this.#bytes.set(data, offset);
    this.#size = Math.max(this.#size, end);
    this.#changed(nowMs);
  }

  truncate(size: number, nowMs: number): void {
    if (size > this.#size) this.#fill(this.#size, size);
    this.#size = size;
    this.#changed(nowMs);
  }

  /** Makes room to `end`, with bytes of its own and no leavings from `begin` on. */
  #fill(begin: number, end: number): void {
    if (end > this.#bytes.length || begin < this.#sharedBytes) {
      const grown = new Uint8Array(
        end > this.#bytes.length ? Math.max(end, 2 * this.#size) : this.#bytes.length,
      );
      grown.set(this.content());
      this.#bytes = grown;
      this.#sharedBytes = 0;
    }
    if (end > this.#size) this.#bytes.fill(0, this.#size, end);
  }

  #changed(nowMs: number): void {
    this.mtimeMs = nowMs;
    this.#sha = undefined;
    this.isDirty = true;
  }

  sync(): void {
    this.#keptMtimeMs = this.mtimeMs;
    if (!this.isDirty) return;
    this.#kept = this.content();
    this.#sharedBytes = this.#size;
    this.isDirty = this.#isLost = false;
  }

  /** A sync fails: of what it was to write the disk has what it has, and a later sync doesn't write the rest. */
  failToSync(dice: Dice): void {
    if (!this.isDirty) return;
    this.#kept = this.#leftOver(dice).slice();
    this.#sharedBytes = 0;
    this.isDirty = false;
    this.#isLost = true;
  }

  /** The disk writes some of it by itself. */
  settle(dice: Dice): void {
    const left = this.#leftOver(dice);
    if (left === this.#kept) return;
    this.#kept = left;
    this.#sharedBytes = 0;
  }

  cut(dice: Dice): void {
    if (this.isDirty || this.#isLost) {
      if (this.isDirty) this.#kept = this.#leftOver(dice);
      this.#isLost = false;
      this.#bytes = this.#kept;
      this.#size = this.#sharedBytes = this.#kept.length;
      this.#sha = undefined;
      this.isDirty = false;
    }
    if (dice.chance(0.5)) this.mtimeMs = this.#keptMtimeMs;
    this.#keptMtimeMs = this.mtimeMs;
  }

  /** Changes one byte on the disk, and for everybody who reads. */
  damage(at: number): void {
    const bytes = this.content().slice();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    this.#bytes = this.#kept = bytes;
    this.#sharedBytes = bytes.length;
    this.#sha = undefined;
    this.isDamaged = true;
  }

  /** What the disk may have of content that was not synced. */
  #leftOver(dice: Dice): Bytes {
    const now = this.content();
    const before = this.#kept;
    const how = dice.weighted([
      [3, 'nothing'],
      [2, 'all'],
      [5, 'some'],
    ] as const);
    if (how === 'nothing') return before;
    if (how === 'all') return now.slice();
    const size = sizeBetween(before.length, now.length, dice);
    const left = new Uint8Array(size);
    const unit = dice.pick([512, 4_096, 65_536]);
    const share = dice.pick([0.1, 0.5, 0.9, 1]);
    const isNoisy = dice.chance(0.3);
    for (let begin = 0; begin < size; begin += unit) {
      const end = Math.min(begin + unit, size);
      const source = dice.chance(share) ? now : before;
      left.set(source.subarray(begin, end), begin);
      if (isNoisy && source.length < end) noise(left, Math.max(begin, source.length), end, dice);
    }
    return left;
  }
}

/** Mostly near one of its ends: there the last line of a file is torn. */
function sizeBetween(before: number, now: number, dice: Dice): number {
  const [low, high] = before < now ? [before, now] : [now, before];
  const near = Math.min(high - low, 12);
  return dice.pick([before, now, high - dice.whole(0, near), dice.whole(low, high)]);
}

function noise(bytes: Uint8Array, begin: number, end: number, dice: Dice): void {
  const step = dice.whole(1, 254) | 1;
  for (let at = begin; at < end; at += 1) bytes[at] = (at * step) >>> 2;
}

/** A name that came, went or changed its file, and of which the disk may not know yet. */
export interface NameChange {
  readonly folder: FolderNode;
  readonly name: string;
  /** Undefined where the name went. */
  readonly node: Node | undefined;
  /** Comes to the disk before this one. */
  readonly after?: NameChange | undefined;
}

export class FolderNode {
  readonly kind = 'folder';
  readonly names = new Map<string, Node>();
  /** The names that the disk has. */
  readonly kept = new Map<string, Node>();
  mtimeMs = 0;

  keep({ name, node }: NameChange): void {
    if (node === undefined) this.kept.delete(name);
    else this.kept.set(name, node);
  }

  cut(): void {
    this.names.clear();
    for (const [name, node] of this.kept) this.names.set(name, node);
  }
}

export type Node = FileNode | FolderNode;
