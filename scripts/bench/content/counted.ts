import { Cipheriv, Decipheriv } from 'node:crypto';
import { Socket } from 'node:net';

/**
 * Loaded before everything else (`--import`) in an end of a bare wire: counts the bytes that JavaScript copies and
 * allocates, in this project's code and in its packages. What the kernel copies is not seen, nor what Node's own code
 * does within one call.
 */

export interface Counted {
  /** Bytes that were copied from one place in memory to another, and how often. */
  copiedBytes: number;
  copies: number;
  /** Bytes that were allocated for content, and how often: on the heap of arrays, by a cipher, or by a read of a socket. */
  allocatedBytes: number;
  allocations: number;
}

let counted: Counted = { copiedBytes: 0, copies: 0, allocatedBytes: 0, allocations: 0 };

/** From here on it is counted anew. */
export function beginToCount(): void {
  counted = { copiedBytes: 0, copies: 0, allocatedBytes: 0, allocations: 0 };
}

export const countedSince = (): Counted => ({ ...counted });

function copied(bytes: number): void {
  counted.copiedBytes += bytes;
  counted.copies += 1;
}

function allocated(bytes: number): void {
  counted.allocatedBytes += bytes;
  counted.allocations += 1;
}

type Method = (this: unknown, ...args: never[]) => unknown;

/** Puts `after` behind a method: it sees what was given, and what came of it. */
function watch(
  owner: object,
  name: string,
  after: (result: unknown, args: readonly unknown[]) => void,
): void {
  const original = Reflect.get(owner, name) as Method;
  const watched: Method = function (...args) {
    const result = Reflect.apply(original, this, args);
    after(result, args);
    return result;
  };
  Object.defineProperty(owner, name, { value: watched, writable: true, configurable: true });
}

const lengthOf = (value: unknown): number => (ArrayBuffer.isView(value) ? value.byteLength : 0);

const made = (result: unknown): void => allocated(lengthOf(result));
/** A new array of the same content. */
function copiedAnew(result: unknown): void {
  allocated(lengthOf(result));
  copied(lengthOf(result));
}

const typedArrays = Object.getPrototypeOf(Uint8Array.prototype) as object;
watch(typedArrays, 'set', (_, [source]) => copied(lengthOf(source)));
watch(typedArrays, 'slice', copiedAnew);
watch(Buffer, 'concat', copiedAnew);
watch(Buffer, 'from', (result, [source]) => {
  if (ArrayBuffer.isView(source)) copiedAnew(result);
});
watch(Buffer.prototype, 'copy', (result) => copied(result as number));
for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) watch(Buffer, name, made);
for (const { prototype } of [Cipheriv, Decipheriv]) watch(prototype, 'update', made);
watch(Socket.prototype, 'push', (_, [chunk]) => allocated(lengthOf(chunk)));

globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct(target, args, newTarget) {
    const [source] = args as unknown[];
    const array = Reflect.construct(target, args, newTarget) as Uint8Array;
    if (typeof source === 'number') allocated(source);
    else if (ArrayBuffer.isView(source)) copiedAnew(array);
    return array;
  },
});
