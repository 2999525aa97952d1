import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryStore } from '../../../node/src/store/memory-store.ts';
import { createWatchedStore } from '../../../node/src/store/watched-store.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { disguised } from '../disguised.ts';
import { quiet } from '../jobs/node-of-one.ts';

const NOTHING = { put: [], remove: [] };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A watched store whose disk writes at once, or when it is told to. */
class Disk {
  readonly clock = new ManualClock();
  /** Each change of its state, with the time. */
  readonly changes: string[] = [];
  /** How many notes were written to try it. */
  tries = 0;
  hangs = false;
  fails = false;
  readonly #waiting: (() => void)[] = [];
  readonly store = createWatchedStore(
    { clock: this.clock, logger: quiet },
    disguised(createMemoryStore(), {
      write: () => this.#wait(),
      setLocal: () => {
        this.tries++;
        return this.fails ? Promise.reject(new Error('It is full.')) : this.#wait();
      },
    }),
  );

  constructor() {
    const { disk } = this.store;
    disk.onChange(() => this.changes.push(`${disk.isSlow ? 'slow' : 'well'} at ${this.clock.now() / 1_000}`));
  }

  #wait(): Promise<void> {
    return this.hangs ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  begin(): void {
    this.hangs = true;
    void this.store.write(NOTHING);
  }

  /** Has what was begun first end; what begins later hangs as before. */
  async releaseOldest(): Promise<void> {
    this.#waiting.shift()?.();
    await turn();
  }

  async release(): Promise<void> {
    this.hangs = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
    await turn();
  }

  async seconds(count: number): Promise<void> {
    for (let tenth = 0; tenth < 10 * count; tenth++) {
      this.clock.advance(100);
      await turn();
    }
  }

  /** One write that takes so many seconds. */
  async write(seconds: number): Promise<void> {
    this.begin();
    await this.seconds(seconds);
    await this.release();
  }
}

describe('R149: a disk that is watched', () => {
  it('is well however many writes take a second, and where one takes 9 s', async () => {
    const disk = new Disk();
    for (let i = 0; i < 40; i++) await disk.write(1);
    await disk.write(9);
    await disk.seconds(60);
    assert.deepEqual(disk.changes, []);
    assert.equal(disk.store.disk.says(), undefined);
    assert.equal(disk.tries, 0);
    assert.equal(disk.clock.pendingTimers, 0, 'nothing is looked at while nothing is written');
  });

  it('is slow once the oldest write has taken 10 s, though others began later', async () => {
    const disk = new Disk();
    disk.begin();
    await disk.seconds(6);
    disk.begin();
    await disk.seconds(3.9);
    assert.deepEqual(disk.changes, []);
    await disk.seconds(0.1);
    assert.deepEqual(disk.changes, ['slow at 10']);
    assert.match(disk.store.disk.says() ?? '', /disk took more than 10 s for one write/);
    await disk.seconds(3_600);
    assert.deepEqual(disk.changes, ['slow at 10'], 'for as long as the write takes');
    assert.equal(disk.tries, 0, 'and nothing more is put upon it');
    disk.store.disk.stop();
  });

  it('finds the one that is slow behind others that were not', async () => {
    const disk = new Disk();
    for (let i = 0; i < 4; i++) await disk.write(3);
    disk.begin();
    await disk.seconds(10);
    assert.deepEqual(disk.changes, ['slow at 22']);
    disk.store.disk.stop();
  });

  it('is well again 15 s after the last write that was not quick, by one more that tries it', async () => {
    const disk = new Disk();
    await disk.write(12);
    await disk.seconds(10);
    await disk.write(0.5);
    assert.equal(disk.tries, 0);
    await disk.seconds(4.5);
    assert.equal(disk.tries, 1);
    assert.deepEqual(disk.changes, ['slow at 10', 'well at 27']);
    await disk.seconds(60);
    assert.equal(disk.tries, 1);
    assert.equal(disk.clock.pendingTimers, 0);
    await disk.write(12);
    assert.deepEqual(disk.changes.slice(2), ['slow at 97'], 'it is watched as before');
    disk.store.disk.stop();
  });

  it('does not come and go with a disk that is slow now and then', async () => {
    const disk = new Disk();
    await disk.write(12);
    for (let i = 0; i < 20; i++) {
      await disk.seconds(10);
      await disk.write(2);
    }
    assert.deepEqual(disk.changes, ['slow at 10']);
    await disk.seconds(15);
    assert.deepEqual(disk.changes, ['slow at 10', 'well at 267']);
  });

  it('is not well where the write that tries it takes long, or fails', async () => {
    const disk = new Disk();
    await disk.write(12);
    disk.hangs = true;
    await disk.seconds(20);
    assert.equal(disk.tries, 1);
    await disk.release();
    disk.fails = true;
    await disk.seconds(20);
    assert.equal(disk.tries, 2);
    assert.deepEqual(disk.changes, ['slow at 10']);
    disk.fails = false;
    await disk.seconds(15);
    assert.deepEqual(disk.changes, ['slow at 10', 'well at 62']);
  });

  it('is not well while a write is under way that is not quick, nor where one ended beside the trial', async () => {
    const disk = new Disk();
    await disk.write(12);
    await disk.seconds(13.5);
    await disk.write(4);
    assert.equal(disk.tries, 0, 'that one was under way when the disk would have been tried');
    await disk.seconds(14.5);
    disk.begin();
    await disk.seconds(0.8);
    assert.equal(disk.tries, 1);
    await disk.seconds(0.3);
    await disk.releaseOldest();
    await disk.release();
    assert.deepEqual(disk.changes, ['slow at 10'], 'the trial was quick, and the write beside it was not');
    await disk.seconds(15);
    assert.deepEqual(disk.changes, ['slow at 10', 'well at 60.1']);
  });

  it('watches on what is under way when it is well again', async () => {
    const disk = new Disk();
    await disk.write(12);
    await disk.seconds(14.5);
    disk.begin();
    disk.hangs = false;
    await disk.seconds(12);
    assert.deepEqual(disk.changes, ['slow at 10', 'well at 27', 'slow at 36.5']);
    disk.store.disk.stop();
  });

  it('is not judged by time in which the node itself stood still', async () => {
    const disk = new Disk();
    disk.begin();
    await disk.seconds(3);
    disk.clock.stall(60_000);
    // The timer is heard of before the write that ended long ago.
    disk.clock.advance(0);
    assert.deepEqual(disk.changes, []);
    await disk.release();
    await disk.seconds(60);
    assert.deepEqual(disk.changes, []);
    disk.begin();
    disk.clock.stall(60_000);
    await disk.seconds(9.9);
    assert.deepEqual(disk.changes, []);
    await disk.seconds(0.1);
    assert.deepEqual(disk.changes, ['slow at 193'], 'what hangs on is found all the same');
    disk.store.disk.stop();
  });

  it('says nothing more once its store has stopped', async () => {
    const disk = new Disk();
    await disk.store.start();
    disk.begin();
    await disk.store.stop();
    await disk.seconds(30);
    assert.deepEqual(disk.changes, []);
    assert.equal(disk.clock.pendingTimers, 0);
  });
});
