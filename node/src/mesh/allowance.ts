import type { SignalOption } from '../system/interface.ts';
import {
  ALLOWANCE_BYTES_FIRST,
  ALLOWANCE_BYTES_MAX,
  ALLOWANCE_BYTES_MIN,
  ALLOWANCE_STALE_MS,
  BULK_AHEAD_MS,
  SLICE_BYTES,
} from './limits.ts';

/** What was out when a mark went, and when that was. */
interface Mark {
  readonly number: number;
  readonly atMs: number;
  /** All bulk that went before it. */
  readonly sentBytes: number;
  /** What of it was out, so that its return tells how fast the line is. */
  readonly outBytes: number;
}

interface Waiter {
  readonly resolve: (bytes: number) => void;
}

/** More often than this no mark goes, as a share of what may stand before a pulse. */
const MARKS_PER_ALLOWANCE = 8;
/** A clock's step: a mark that came back within one tells no more than that the line is fast. */
const CLOCK_MS = 0.1;
/** Longer than a pause of the processor that somebody renders on; some marks come back in it on any line. */
const LATELY_MS = 400;
/** Returns looked at: on a fast line they come by the thousand, and each tells the same. */
const LATELY_MAX = 32;
/** How much a mark's time may be off that was taken in JavaScript: bulk is counted over so much more than it took. */
const BLUR_MS = 20;
/** Marks that are heard within so much came together: whoever hears them stood still before, and they came meanwhile. */
const TOGETHER_MS = 5;
/** What is reckoned of the slowest line (41 kbit/s), whatever a peer's clock says: from nothing no doubling leads on. */
const FOUND_BYTES_MIN = 1_024;
/** Times of hearing that are kept; of those that are of use there are fewer than marks that may be out. */
const HEARD_MAX = 64;
/** Marks are counted in four bytes. */
export const MARK_BYTES = 4;
/** A returned one, and when it was heard by the clock of who heard it, in milliseconds. */
export const RETURNED_BYTES = MARK_BYTES + 8;

/** What the peer had at a time of its clock. */
interface Heard {
  readonly atMs: number;
  bytes: number;
}

/** What a mark's return told. */
interface Finding {
  readonly atMs: number;
  readonly aheadMs: number;
  /** What the line carries in the time that a pulse may wait. */
  readonly foundBytes: number;
}

/**
 * How much bulk may stand before a pulse on a connection by which both go (SPEC R165). On a slow line TCP takes seconds'
 * worth, unseen from here. So marks go between the bulk, and the peer returns them, with the time: what went before a
 * mark that came back has arrived, and by how much a mark went longer than the quickest is what stood before it. That
 * alone is held to what a pulse may wait; how long the answer takes, where the other way is full as well, is not, or the
 * two would take the line from each other. But what the line has carried since, until the answer came, is reckoned and
 * not asked for: were as much let out as has no answer, it would all stand before a pulse once answers come quickly.
 */
export class Allowance {
  readonly #now: () => number;
  readonly #mark: (number: number) => void;
  /** May stand before a pulse. */
  #allowedBytes = ALLOWANCE_BYTES_FIRST;
  /** Granted to somebody who is about to send it. */
  #grantedBytes = 0;
  #sentBytes = 0;
  #markedBytes = 0;
  #arrivedBytes = 0;
  /** Those that did not come back, in the order in which they went. */
  #marks: Mark[] = [];
  #nextMark = 0;
  /** The quickest return: what a mark takes where nothing is before it. */
  #leastMs = Number.POSITIVE_INFINITY;
  /** The quickest way there, by the difference of the two clocks, wherever each began. */
  #leastWayMs = Number.POSITIVE_INFINITY;
  /** What the returns of the last moments told. */
  #lately: Finding[] = [];
  /** From the time at which the latest mark that came back had gone, as far as that is known. */
  #heard: Heard[] = [{ atMs: Number.NEGATIVE_INFINITY, bytes: 0 }];
  /** When the last mark that came back was the next to go on the line; undefined before the first. */
  #headAtMs: number | undefined;
  #sentAtMs: number;
  /** In the order in which they came, so that nobody is passed over. */
  readonly #waiting = new Set<Waiter>();
  /** Somebody had to wait since a mark last came back: more would be of use. */
  #isScarce = false;

