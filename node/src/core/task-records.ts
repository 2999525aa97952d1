import type { TaskIndex, TaskRecord } from '@cuadro/protocol';
import { TASKS_PER_BUCKET } from '@cuadro/protocol';
import { Packer } from './packer.ts';
import { Patcher } from './patcher.ts';

/** Records that stand as objects: what was written lately is read and written again soon. Some 8 MB. */
const YOUNG_MAX = 4_096;
/** While a node starts, which looks at each twice: more only of jobs that take it long anyway. Some 200 MB. */
export const HELD_MAX = 131_072;

/**
 * The records of tasks whose indices follow each other, one after the other in one piece of memory: the first as it is
 * packed, of each other a patch that makes it of the first.
 */
interface Packed {
  /** Where the part of each slot begins; it ends where the next begins, and is none where that is the same. */
  readonly starts: Uint16Array | Uint32Array;
  readonly bytes: Uint8Array;
  /** The slot of the first. */
  readonly first: number;
}

/**
 * The records of one job's tasks by their index. Of a large job only those written lately are objects; the others are
 * packed, bucket by bucket, at a fifteenth of the memory, and made anew each time they are asked for. So one that is
 * asked for twice need not be the same object; like all records it is never changed in place.
 */
export class TaskRecords {
  #size = 0;
  readonly #youngMax: number;
  #isHeld = false;
  /** Small jobs need none. */
  #packer: Packer | undefined;
  /** One for what is read, one for what is written: each has its own bytes. */
  readonly #reading = new Patcher();
  readonly #writing = new Patcher();
  /** Where a bucket's parts are put together. */
  #scratch = new Uint8Array();
  /** By bucket, those longest unpacked first. */
  readonly #young = new Map<number, Map<number, TaskRecord>>();
  #youngCount = 0;
  readonly #packed = new Map<number, Packed>();
  /** What the packer has no form for. */
  readonly #failed = new Set<TaskIndex>();
  readonly #odd = new Map<TaskIndex, TaskRecord>();
  /** The last one that was made anew: who asks for a record asks for it several times. */
  #last: TaskRecord | undefined;

  constructor(init: { young?: number } = {}) {
    this.#youngMax = init.young ?? YOUNG_MAX;
  }

  get size(): number {
    return this.#size;
  }

