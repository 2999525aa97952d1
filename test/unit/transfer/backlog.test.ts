import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backlog } from '../../../node/src/blobs/transfer/backlog.ts';
import { transferLimits } from '../../../node/src/blobs/transfer/limits.ts';

const { storedAtOnce, unstoredBytes } = transferLimits;

const nextTurn = (): Promise<void> => new Promise((next) => setImmediate(next));

async function isOver(waiting: Promise<void>): Promise<boolean> {
  return Promise.race([waiting.then(() => true), nextTurn().then(() => false)]);
}

/** Things that are stored once they are let go, the first first. */
function thingsOf() {
  const storing: PromiseWithResolvers<'unfit' | void>[] = [];
  const store = (): Promise<'unfit' | void> => {
    const stored = Promise.withResolvers<'unfit' | void>();
    storing.push(stored);
    return stored.promise;
  };
  return { storing, store };
}

describe('what is to be stored of one request', () => {
  it('is stored in order, so many at a time', async () => {
    const backlog = new Backlog();
    const { storing, store } = thingsOf();
    for (let i = 0; i < storedAtOnce + 2; i++) await backlog.add(1, store);
    assert.equal(storing.length, storedAtOnce);
    const settled = backlog.settled();
    storing[1]?.resolve();
    await nextTurn();
    assert.equal(storing.length, storedAtOnce + 1);
    for (const { resolve } of storing) resolve();
    assert.equal(await isOver(settled), false, 'the last one has only just begun');
    assert.equal(storing.length, storedAtOnce + 2);
    storing.at(-1)?.resolve();
    assert.equal(await isOver(settled), true);
    assert.equal(backlog.totalBytes, storedAtOnce + 2);
  });

  it('lets no more come once it is too much', async () => {
    const backlog = new Backlog();
    const { storing, store } = thingsOf();
    await backlog.add(unstoredBytes, store);
    const full = backlog.add(1, store);
    assert.equal(await isOver(full), false);
    storing[1]?.resolve();
    assert.equal(await isOver(full), true);
  });

  it('does not count what was not what it should be, and tells what could not be stored', async () => {
    const backlog = new Backlog();
    const { storing, store } = thingsOf();
    for (const bytes of [1, 2, 4]) await backlog.add(bytes, store);
    storing[0]?.resolve('unfit');
    storing[1]?.resolve();
    const settled = backlog.settled();
    await nextTurn();
    storing[2]?.reject(new Error('broken'));
    await assert.rejects(settled, /broken/);
    assert.equal(backlog.totalBytes, 2);
  });
});