  constructor(init: { readonly now: () => number; readonly mark: (number: number) => void }) {
    this.#now = init.now;
    this.#mark = init.mark;
    this.#sentAtMs = init.now();
    // How long one takes while nothing is out yet.
    this.#sendMark();
  }

  /** Resolves with how many bytes may be sent now, once it is the caller's turn; `sent` must follow. */
  async take({ signal }: SignalOption = {}): Promise<number> {
    signal?.throwIfAborted();
    this.#forgetOld();
    if (this.#waiting.size === 0 && this.#hasRoom) return this.#grant();
    this.#isScarce = true;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const onAbort = (): void => {
      this.#waiting.delete(waiter);
      reject(signal?.reason);
      this.#admit();
    };
    const waiter: Waiter = {
      resolve: (bytes) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(bytes);
      },
    };
    this.#waiting.add(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#markRest();
    return promise;
  }

  /** What was found then may no longer be so, as where a laptop has walked off; and no two clocks go at the same pace. */
  #forgetOld(): void {
    const isIdle = this.#marks.length === 0 && this.#waiting.size === 0;
    if (!isIdle || this.#now() - this.#sentAtMs <= ALLOWANCE_STALE_MS) return;
    this.#allowedBytes = Math.min(this.#allowedBytes, ALLOWANCE_BYTES_FIRST);
    this.#lately = [];
    this.#heard = [{ atMs: Number.NEGATIVE_INFINITY, bytes: this.#sentBytes }];
    this.#leastWayMs = Number.POSITIVE_INFINITY;
    this.#sendMark();
  }

  /** So many bytes have left for the connection, of so many that were granted for it. */
  sent(bytes: number, grantedBytes = 0): void {
    this.#grantedBytes -= grantedBytes;
    this.#sentBytes += bytes;
    this.#sentAtMs = this.#now();
    const marksEachBytes = Math.max(ALLOWANCE_BYTES_MIN, this.#allowedBytes / MARKS_PER_ALLOWANCE);
    if (this.#sentBytes - this.#markedBytes >= marksEachBytes) this.#sendMark();
    this.#admit();
  }

  /** A mark came back, heard at this time by the peer's clock; false where none such is out. */
  returned(number: number, heardAtMs: number): boolean {
    const index = this.#marks.findIndex((one) => one.number === number);
    const mark = this.#marks[index];
    if (mark === undefined || !Number.isFinite(heardAtMs)) return false;
    this.#marks = this.#marks.slice(index + 1);
    this.#arrivedBytes = mark.sentBytes;
    this.#learn(mark, heardAtMs);
    this.#isScarce = false;
    this.#admit();
    return true;
  }

  #learn({ atMs, outBytes, sentBytes }: Mark, heardAtMs: number): void {
    const nowMs = this.#now();
    const tookMs = Math.max(CLOCK_MS, nowMs - atMs);
    // The two clocks began at different times: only by how much one way took longer than another says something.
    const wayMs = heardAtMs - atMs;
    this.#leastMs = Math.min(this.#leastMs, tookMs);
    this.#leastWayMs = Math.min(this.#leastWayMs, wayMs);
    const aheadMs = Math.min(wayMs - this.#leastWayMs, tookMs - this.#leastMs);
    this.#headAtMs = atMs + aheadMs;
    const last = this.#heard.at(-1);
    if (last !== undefined && heardAtMs - last.atMs < TOGETHER_MS) last.bytes = sentBytes;
    else this.#heard.push({ atMs: heardAtMs, bytes: sentBytes });
    if (outBytes === 0) return;
    const overMs = aheadMs + BLUR_MS;
    const foundBytes = ((sentBytes - this.#heardBytes(heardAtMs - overMs)) * BULK_AHEAD_MS) / overMs;
    this.#lately = this.#lately.slice(1 - LATELY_MAX).filter((one) => nowMs - one.atMs <= LATELY_MS);
    this.#lately.push({ atMs: nowMs, aheadMs, foundBytes });
    // A machine that renders on all cores answers late now and then, and its line is no slower for it.
    const usualBytes = middle(this.#lately.map((one) => one.foundBytes));
    if (middle(this.#lately.map((one) => one.aheadMs)) > BULK_AHEAD_MS)
      this.#allowedBytes = Math.max(FOUND_BYTES_MIN, Math.min(this.#allowedBytes, usualBytes));
    // More by itself says nothing where nobody needs it; and one quick return is little evidence.
    else if (this.#isScarce && usualBytes > this.#allowedBytes)
      this.#allowedBytes = Math.min(usualBytes, 2 * this.#allowedBytes, ALLOWANCE_BYTES_MAX);
  }

  /** What had arrived at a time of the peer's clock; each time asked for is later than the one before. */
  #heardBytes(atMs: number): number {
    while ((this.#heard[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs || this.#heard.length > HEARD_MAX)
      this.#heard.shift();
    const [before, after] = this.#heard as [Heard, Heard?];
    if (after === undefined || before.atMs >= atMs || before.atMs === Number.NEGATIVE_INFINITY)
      return before.bytes;
    return before.bytes + ((after.bytes - before.bytes) * (atMs - before.atMs)) / (after.atMs - before.atMs);
  }

  /** Of what is out, all that the line can't have carried yet. */
  get #aheadBytes(): number {
    if (this.#headAtMs === undefined) return this.#outBytes;
    // Where no answer comes for longer than on a line that is full both ways, nothing is known of it.
    const endMs = this.#headAtMs + this.#leastMs + BULK_AHEAD_MS;
    let [aheadBytes, atMs, sentBytes] = [0, this.#headAtMs, this.#arrivedBytes];
    const carry = (untilMs: number): void => {
      const passedMs = Math.max(0, Math.min(untilMs, endMs) - atMs);
      aheadBytes = Math.max(0, aheadBytes - (this.#allowedBytes * passedMs) / BULK_AHEAD_MS);
      atMs += passedMs;
    };
    for (const mark of this.#marks) {
      carry(mark.atMs);
      aheadBytes += mark.sentBytes - sentBytes;
      sentBytes = mark.sentBytes;
    }
    carry(this.#now());
    return aheadBytes + this.#sentBytes - sentBytes;
  }

  get #outBytes(): number {
    return this.#sentBytes - this.#arrivedBytes;
  }

  get #grantBytes(): number {
    return Math.floor(
      Math.min(SLICE_BYTES, Math.max(ALLOWANCE_BYTES_MIN, this.#allowedBytes / MARKS_PER_ALLOWANCE)),
    );
  }

  get #hasRoom(): boolean {
    if (this.#outBytes + this.#grantedBytes === 0) return true;
    const bytes = this.#aheadBytes + this.#grantedBytes + this.#grantBytes;
    return bytes <= Math.max(ALLOWANCE_BYTES_MIN, this.#allowedBytes);
  }

  #grant(): number {
    const bytes = this.#grantBytes;
    this.#grantedBytes += bytes;
    return bytes;
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (!this.#hasRoom) break;
      this.#waiting.delete(waiter);
      waiter.resolve(this.#grant());
    }
    this.#markRest();
  }

  /** Somebody waits, and nothing is under way that would tell of what is out: too little went for a mark by itself. */
  #markRest(): void {
    if (this.#waiting.size === 0) return;
    this.#isScarce = true;
    if (this.#marks.length === 0 && this.#sentBytes > this.#markedBytes) this.#sendMark();
  }

  #sendMark(): void {
    const number = this.#nextMark;
    this.#nextMark = (number + 1) % 2 ** (8 * MARK_BYTES);
    const sentBytes = this.#sentBytes;
    this.#markedBytes = sentBytes;
    this.#marks.push({ number, atMs: this.#now(), sentBytes, outBytes: this.#outBytes });
    this.#mark(number);
  }
}

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number;
