import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskResult } from '@cuadro/protocol';
import { type CollectedTask, CollectionNotes } from '../../../node/src/jobs/notes.ts';

const PEER = '12D3KooWAaaaaaaaaaaa';
const blob = (kind: string): string => kind.repeat(64);

function resultOf(sequence: number, files: Record<string, string>): TaskResult {
  return {
    attempt: { epoch: { term: 1, peer: PEER }, sequence },
    peer: PEER,
    state: 'rendered',
    files: Object.entries(files).map(([name, hash]) => ({ name, blob: hash, sizeBytes: 1, role: 'image' })),
    holders: {},
    renderMs: 1,
    wallTime: 1,
  };
}

const attempt = (sequence: number): string => `1.${sequence}.${PEER}`;
/** Notes as they are held beside a store, to which each goes first. */
function notesInStore() {
  const stored = new Map<number, string>();
  const read = async (index: number): Promise<unknown> => {
    const text = stored.get(index);
    return text === undefined ? undefined : JSON.parse(text);
  };
  const notes = new CollectionNotes({ stored: read });
  const add = (index: number, text: string): void => {
    stored.set(index, text);
    notes.add(index, text);
  };
  return {
    notes,
    stored,
    add,
    set: (index: number, note: CollectedTask) => add(index, JSON.stringify(note)),
  };
}

const counts = ({ collected, keptForeign }: CollectionNotes): number[] => [collected, keptForeign];

describe('notes of what was collected', () => {
  for (const name of [
    'frame_0001.png',
    'peña_0001.png',
    'a"b\\c.png',
    '7',
    '__proto__',
    'b/1.2/c.png',
    '東京.png',
  ]) {
    it(`tell a collected file named ${name} from another, of another attempt or content`, async () => {
      const { notes, add } = notesInStore();
      const note = { attempt: attempt(1), files: Object.fromEntries([[name, blob('a')]]), kept: [] };
      add(3, JSON.stringify(note));
      assert.deepEqual(await notes.get(3), note);
      assert.deepEqual([notes.has(3), notes.has(4), [...notes.indices()]], [true, false, [3]]);
      assert.deepEqual(counts(notes), [1, 0]);
      const files = (hash: string): Record<string, string> => Object.fromEntries([[name, hash]]);
      assert.equal(notes.isCollected(3, resultOf(1, files(blob('a')))), true);
      assert.equal(notes.isCollected(3, resultOf(2, files(blob('a')))), false);
      assert.equal(notes.isCollected(3, resultOf(1, files(blob('b')))), false);
      assert.equal(notes.isCollected(4, resultOf(1, files(blob('a')))), false);
    });
  }

  it('keep attempts of several machines and of any number apart', async () => {
    const { notes, set } = notesInStore();
    const attempts = [
      attempt(1),
      '01.1.12D3KooWAaaaaaaaaaaa',
      '1.1.12D3KooWBbbbbbbbbbbb',
      `${'9'.repeat(2_000)}.1.a`,
    ];
    for (const [index, of] of attempts.entries())
      set(index, { attempt: of, files: { 'a.png': blob('a') }, kept: [] });
    const held = await Promise.all(attempts.map((_, index) => notes.get(index)));
    assert.deepEqual(
      held.map((note) => note?.attempt),
      attempts,
    );
    const result = resultOf(1, { 'a.png': blob('a') });
    assert.deepEqual(
      attempts.map((_, index) => notes.isCollected(index, result)),
      [true, false, false, false],
    );
    assert.deepEqual(counts(notes), [4, 0]);
  });

  it('are none where the disk gave back what is no JSON, however plain it looks', async () => {
    const { notes, add } = notesInStore();
    add(7, '{"attempt":"\u0011","files":{"a":"b"},"kept":[]}');
    assert.equal(await notes.get(7), undefined);
    assert.deepEqual([notes.has(7), [...notes.indices()]], [false, []]);
    assert.deepEqual(counts(notes), [0, 0]);
  });

  it('count files of others that were kept, and never as ours', async () => {
    const { notes, set } = notesInStore();
    const files = { 'a.png': blob('a'), 'b.png': `kept:${blob('b')}` };
    set(0, { attempt: attempt(1), files, kept: ['b.png'] });
    assert.deepEqual(counts(notes), [1, 1]);
    assert.deepEqual(notes.keptOf(0), ['b.png']);
    assert.deepEqual((await notes.get(0))?.files, files);
    assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a'), 'b.png': blob('b') })), true);
    set(0, { attempt: attempt(2), files: { 'a.png': blob('c') }, kept: [] });
    assert.deepEqual(counts(notes), [1, 0]);
    assert.deepEqual([notes.keptOf(0), [...notes.indices()]], [[], [0]]);
    assert.equal(notes.isCollected(0, resultOf(2, { 'a.png': blob('c') })), true);
  });

  it('know those of the first version, which named no attempt, as not looked at', async () => {
    const { notes, add } = notesInStore();
    add(0, JSON.stringify({ files: { 'a.png': blob('a') }, kept: [] }));
    assert.deepEqual(counts(notes), [1, 0]);
    assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a') })), false);
    assert.equal((await notes.get(0))?.files['a.png'], blob('a'));
  });

  it('keep all of many apart, each by its index, and know which have a note', () => {
    const { notes, set } = notesInStore();
    const indices = [0, 1, 1_023, 1_024, 5_000, 4_294_967_295];
    const files = (index: number): Record<string, string> => ({ [`frame_${index}.png`]: blob('a') });
    for (const index of indices) set(index, { attempt: attempt(index + 1), files: files(index), kept: [] });
    assert.deepEqual(new Set(notes.indices()), new Set(indices));
    for (const index of indices)
      assert.deepEqual(
        indices.map((other) => notes.isCollected(index, resultOf(other + 1, files(other)))),
        indices.map((other) => other === index),
      );
    assert.equal(notes.isCollected(0, resultOf(1, { ...files(0), 'b.png': blob('b') })), false);
    assert.deepEqual(counts(notes), [indices.length, 0]);
    notes.add(1_024, '');
    assert.deepEqual([notes.has(1_023), notes.has(1_024), counts(notes)], [true, false, [5, 0]]);
  });

  it('say nothing of one that was damaged in the store since, but that its files were looked at', async () => {
    const { notes, stored, set } = notesInStore();
    set(0, { attempt: attempt(1), files: { 'a.png': blob('a') }, kept: [] });
    stored.delete(0);
    assert.equal(await notes.get(0), undefined);
    assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a') })), true);
  });

  for (const text of ['', '{', 'null', '7', '{"files":null,"kept":[]}', '{"files":{}}', '{"attempt":"1"}']) {
    it(`take ${JSON.stringify(text)} for none`, async () => {
      const { notes, add, set } = notesInStore();
      set(0, { attempt: attempt(1), files: { 'a.png': blob('a') }, kept: [] });
      add(0, text);
      assert.equal(await notes.get(0), undefined);
      assert.deepEqual(counts(notes), [0, 0]);
      assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a') })), false);
    });
  }
});
