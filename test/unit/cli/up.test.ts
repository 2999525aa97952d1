import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { DoorView } from '@cuadro/protocol';
import { createPlaceTeller, type PlaceTeller } from '../../../node/src/cli/commands/up.ts';
import { doorView } from '../api/door.ts';

let lines: string[];
let place: PlaceTeller;
beforeEach(() => {
  lines = [];
  place = createPlaceTeller((text) => lines.push(text));
});

const [here, other] = doorView().members as [DoorView['members'][0], DoorView['members'][0]];
const farmOf = (...names: string[]): DoorView =>
  doorView({ members: [here, ...names.map((name) => ({ ...other, name }))] });

describe('the terminal of a node says in which farm it is', () => {
  test('once it runs, and again when that has changed', () => {
    place.tell(farmOf());
    assert.deepEqual(lines, [], 'nothing stands above the line with the address');
    place.begin();
    place.tell(farmOf());
    place.tell(farmOf('attic'));
    place.tell(doorView({ ...farmOf('attic'), newcomers: [] }));
    assert.deepEqual(lines, [
      'This machine is the only one of farm so far.',
      'This machine is in farm with attic.',
    ]);
  });

  test('a large farm stays one line', () => {
    place.begin();
    place.tell(farmOf('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'));
    assert.deepEqual(lines, ['This machine is in farm with a, b, c, d, e, f and 2 more.']);
  });

  test('a machine that waits shows its three words', () => {
    const asked = { farm: { id: 'gggggggggggggggg', name: 'attic' }, machine: 'tower' };
    const message = 'It waits.';
    place.begin();
    place.tell(doorView({ state: 'looking', message: 'It looks.' }));
    place.tell(
      doorView({
        state: 'waiting',
        message,
        asked: [{ ...asked, words: 'river nut ladder', state: 'waiting' }],
      }),
    );
    place.tell(
      doorView({
        state: 'waiting',
        message: 'Refused.',
        asked: [{ ...asked, words: 'x', state: 'refused' }],
      }),
    );
    assert.deepEqual(lines, ['It waits. They are: river nut ladder', 'Refused.']);
  });

  test('names from the network cannot steer it, and an ending node says nothing more', () => {
    place.begin();
    place.tell(farmOf('a\u001b[2J\nb'));
    place.end();
    place.tell(farmOf());
    assert.equal(lines.length, 1);
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(lines[0] ?? '', /[\u0000-\u001f]/);
  });
});
