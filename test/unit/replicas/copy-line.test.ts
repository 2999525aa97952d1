import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { HoldItem } from '@cuadro/protocol';
import { FrameReader } from '../../../node/src/blobs/transfer/frames.ts';
import type { MeshStream } from '../../../node/src/mesh/interface.ts';
import { CopyLine } from '../../../node/src/replicas/copy-line.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

/** More than there are between the last look at what is to be asked and the end of that look. */
const STEPS = 16;
const item = (id: number): HoldItem => ({ kind: 'records', id, records: [] });
/** Resolves when everything that follows from what was done is done: nothing here waits for time. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it('R57: what is to be held is asked for whenever it comes, also right after the last look at what there is', async () => {
  for (let step = 0; step < STEPS; step++) {
    const written: Uint8Array[] = [];
    const stream: MeshStream = {
      peer: 'other',
      write: async (chunk) => void written.push(chunk),
      end: async () => undefined,
      abort: () => undefined,
      chunks: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) },
    };
    const components = { mesh: { open: () => Promise.resolve(stream) }, clock: new ManualClock() };
    const line = new CopyLine(components, 'other', {
      stallMs: 10_000,
      onOutcomes: () => undefined,
      onEnd: () => undefined,
    });
    line.ask(item(1));
    while (written.length === 0) await Promise.resolve();
    for (let i = 0; i < step; i++) await Promise.resolve();
    line.ask(item(2));
    await settled();
    const asked: number[] = [];
    const chunks = (async function* () {
      yield* written;
    })();
    const reader = new FrameReader(chunks);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next())
      asked.push(...(frame.head as { items: { id: number }[] }).items.map(({ id }) => id));
    assert.deepEqual(asked, [1, 2], `asked ${step} steps after the first was written`);
  }
});
