import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlobUnreachableError, StoreFullError } from '../../../node/src/blobs/errors.ts';
import { Ledger } from '../../../node/src/blobs/transfer/ledger.ts';
import { Rates } from '../../../node/src/blobs/transfer/rates.ts';
import { TreeProgress } from '../../../node/src/blobs/transfer/tree-progress.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { peerOf } from './machines.ts';

const [A, B] = [peerOf('a'), peerOf('b')];
const BUNDLE = 'b'.repeat(64);

describe('how fast something comes', () => {
  test('R182: over the last seconds, the fastest first', () => {
    const rates = new Rates();
    for (let ms = 0; ms < 20_000; ms += 100) {
      rates.add(A, 100, ms);
      rates.add(B, 300, ms);
    }
    const flows = rates.at(20_000);
    assert.deepEqual(
      flows.map(({ peer }) => peer),
      [B, A],
    );
    const [fast, slow] = flows.map(({ bytesPerSecond }) => bytesPerSecond) as [number, number];
    assert.ok(Math.abs(fast - 3_000) < 100 && Math.abs(slow - 1_000) < 40, `${fast}, ${slow}`);
  });

  test('R182: a burst is no rate, and what has ended is forgotten after five seconds', () => {
    const rates = new Rates();
    rates.add(A, 1_000, 10_000);
    assert.deepEqual(rates.at(10_001), [{ peer: A, bytesPerSecond: 1_000 }]);
    assert.deepEqual(rates.at(12_000), [{ peer: A, bytesPerSecond: 500 }]);
    assert.deepEqual(rates.at(15_000), []);
    rates.add(A, 500, 30_000);
    assert.deepEqual(
      rates.at(30_100),
      [{ peer: A, bytesPerSecond: 500 }],
      'what came long ago counts no more',
    );
  });
});

describe('what comes here, in sums', () => {
  const files = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ hash: `${i}`.padStart(64, '0'), sizeBytes: 10 }));

  function ledgerOf() {
    const clock = new ManualClock();
    const ledger = new Ledger({ clock });
    const wanted = files(5);
    const progress = new TreeProgress(wanted, wanted.slice(2), undefined);
    return { clock, ledger, progress };
  }

  test('R182: a bundle counts from when something of it is missing, and until all of it is here', () => {
    const { clock, ledger, progress } = ledgerOf();
    ledger.begin(BUNDLE);
    assert.deepEqual(ledger.trees(), []);
    ledger.goesOn(BUNDLE, progress);
    progress.told('4'.padStart(64, '0'), { doneBytes: 5, sizeBytes: 10, from: [A] });
    ledger.brought(BUNDLE, A, 5);
    ledger.received(A, 5);
    ledger.received(B, 7);
    const from = [{ peer: A, bytesPerSecond: 5 }];
    const sums = { sizeBytes: 50, doneBytes: 25, files: 5, doneFiles: 2, from, awaited: [] };
    assert.deepEqual(ledger.trees(), [{ bundle: BUNDLE, ...sums }]);
    assert.deepEqual(ledger.flows(), [{ peer: B, bytesPerSecond: 7 }, ...from]);
    progress.doneFiles = 5;
    ledger.end(BUNDLE);
    clock.advance(1);
    assert.deepEqual(ledger.trees(), []);
  });

  test('R182: why nothing comes is told until something does, or for a while', () => {
    const { clock, ledger, progress } = ledgerOf();
    const lacks = () => ledger.trees().map(({ lack, awaited }) => [lack, awaited.join()]);
    ledger.begin(BUNDLE);
    ledger.end(BUNDLE, new BlobUnreachableError(BUNDLE, [A, B], 'no machine that holds it answers'));
    assert.deepEqual(lacks(), [['unreachable', `${A},${B}`]]);
    clock.advance(10_000);
    ledger.begin(BUNDLE);
    assert.deepEqual(
      lacks(),
      [['unreachable', `${A},${B}`]],
      'it is looked for again, with no better luck so far',
    );
    ledger.goesOn(BUNDLE, progress);
    ledger.brought(BUNDLE, A, 5);
    assert.deepEqual(lacks(), [[undefined, `${A},${B}`]]);
    ledger.end(BUNDLE, new StoreFullError(1, 0, 'The disk is full.'));
    // A part that was on its way comes after the end.
    ledger.brought(BUNDLE, A, 5);
    assert.deepEqual(lacks(), [['no-room', '']]);
    clock.advance(39_999);
    assert.equal(lacks().length, 1);
    clock.advance(1);
    assert.deepEqual(lacks(), []);
  });

  test('R182: what nobody waits for any more is no lack, and one who gives up takes nothing from another', () => {
    const { ledger, progress } = ledgerOf();
    ledger.begin(BUNDLE);
    ledger.begin(BUNDLE);
    ledger.goesOn(BUNDLE, progress);
    ledger.end(BUNDLE, new Error('Given up.'), true);
    assert.deepEqual(
      ledger.trees().map(({ lack }) => lack),
      [undefined],
    );
    ledger.end(BUNDLE, new Error('Given up.'), true);
    assert.deepEqual(ledger.trees(), []);
    ledger.begin(BUNDLE);
    ledger.end(BUNDLE, new Error('It broke.'));
    assert.deepEqual(
      ledger.trees().map(({ lack, sizeBytes }) => [lack, sizeBytes]),
      [['failed', 0]],
    );
  });
});
