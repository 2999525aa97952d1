import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskResult } from '@cuadro/protocol';
import { CollectionNotes } from '../../../node/src/jobs/notes.ts';

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
    it(`tell a collected file named ${name} from another, of another attempt or content`, () => {
      const notes = new CollectionNotes();
      const note = { attempt: attempt(1), files: Object.fromEntries([[name, blob('a')]]), kept: [] };
      notes.add(3, JSON.stringify(note));
      assert.deepEqual(notes.get(3), note);
      assert.deepEqual(counts(notes), [1, 0]);
      const files = (hash: string): Record<string, string> => Object.fromEntries([[name, hash]]);
      assert.equal(notes.isCollected(3, resultOf(1, files(blob('a')))), true);
      assert.equal(notes.isCollected(3, resultOf(2, files(blob('a')))), false);
      assert.equal(notes.isCollected(3, resultOf(1, files(blob('b')))), false);
      assert.equal(notes.isCollected(4, resultOf(1, files(blob('a')))), false);
    });
  }

  it('keep attempts of several machines and of any number apart', () => {
    const notes = new CollectionNotes();
    const attempts = [
      attempt(1),
      '01.1.12D3KooWAaaaaaaaaaaa',
      '1.1.12D3KooWBbbbbbbbbbbb',
      `${'9'.repeat(2_000)}.1.a`,
    ];
    for (const [index, of] of attempts.entries())
      notes.add(index, JSON.stringify({ attempt: of, files: { 'a.png': blob('a') }, kept: [] }));
    assert.deepEqual(
      attempts.map((_, index) => notes.get(index)?.attempt),
      attempts,
    );
    const result = resultOf(1, { 'a.png': blob('a') });
    assert.deepEqual(
      attempts.map((_, index) => notes.isCollected(index, result)),
      [true, false, false, false],
    );
    assert.deepEqual(counts(notes), [4, 0]);
  });

  it('are none where the disk gave back what is no JSON, however plain it looks', () => {
    const notes = new CollectionNotes();
    notes.add(7, '{"attempt":"\u0011","files":{"a":"b"},"kept":[]}');
    assert.equal(notes.get(7), undefined);
    assert.deepEqual([...notes.all()], []);
    assert.deepEqual(counts(notes), [0, 0]);
  });

  it('count files of others that were kept, and never as ours', () => {
    const notes = new CollectionNotes();
    const files = { 'a.png': blob('a'), 'b.png': `kept:${blob('b')}` };
    notes.set(0, { attempt: attempt(1), files, kept: ['b.png'] });
    assert.deepEqual(counts(notes), [1, 1]);
    assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a'), 'b.png': blob('b') })), true);
    notes.set(0, { attempt: attempt(2), files: { 'a.png': blob('c') }, kept: [] });
    assert.deepEqual(counts(notes), [1, 0]);
    assert.equal(notes.isCollected(0, resultOf(2, { 'a.png': blob('c') })), true);
  });

  it('know those of the first version, which named no attempt, as not looked at', () => {
    const notes = new CollectionNotes();
    notes.add(0, JSON.stringify({ files: { 'a.png': blob('a') }, kept: [] }));
    assert.deepEqual(counts(notes), [1, 0]);
    assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a') })), false);
    assert.equal(notes.get(0)?.files['a.png'], blob('a'));
  });

  for (const text of ['', '{', 'null', '7', '{"files":null,"kept":[]}', '{"files":{}}', '{"attempt":"1"}']) {
    it(`take ${JSON.stringify(text)} for none`, () => {
      const notes = new CollectionNotes();
      notes.set(0, { attempt: attempt(1), files: { 'a.png': blob('a') }, kept: [] });
      notes.add(0, text);
      assert.equal(notes.get(0), undefined);
      assert.deepEqual(counts(notes), [0, 0]);
      assert.equal(notes.isCollected(0, resultOf(1, { 'a.png': blob('a') })), false);
    });
  }
});
