import assert from 'node:assert/strict';
import { it } from 'node:test';
import { mergeRecords, recordKey, type DiaryRecord, type KnownRecord } from '@cuadro/protocol';
import { createDiary } from '../../../node/src/diary/diary.ts';
import { createNight } from '../../../node/src/diary/night.ts';
import { createMemoryStore, emptyDisk } from '../../../node/src/store/memory-store.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { farmView, nodeView } from '../api/fakes.ts';
import { farmWithLiar, silent } from '../transfer/machines.ts';

it('R56, R138: in the morning the night names who served a wrong piece, also after a restart', async (test) => {
  const { here, liar, honest, hash } = await farmWithLiar(test, Buffer.from('a frame'));

  const clock = new ManualClock({ wallTimeMs: 1_700_000_000_000 });
  const records = new Map<string, DiaryRecord>();
  const queries = {
    self: here.peer,
    isCoordinator: false,
    farm: () => farmView,
    nodes: () => [here, liar, honest].map(({ peer, name }) => ({ ...nodeView(), peer, name })),
    nodeRecord: () => undefined,
    diaryRecords: () => [...records.values()],
  };
  const store = createMemoryStore(emptyDisk());
  await store.start();
  /** The diary of one run of the node. */
  const run = async (misfits: Parameters<typeof createDiary>[0]['misfits']) => {
    const diary = createDiary({
      ...{ clock, logger: silent, store, queries, misfits },
      merge: async (own: KnownRecord[]) => {
        for (const record of own as DiaryRecord[]) {
          const known = records.get(recordKey(record));
          records.set(recordKey(record), known === undefined ? record : mergeRecords(known, record));
        }
      },
      confirm: async () => undefined,
      heldAlone: () => undefined,
    });
    await diary.start();
    return diary;
  };
  const first = await run(() => here.transfer.status().liars);
  await here.transfer.fetch(hash, { holders: () => [liar.peer] });
  await clock.advanceSettled(4_000);
  await first.stop();
  const second = await run(() => ({}));
  await clock.advanceSettled(60_000);
  await second.stop();

  const none = { jobs: () => [], taskRecord: () => undefined, plannedTask: () => undefined };
  const night = createNight({ clock, queries: { ...queries, ...none, memberRecords: () => [] } });
  const { events } = await night.read(12);
  assert.deepEqual(
    events.flatMap(({ kind, sentence }) => (kind === 'misfit' ? [sentence] : [])),
    [
      `liar sent here a wrong piece of the file ${hash.slice(0, 12)}. It was dropped, and liar was not asked for a while.`,
    ],
  );
});
