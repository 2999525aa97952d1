import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  diaryEntries,
  diaryPlace,
  DIARY_PAGE_ENTRIES,
  DIARY_PAGES,
  mergeRecords,
  recordKey,
  type DiaryEvent,
  type DiaryRecord,
  type KnownRecord,
  type NodeRecord,
  type NodeView,
} from '@cuadro/protocol';
import { createDiary } from '../../../node/src/diary/diary.ts';
import type { Diary } from '../../../node/src/diary/interface.ts';
import type { Misfits } from '../../../node/src/diary/misfits.ts';
import { createMemoryStore, emptyDisk, type MemoryDisk } from '../../../node/src/store/memory-store.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { farmView, nodeView, SELF } from '../api/fakes.ts';

const OTHER = '12D3KooWXxxxxxxxxxxx';
const MINUTE_MS = 60_000;
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** A machine with a diary, of which the tests set what its brain would say. */
class House {
  readonly clock: ManualClock;
  readonly disk: MemoryDisk;
  readonly records: Map<string, DiaryRecord>;
  nodes: NodeView[] = [nodeView()];
  record: NodeRecord | undefined;
  leads = false;
  alone: { results: number } | undefined = { results: 0 };
  misfits: Misfits = {};
  confirmed: KnownRecord[] = [];
  diary!: Diary;

  /** With another house, what is left of it when its process has ended. */
  constructor(from?: House) {
    this.clock = from?.clock ?? new ManualClock({ wallTimeMs: 0 });
    this.disk = from?.disk ?? emptyDisk();
    this.records = from?.records ?? new Map();
  }

  async start(): Promise<this> {
    const store = createMemoryStore(this.disk);
    await store.start();
    const leads = (): boolean => this.leads;
    const queries = {
      self: SELF,
      get isCoordinator() {
        return leads();
      },
      farm: () => farmView,
      nodes: () => this.nodes,
      nodeRecord: () => this.record,
      diaryRecords: () => [...this.records.values()],
    };
    this.diary = createDiary({
      clock: this.clock,
      logger: silent,
      store,
      queries,
      merge: async (records) => this.put(records),
      confirm: async (records) => void this.confirmed.push(...records),
      heldAlone: () => this.alone,
      misfits: () => this.misfits,
    });
    await this.diary.start();
    return this;
  }

  put(records: readonly KnownRecord[]): void {
    for (const record of records) {
      if (record.kind !== 'diary') continue;
      const known = this.records.get(recordKey(record));
      this.records.set(recordKey(record), known === undefined ? record : mergeRecords(known, record));
    }
    this.diary?.changed({ nodes: [], diary: true });
  }

  get entries(): { at: number; event: DiaryEvent }[] {
    return diaryEntries(this.records.values())
      .filter(({ peer }) => peer === SELF)
      .map(({ at, event }) => ({ at, event }));
  }

  get kinds(): string[] {
    return this.entries.map(({ event }) => event.kind);
  }

  other(reachable: boolean): void {
    const { live } = nodeView();
    this.nodes = [nodeView(), { ...nodeView(), peer: OTHER, here: false, live: { ...live, reachable } }];
  }
}

