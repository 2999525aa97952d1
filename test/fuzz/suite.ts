import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Report } from './run.ts';
import type { Order, Word } from './thread.ts';

/**
 * Every decoder reads inputs of a fixed seed, half of them hostile and half changed valid ones: no crash, no hang, no
 * garbage kept. `npm run fuzz` reads a million for each.
 */

const INPUTS = 20_000;
const SEED = 4;
/** Of inputs that are taken, at least: else the changed ones are no nearer to valid than noise. */
const TAKEN_SHARE_MIN = 0.02;
/** At most: else next to nothing was hostile. */
const TAKEN_SHARE_MAX = 0.9;

/**
 * A thread of its own for a file's decoders: what the test runner hooks into each promise of its own thread, to know what
 * a test left behind, costs a fifth to two fifths of their time.
 */
class DecoderThread {
  readonly #worker: Worker;

  constructor(file: string) {
    this.#worker = new Worker(new URL('thread.ts', import.meta.url), { workerData: file });
  }

  async names(): Promise<string[]> {
    const word = await this.#next();
    assert.ok(word.kind === 'names');
    return word.names;
  }

  async run(order: Order): Promise<Report> {
    const next = this.#next();
    this.#worker.postMessage(order);
    const word = await next;
    if (word.kind === 'report') return word.report;
    throw new Error(word.kind === 'broken' ? word.why : 'The thread named its decoders again.');
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Rejects where the thread fails. */
  async #next(): Promise<Word> {
    const [word] = await once(this.#worker, 'message');
    return word as Word;
  }
}

/** Tests all decoders of `decoders/FILE.ts`. */
export async function testDecoders(file: string): Promise<void> {
  const thread = new DecoderThread(file);
  after(() => thread.end());
  const names = await thread.names();
  assert.ok(names.length > 0, `decoders/${file}.ts lists decoders`);
  for (const name of names) {
    test(`R4: whatever ${name} is given, it reads or refuses`, async () => {
      const report = await thread.run({ decoder: name, seed: SEED, inputs: INPUTS });
      assert.deepEqual(report.failures, []);
      assert.equal(report.inputs, INPUTS);
      assert.notEqual(report.growthBytes, undefined, 'whether it keeps what it is given is known');
      const share = report.taken / report.inputs;
      assert.ok(share >= TAKEN_SHARE_MIN, `only ${report.taken} of ${INPUTS} inputs were taken`);
      assert.ok(share <= TAKEN_SHARE_MAX, `${report.taken} of ${INPUTS} inputs were taken`);
    });
  }
}
