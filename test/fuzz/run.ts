import { getHeapStatistics } from 'node:v8';
import fc from 'fast-check';
import type { Decoder, Input, Verdict } from './decoder.ts';
import { Inputs, inputText } from './inputs.ts';

/** Inputs of one seed: a failure is told with it, and found again in a second. */
export const CHUNK = 2_000;
/** An input that computes longer has stalled its decoder: no message of a node may. */
export const INPUT_MS_MAX = 5_000;
/** What may be taken for one input at a time: the largest messages are a few megabytes, and are held once or twice. */
const INPUT_BYTES_MAX = 64 * 2 ** 20;
/** A reading of the processor's clock is a call to the system, and dearer than most inputs: so often at most. */
const CLOCK_EVERY_MS = 20;
/** What a decoder may keep for good, after everything was collected: caches of bounded size fill at first. */
const GROWTH_BYTES_MAX = 48 * 2 ** 20;
/** Rounds of collection at most, and what one must still bring to be worth another. */
const COLLECTIONS_MAX = 10;
const SETTLED_BYTES = 2 ** 16;
/** Chunks until its caches are full. */
const WARM_CHUNKS = 3;

export interface Failure {
  decoder: string;
  seed: number;
  chunk: number;
  /** The smallest input that fails, as `inputText` writes it. */
  input: string;
  why: string;
}

export interface Report {
  decoder: string;
  inputs: number;
  taken: number;
  /** Of a processor: other programs' work doesn't count. */
  seconds: number;
  /** The input that took longest, milliseconds; above 20 of a processor, with what came in the 20 before. */
  slowestMs: number;
  /** What one input took of memory at most, in use when it had been read. */
  largestBytes: number;
  /** What stayed in memory from the end of the warm-up on; undefined where nobody can collect garbage. */
  growthBytes: number | undefined;
  failures: Failure[];
}

export interface RunInit {
  seed: number;
  inputs: number;
  /** Of several processes that share the inputs: this is number `share` of `shares`. */
  share?: number;
  shares?: number;
  /** Told before each input. */
  onInput?: (chunk: number, index: number) => void;
  inputMsMax?: number;
  /** Failures after which a decoder is left. */
  failuresMax?: number;
}

/** Reads so many inputs with one decoder. Rejects only where the decoder could not be opened or closed. */
export async function runDecoder(decoder: Decoder, init: RunInit): Promise<Report> {
  const { seed, inputs, share = 0, shares = 1, failuresMax = 1, inputMsMax = INPUT_MS_MAX } = init;
  const reader = await decoder.open();
  const counts = { inputs: 0, taken: 0, slowestMs: 0, largestBytes: 0 };
  const failures: Failure[] = [];
  const before = process.cpuUsage();
  const clock = new InputClock();
  let warmBytes: number | undefined;
  const read = async (input: Input, isShrinking: boolean): Promise<void> => {
    const bytesBefore = bytesInUse();
    clock.start();
    const verdict: Verdict = await reader.read(input);
    const ms = clock.stop();
    const bytes = bytesInUse() - bytesBefore;
    if (bytes > INPUT_BYTES_MAX) throw new Error(`The input took ${bytes} bytes of memory.`);
    if (ms > inputMsMax) throw new Error(`The input took ${Math.round(ms)} ms.`);
    for (const name in {}) throw new Error(`All objects have the property ${name} now.`);
    if (isShrinking) return;
    counts.inputs += 1;
    counts.slowestMs = Math.max(counts.slowestMs, ms);
    counts.largestBytes = Math.max(counts.largestBytes, bytes);
    if (verdict === 'taken') counts.taken += 1;
  };
  try {
    const chunks = Math.ceil(inputs / CHUNK);
    for (let chunk = share, done = 0; chunk < chunks; chunk += shares, done += 1) {
      if (done === WARM_CHUNKS) warmBytes = await keptBytes();
      const count = Math.min(CHUNK, inputs - chunk * CHUNK);
      const failure = await readChunk(decoder, { seed, chunk, count }, read, init.onInput);
      if (failure !== undefined) failures.push(failure);
      if (failures.length >= failuresMax) break;
    }
    const kept = warmBytes === undefined ? undefined : await keptBytes();
    const growthBytes = kept === undefined || warmBytes === undefined ? undefined : kept - warmBytes;
    const { name } = decoder;
    for (const why of [changedPrototype(), grown(growthBytes)]) {
      if (why !== undefined) failures.push({ decoder: name, seed, chunk: -1, input: '', why });
    }
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    return { decoder: decoder.name, ...counts, seconds, growthBytes, failures };
  } finally {
    await reader.close?.();
  }
}