describe('the diary of a machine', () => {
  it('R126: a first start, an end in order and a start after it', async () => {
    const house = await new House().start();
    await house.clock.advanceSettled(10 * MINUTE_MS);
    await house.diary.stop();
    assert.deepEqual(house.kinds, ['started', 'ended']);
    assert.equal(house.confirmed.length, 1, 'its last word waits for a second machine');
    await house.clock.advanceSettled(5 * MINUTE_MS);
    const next = await new House(house).start();
    assert.deepEqual(next.entries.at(-1)?.event, {
      kind: 'started',
      after: 'order',
      since: 10 * MINUTE_MS,
    });
  });

  it('R126: a node that went without notice knows to the minute when it was alive last', async () => {
    const house = await new House().start();
    await house.clock.advanceSettled(10.5 * MINUTE_MS);
    // The process is gone: its timers never fire again, and what it knew is on its disk only.
    house.leads = false;
    const at = house.clock.wallTime();
    const next = new House();
    next.disk.local = house.disk.local;
    next.records.clear();
    for (const [key, record] of house.records) next.records.set(key, record);
    await next.clock.advanceSettled(at + 3 * MINUTE_MS);
    await next.start();
    const event = next.entries.at(-1)?.event;
    assert.ok(event?.kind === 'started' && event.after === 'cut');
    assert.ok(
      event.since !== undefined && at - event.since <= MINUTE_MS && event.since <= at,
      `${event.since}`,
    );
  });

  it('R126: what keeps it from work is told once it has lasted, with its begin', async () => {
    const house = await new House().start();
    house.diary.worker({ accepting: true });
    await house.clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(house.kinds, ['started']);
    house.diary.worker({ accepting: false, idleReason: 'Full.', idleKind: 'disk' });
    await house.clock.advanceSettled(1_000);
    house.diary.worker({ accepting: true });
    await house.clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(house.kinds, ['started'], 'a moment is no news');
    house.diary.worker({ accepting: false, idleReason: 'Full.', idleKind: 'disk' });
    const fullAt = house.clock.wallTime();
    await house.clock.advanceSettled(MINUTE_MS);
    house.diary.worker({ accepting: true });
    await house.clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(house.entries.slice(1), [
      { at: fullAt, event: { kind: 'rests', why: 'disk', sentence: 'Full.' } },
      { at: fullAt + MINUTE_MS, event: { kind: 'works' } },
    ]);
  });

  it("R37, R126: the owner's wish goes before all others, and counts from the machine itself only", async () => {
    const house = await new House().start();
    house.diary.worker({ accepting: true });
    const wish = (peer: string) => {
      const field = { value: 'paused' as const, counter: 1, peer, signature: new Uint8Array(64) };
      house.record = { kind: 'node', peer: SELF, fields: { ownerDesired: field } };
      house.diary.changed({ nodes: [SELF] });
    };
    wish(OTHER);
    await house.clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(house.kinds, ['started']);
    wish(SELF);
    await house.clock.advanceSettled(MINUTE_MS);
    const event = house.entries.at(-1)?.event;
    assert.ok(event?.kind === 'rests' && event.why === 'owner');
  });

  it('R126: the coordinator writes whom it lost for longer than a moment, and that it is back', async () => {
    const house = await new House().start();
    house.leads = true;
    house.other(true);
    await house.clock.advanceSettled(MINUTE_MS);
    house.other(false);
    await house.clock.advanceSettled(6_000);
    house.other(true);
    await house.clock.advanceSettled(MINUTE_MS);
    assert.equal(house.kinds.filter((kind) => kind === 'lost').length, 0, 'a moment is no news');
    house.other(false);
    await house.clock.advanceSettled(5 * MINUTE_MS);
    house.other(true);
    await house.clock.advanceSettled(MINUTE_MS);
    const about = house.kinds.filter((kind) => kind === 'lost' || kind === 'back');
    assert.deepEqual(about, ['lost', 'back']);
  });

  it('R126: an absence that another coordinator wrote down is not written again, whatever its clock shows', async () => {
    const house = await new House().start();
    const ahead = house.clock.wallTime() + 600 * MINUTE_MS;
    const event = { kind: 'lost', machine: SELF };
    const entries = { 0: { sequence: 1, wallTime: ahead, event: { ...event, machine: OTHER } } };
    house.put([{ kind: 'diary', peer: '12D3KooWPpppppppppppp', page: 0, entries }]);
    house.leads = true;
    house.other(false);
    await house.clock.advanceSettled(5 * MINUTE_MS);
    assert.ok(!house.kinds.includes('lost'));
    house.other(true);
    await house.clock.advanceSettled(5 * MINUTE_MS);
    const back = house.entries.filter((entry) => entry.event.kind === 'back');
    assert.equal(back.length, 1, 'once, though its clock is behind');
    assert.ok((back[0]?.at ?? 0) > ahead, 'and after the word that it answers');
  });

  it('R126: results that were held alone for a while are told once they are safe', async () => {
    const house = await new House().start();
    house.alone = { results: 3 };
    await house.clock.advanceSettled(4_000);
    house.alone = { results: 0 };
    await house.clock.advanceSettled(MINUTE_MS);
    assert.ok(!house.kinds.includes('copied'), 'the usual second copy is no news');
    house.alone = { results: 3 };
    await house.clock.advanceSettled(MINUTE_MS);
    house.alone = undefined;
    await house.clock.advanceSettled(MINUTE_MS);
    house.alone = { results: 0 };
    await house.clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(house.entries.at(-1)?.event, { kind: 'copied', results: 3 });
  });

  it('R138: who sent a wrong piece is told at once, then once an hour, and before an order to end', async () => {
    const house = await new House().start();
    const [hash, other] = ['a'.repeat(64), 'b'.repeat(64)];
    const misfits = (): object[] =>
      house.entries.flatMap(({ event }) => (event.kind === 'misfit' ? [event] : []));
    const one = { kind: 'misfit', machine: OTHER, hash, count: 1 };
    house.misfits = { [OTHER]: { count: 1, hash } };
    await house.clock.advanceSettled(4_000);
    assert.deepEqual(misfits(), [one]);
    house.misfits = { [OTHER]: { count: 5, hash: other } };
    await house.clock.advanceSettled(50 * MINUTE_MS);
    assert.deepEqual(misfits(), [one], 'a flood fills no diary');
    await house.clock.advanceSettled(11 * MINUTE_MS);
    const four = { ...one, hash: other, count: 4 };
    assert.deepEqual(misfits(), [one, four]);
    house.misfits = { [OTHER]: { count: 7, hash } };
    await house.clock.advanceSettled(MINUTE_MS);
    await house.diary.stop();
    assert.deepEqual(misfits(), [one, four, { ...one, count: 2 }]);
    assert.equal(house.kinds.at(-1), 'ended');
    const next = await new House(house).start();
    await next.clock.advanceSettled(MINUTE_MS);
    assert.equal(
      next.kinds.filter((kind) => kind === 'misfit').length,
      3,
      'known after a restart, and told once',
    );
  });

  it('R125: it stays within its pages, and the newest entries stand', () => {
    const max = DIARY_PAGES * DIARY_PAGE_ENTRIES;
    const house = new House();
    for (let sequence = 1; sequence <= 3 * max + 5; sequence++) {
      const { page, place } = diaryPlace(sequence);
      const entry = { sequence, wallTime: sequence, event: { kind: 'works' } };
      house.put([{ kind: 'diary', peer: SELF, page, entries: { [place]: entry } }]);
    }
    const told = diaryEntries(house.records.values()).map(({ sequence }) => sequence);
    assert.deepEqual(
      told,
      Array.from({ length: max }, (_, at) => 2 * max + 6 + at),
    );
    assert.equal(house.records.size, DIARY_PAGES);
  });

  it('R125: entries of kinds that are not known are kept and not told', () => {
    const later = { sequence: 1, wallTime: 1, event: { kind: 'of-later', more: 1 } };
    const record: DiaryRecord = { kind: 'diary', peer: SELF, page: 0, entries: { 0: later } };
    const merged = mergeRecords(record, { ...record, entries: {} });
    assert.equal(merged, record);
    assert.deepEqual(diaryEntries([record]), []);
  });
});
