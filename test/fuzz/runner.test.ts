import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbageCollector } from '../unit/collect-garbage.ts';
import { decoder, demand, type Decoder } from './decoder.ts';
import { chunkSeed, CHUNK, inputAt, runDecoder } from './run.ts';
import { inputText } from './inputs.ts';
import { bytesLike } from './sources.ts';

/** The runner itself, with decoders that are wrong on purpose. */

const wrong = (read: (bytes: Uint8Array) => void): Decoder =>
  decoder<Uint8Array>({
    name: 'wrong',
    covers: [],
    sources: [],
    input: bytesLike(() => Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
    open: () => ({
      read: (bytes) => {
        read(bytes);
        return 'taken';
      },
    }),
  });

test('an input that a decoder fails on is shrunk, and found again by its seed', async () => {
  const fails = wrong((bytes) => demand(!bytes.includes(7), 'It has a seven.'));
  const first = await runDecoder(fails, { seed: 5, inputs: 500 });
  const again = await runDecoder(fails, { seed: 5, inputs: 500 });
  assert.equal(first.failures.length, 1);
  assert.equal(first.failures[0]?.input, '07');
  assert.match(first.failures[0]?.why ?? '', /It has a seven/);
  assert.deepEqual([again.failures, again.inputs], [first.failures, first.inputs]);
});

test('other seeds, chunks and decoders have other inputs, and the same have the same', async () => {
  const seen: string[] = [];
  const listens = wrong((bytes) => seen.push(inputText(bytes)));
  await runDecoder(listens, { seed: 1, inputs: 50 });
  const first = seen.splice(0);
  await runDecoder(listens, { seed: 1, inputs: 50 });
  assert.deepEqual(seen.splice(0), first);
  await runDecoder(listens, { seed: 2, inputs: 50 });
  assert.notDeepEqual(seen, first);
  assert.equal(inputText((await inputAt(listens, 1, 0, 30)) ?? ''), first[30]);
  assert.equal(
    new Set([chunkSeed('a', 1, 0), chunkSeed('b', 1, 0), chunkSeed('a', 1, 1), chunkSeed('a', 2, 0)]).size,
    4,
  );
});

test('shares of a run are its inputs, each once', async () => {
  const inputs = 3 * CHUNK + 7;
  const [even, odd] = [new Set<string>(), new Set<string>()];
  for (const [share, seen] of [even, odd].entries()) {
    const onInput = (chunk: number, index: number): void => void seen.add(`${chunk}.${index}`);
    await runDecoder(
      wrong(() => undefined),
      { seed: 1, inputs, share, shares: 2, onInput },
    );
  }
  assert.equal(even.size + odd.size, inputs);
  assert.equal(new Set([...even, ...odd]).size, inputs);
});

test('a decoder that gives all objects a property is caught', async () => {
  try {
    const pollutes = wrong((bytes) => {
      if (bytes.length > 4) Object.assign(Object.prototype, { polluted: true });
    });
    const { failures } = await runDecoder(pollutes, { seed: 1, inputs: 100 });
    assert.match(failures[0]?.why ?? '', /the property polluted/);
  } finally {
    delete (Object.prototype as { polluted?: true }).polluted;
  }
});

test('a decoder that computes too long for an input is caught, and the input is named', async () => {
  let at = 0;
  const stalls = wrong(() => {
    const before = process.cpuUsage();
    // Much longer than any honest input of this decoder, and soon over.
    if (++at >= 20) while (process.cpuUsage(before).user < 120_000);
  });
  const { failures, inputs } = await runDecoder(stalls, { seed: 1, inputs: 100, inputMsMax: 100 });
  assert.match(failures[0]?.why ?? '', /The input took \d+ ms/);
  assert.equal(inputs, 19);
});

test('a decoder that takes very much memory for an input is caught, and the input is named', async () => {
  const wastes = wrong((bytes) => {
    if (bytes.includes(7)) Buffer.alloc(256 * 2 ** 20);
  });
  const { failures } = await runDecoder(wastes, { seed: 1, inputs: 500 });
  assert.match(failures[0]?.why ?? '', /The input took \d+ bytes of memory/);
  assert.match(failures[0]?.input ?? '', /07/);
});

test('a decoder that keeps what it was given is caught, and one that fills a cache at first is not', async () => {
  const before = globalThis.gc;
  globalThis.gc = garbageCollector();
  /** Keeps some megabytes of each hundredth input of one chunk. */
  const keepingIn = (chunk: number): Decoder => {
    const kept: Uint8Array[] = [];
    let at = 0;
    return wrong(() => {
      const isKept = Math.floor(at / CHUNK) === chunk && at % 100 === 0;
      if (isKept) kept.push(new Uint8Array(3 * 2 ** 20));
      at += 1;
    });
  };
  try {
    const inputs = 4 * CHUNK;
    const leak = await runDecoder(keepingIn(3), { seed: 1, inputs });
    assert.match(leak.failures[0]?.why ?? '', /^It keeps \d+ bytes\.$/);
    const cache = await runDecoder(keepingIn(0), { seed: 1, inputs });
    assert.deepEqual(cache.failures, []);
    assert.ok(cache.growthBytes !== undefined, 'it was measured');
  } finally {
    Object.assign(globalThis, { gc: before });
  }
});
