/**
 * Bytes as what changes them from others that are much alike: of the record of a frame, beside its neighbour's, hashes and
 * a few numbers. A patch is a list of steps: how many bytes are the same, how many new ones follow, these themselves, and
 * by how much the place in the other bytes moves then, where something was longer or shorter there.
 */

/** So many bytes that are the same end a run of new ones: fewer cost as much as they save. */
const SAME_MIN = 4;
/** How far the same bytes are looked for, before and behind their place: a number takes some bytes more or fewer. */
const MOVES: readonly number[] = [0, 1, -1, 2, -2, 3, -3, 4, -4];

/** A step's count of new bytes says beside it whether the place moves. */
const MOVED = 2;

export class Patcher {
  /** None before it is needed: each job has a patcher, and few have anything to pack. */
  #bytes = new Uint8Array();
  #at = 0;

  /** What makes `to` of `from`; the patcher's own bytes until the next call. */
  diff(from: Uint8Array, to: Uint8Array): Uint8Array {
    this.#at = 0;
    let place = 0;
    for (let at = 0; at < to.length; ) {
      const same = sameBytes(from, place, to, at);
      at += same;
      place += same;
      const [fresh, move] = freshBytes(from, place, to, at);
      this.#whole(same);
      this.#whole(fresh * MOVED + (move === 0 ? 0 : 1));
      this.#raw(to, at, fresh);
      if (move !== 0) this.#whole(MOVES.indexOf(move));
      at += fresh;
      place += fresh + move;
    }
    return this.#bytes.subarray(0, this.#at);
  }

  /** What a patch makes of `from`; the patcher's own bytes until the next call. */
  apply(from: Uint8Array, patch: Uint8Array): Uint8Array {
    this.#at = 0;
    const reading = { bytes: patch, at: 0 };
    let place = 0;
    while (reading.at < patch.length) {
      const same = wholeOf(reading);
      this.#raw(from, place, same);
      const counted = wholeOf(reading);
      const fresh = Math.floor(counted / MOVED);
      this.#raw(patch, reading.at, fresh);
      reading.at += fresh;
      place += same + fresh + (counted % MOVED === 0 ? 0 : (MOVES[wholeOf(reading)] as number));
    }
    return this.#bytes.subarray(0, this.#at);
  }

  /** Seven bits a byte, the lowest first. */
  #whole(value: number): void {
    this.#room(5);
    let left = value;
    for (; left >= 128; left = Math.floor(left / 128)) this.#bytes[this.#at++] = (left % 128) | 128;
    this.#bytes[this.#at++] = left;
  }

  #raw(bytes: Uint8Array, start: number, count: number): void {
    this.#room(count);
    for (let i = start; i < start + count; i++) this.#bytes[this.#at++] = bytes[i] as number;
  }

  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#at + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

function sameBytes(from: Uint8Array, place: number, to: Uint8Array, at: number): number {
  let count = 0;
  while (at + count < to.length && from[place + count] === to[at + count]) count++;
  return count;
}

/** How many bytes from here on are new, and how the place moves to where the same follow. */
function freshBytes(from: Uint8Array, place: number, to: Uint8Array, at: number): [number, number] {
  for (let count = 0; at + count < to.length; count++) {
    for (const move of MOVES) {
      if (isSame(from, place + count + move, to, at + count)) return [count, move];
    }
  }
  return [to.length - at, 0];
}

function isSame(from: Uint8Array, place: number, to: Uint8Array, at: number): boolean {
  // Before and behind `from` is no byte, which is none of `to`.
  if (at + SAME_MIN > to.length) return false;
  for (let i = 0; i < SAME_MIN; i++) if (from[place + i] !== to[at + i]) return false;
  return true;
}

function wholeOf(reading: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reading.bytes[reading.at++] as number;
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
}