/** On the heap and beside it, whether anybody writes to it or not; what was collected meanwhile is not seen. */
function bytesInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** How long an input took. */
class InputClock {
  #cpu = process.cpuUsage();
  #cpuAt = performance.now();
  #startedAt = 0;

  start(): void {
    this.#startedAt = performance.now();
    if (this.#startedAt - this.#cpuAt > CLOCK_EVERY_MS) this.#readCpu();
  }

  /**
   * Milliseconds since `start`. What seems long is counted by the processor, so that a machine that has much else to do
   * accuses nobody: from the last reading on, which was little before.
   */
  stop(): number {
    const ms = performance.now() - this.#startedAt;
    if (ms <= CLOCK_EVERY_MS) return ms;
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#readCpu();
    return Math.min(ms, (user + system) / 1_000);
  }

  #readCpu(): void {
    this.#cpu = process.cpuUsage();
    this.#cpuAt = performance.now();
  }
}

/** Different chunks of different decoders and seeds never share their inputs by accident. */
export function chunkSeed(decoder: string, seed: number, chunk: number): number {
  let hash = Math.imul(seed, 0x9e37_79b1);
  for (const character of `${decoder}/${chunk}`)
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193);
  return hash | 0;
}

async function readChunk(
  decoder: Decoder,
  { seed, chunk, count }: { seed: number; chunk: number; count: number },
  read: (input: Input, isShrinking: boolean) => Promise<void>,
  onInput: RunInit['onInput'],
): Promise<Failure | undefined> {
  let index = 0;
  let hasFailed = false;
  const property = fc.asyncProperty(new Inputs(decoder.input), async (input) => {
    onInput?.(chunk, index++);
    try {
      await read(input, hasFailed);
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  });
  // Refusals are errors, and telling where each was thrown takes longer than most decoders.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 4;
  const details = await fc.check(property, { seed: chunkSeed(decoder.name, seed, chunk), numRuns: count });
  Error.stackTraceLimit = stackTraceLimit;
  if (!details.failed) return undefined;
  const [input] = details.counterexample ?? [];
  const error = details.errorInstance;
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { decoder: decoder.name, seed, chunk, input: input === undefined ? '' : inputText(input), why };
}

/** The input that stands at a place of a run, without reading any. */
export async function inputAt(
  decoder: Decoder,
  seed: number,
  chunk: number,
  index: number,
): Promise<Input | undefined> {
  let at = 0;
  let found: Input | undefined;
  await fc.check(
    fc.asyncProperty(new Inputs(decoder.input), async (input) => {
      if (at++ === index) found = input;
    }),
    { seed: chunkSeed(decoder.name, seed, chunk), numRuns: index + 1 },
  );
  return found;
}

const PROTOTYPES = [Object, Array, Function, String, Number, Uint8Array, Map, Promise].map(
  ({ prototype }) => [prototype as object, Reflect.ownKeys(prototype as object).length] as const,
);

function changedPrototype(): string | undefined {
  const changed = PROTOTYPES.find(([prototype, count]) => Reflect.ownKeys(prototype).length !== count);
  return (
    changed && `A prototype has other properties now: ${Reflect.ownKeys(changed[0]).map(String).join(', ')}`
  );
}

function grown(bytes: number | undefined): string | undefined {
  return bytes !== undefined && bytes > GROWTH_BYTES_MAX ? `It keeps ${bytes} bytes.` : undefined;
}

/** Collected until nothing more goes: what a finalizer lets go of, and what that held, each take a round. */
async function keptBytes(): Promise<number | undefined> {
  if (globalThis.gc === undefined) return undefined;
  let kept = Number.POSITIVE_INFINITY;
  for (let round = 0; round < COLLECTIONS_MAX; round += 1) {
    globalThis.gc();
    await new Promise(setImmediate);
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    const now = heapUsed + external + arrayBuffers;
    if (now > kept - SETTLED_BYTES) return Math.min(now, kept);
    kept = now;
  }
  return kept;
}