  /** What the packed ones take. */
  get packedBytes(): number {
    let bytes = 0;
    for (const packed of this.#packed.values()) bytes += packed.bytes.length + packed.starts.byteLength;
    return bytes;
  }

  get(index: TaskIndex): TaskRecord | undefined {
    const bucket = Math.floor(index / TASKS_PER_BUCKET);
    const slot = index % TASKS_PER_BUCKET;
    const young = this.#young.get(bucket)?.get(slot);
    if (young !== undefined) return young;
    if (this.#last?.index === index) return this.#last;
    const packed = this.#packed.get(bucket);
    const bytes = packed && this.#bytesOf(packed, slot);
    if (bytes === undefined) return this.#odd.get(index);
    this.#last = this.#packer?.unpack(bytes) as TaskRecord;
    return this.#last;
  }

  has(index: TaskIndex): boolean {
    const bucket = Math.floor(index / TASKS_PER_BUCKET);
    const slot = index % TASKS_PER_BUCKET;
    if (this.#young.get(bucket)?.has(slot) === true || this.#odd.has(index)) return true;
    const packed = this.#packed.get(bucket);
    return packed !== undefined && partOf(packed, slot) !== undefined;
  }

  set(index: TaskIndex, record: TaskRecord): void {
    const bucket = Math.floor(index / TASKS_PER_BUCKET);
    const slot = index % TASKS_PER_BUCKET;
    if (!this.has(index)) this.#size++;
    if (this.#last?.index === index) this.#last = undefined;
    let young = this.#young.get(bucket);
    if (young === undefined) this.#young.set(bucket, (young = new Map<number, TaskRecord>()));
    if (!young.has(slot)) this.#youngCount++;
    young.set(slot, record);
    if (Object.keys(record.failures).length > 0) this.#failed.add(index);
    else this.#failed.delete(index);
    while (this.#youngCount > (this.#isHeld ? HELD_MAX : this.#youngMax)) this.#packFirst();
  }

  /** What comes in now is looked at again at once: it stays as it is until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  /** True where there is something to pack now, which `packSome` does bit by bit. */
  release(): boolean {
    this.#isHeld = false;
    return this.#youngCount > this.#youngMax;
  }

  /** Packs one bucket of what is too much; true while there is more. Takes a few milliseconds. */
  packSome(): boolean {
    if (!this.#isHeld && this.#youngCount > this.#youngMax) this.#packFirst();
    return !this.#isHeld && this.#youngCount > this.#youngMax;
  }

  /** Tasks on which attempts failed. */
  failed(): TaskIndex[] {
    return [...this.#failed].sort((a, b) => a - b);
  }

  /** In the order of the indices; what is written meanwhile is seen or not. */
  *keys(): Generator<TaskIndex> {
    const odd = [...this.#odd.keys()].map((index) => Math.floor(index / TASKS_PER_BUCKET));
    const buckets = new Set([...this.#packed.keys(), ...this.#young.keys(), ...odd]);
    for (const bucket of [...buckets].sort((a, b) => a - b)) {
      for (let slot = 0; slot < TASKS_PER_BUCKET; slot++) {
        const index = bucket * TASKS_PER_BUCKET + slot;
        if (this.has(index)) yield index;
      }
    }
  }

  *values(): Generator<TaskRecord> {
    for (const index of this.keys()) yield this.get(index) as TaskRecord;
  }

  /** The bucket that waited longest: its records leave as objects, together. */
  #packFirst(): void {
    const [oldest] = this.#young;
    if (oldest === undefined) return;
    const [bucket, young] = oldest;
    this.#young.delete(bucket);
    this.#youngCount -= young.size;
    this.#pack(bucket, young);
  }

  /** These take the place of what is packed of them. */
  #pack(bucket: number, young: ReadonlyMap<number, TaskRecord>): void {
    const before = this.#packed.get(bucket);
    const starts = new Uint32Array(TASKS_PER_BUCKET + 1);
    let size = 0;
    let first: { readonly slot: number; readonly bytes: Uint8Array } | undefined;
    // As long as the first is the same, the patches of those that weren't written are, too.
    let isFirstAsBefore = false;
    for (let slot = 0; slot < TASKS_PER_BUCKET; slot++) {
      starts[slot] = size;
      const record = young.get(slot);
      let part = before && partOf(before, slot);
      if (record !== undefined || !isFirstAsBefore) {
        const bytes = this.#bytesAnew(bucket * TASKS_PER_BUCKET + slot, record, before);
        part = bytes && first ? this.#writing.diff(first.bytes, bytes) : bytes;
        if (bytes && !first) {
          first = { slot, bytes: bytes.slice() };
          isFirstAsBefore = record === undefined && before?.first === slot;
        }
      }
      if (part === undefined) continue;
      this.#put(part, size);
      size += part.length;
    }
    starts[TASKS_PER_BUCKET] = size;
    if (first === undefined) {
      this.#packed.delete(bucket);
      return;
    }
    const places = size < 2 ** 16 ? Uint16Array.from(starts) : starts;
    this.#packed.set(bucket, { starts: places, bytes: this.#scratch.slice(0, size), first: first.slot });
  }

  #put(part: Uint8Array, at: number): void {
    if (at + part.length > this.#scratch.length) {
      const grown = new Uint8Array(2 * (at + part.length));
      grown.set(this.#scratch);
      this.#scratch = grown;
    }
    this.#scratch.set(part, at);
  }

  /**
   * What the record of a task is packed as, or was, in bytes that hold until the next call; undefined of one that there
   * is none of, or that has no such form.
   */
  #bytesAnew(
    index: TaskIndex,
    record: TaskRecord | undefined,
    before: Packed | undefined,
  ): Uint8Array | undefined {
    if (record === undefined) return before && this.#bytesOf(before, index % TASKS_PER_BUCKET);
    this.#packer ??= new Packer();
    const packed = this.#packer.pack(record);
    if (packed === undefined) this.#odd.set(index, record);
    else this.#odd.delete(index);
    return packed;
  }

  /** Of a patched one in bytes that hold until the next call. */
  #bytesOf(packed: Packed, slot: number): Uint8Array | undefined {
    const part = partOf(packed, slot);
    if (part === undefined || slot === packed.first) return part;
    return this.#reading.apply(partOf(packed, packed.first) as Uint8Array, part);
  }
}

function partOf({ starts, bytes }: Packed, slot: number): Uint8Array | undefined {
  const [start, end] = [starts[slot] as number, starts[slot + 1] as number];
  return start === end ? undefined : bytes.subarray(start, end);
}
