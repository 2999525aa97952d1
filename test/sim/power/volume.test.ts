import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Dice } from '../dice.ts';
import type { Node } from './nodes.ts';
import { Volume } from './volume.ts';

const SEEDS = 400;
const SECTOR = 512;

/** What stands under a path after each of many cuts of the same history, each kind once. */
function outcomes(history: (volume: Volume) => void, tell: (volume: Volume) => string): Set<string> {
  const told = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const dice = new Dice(BigInt(seed));
    const volume = new Volume();
    volume.makeFolder('/a', true);
    volume.makeFolder('/b', true);
    volume.sync(volume.root);
    history(volume);
    for (let settled = dice.whole(0, 3); settled > 0; settled -= 1) volume.settle(dice);
    volume.cut(dice);
    told.add(tell(volume));
  }
  return told;
}

const text = (volume: Volume, path: string): string =>
  volume.exists(path) ? Buffer.from(volume.fileAt(path).content()).toString('latin1') : 'nothing';

const names = (volume: Volume): string =>
  ['/a', '/b']
    .flatMap((path) => [...volume.folderAt(path).names.keys()].map((name) => `${path}/${name}`))
    .sort()
    .join(' ');

function put(
  volume: Volume,
  path: string,
  content: string,
  synced: { file?: boolean; folder?: boolean },
): Node {
  const node = volume.create(path);
  volume.write(node, 0, Buffer.from(content));
  if (synced.file === true) volume.sync(node);
  if (synced.folder === true) volume.sync(volume.at(path.slice(0, 2)));
  return node;
}

describe('the disk that loses power', () => {
  it('keeps a file whose content and name were synced, and either alone does not do', () => {
    const after = (synced: { file?: boolean; folder?: boolean }): Set<string> =>
      outcomes(
        (volume) => void put(volume, '/a/x', 'whole', synced),
        (volume) => text(volume, '/a/x'),
      );
    assert.deepEqual(after({ file: true, folder: true }), new Set(['whole']));
    assert.deepEqual(after({ file: true }), new Set(['whole', 'nothing']));
    const nameOnly = after({ folder: true });
    assert.ok(nameOnly.has('whole') && nameOnly.has('') && !nameOnly.has('nothing'));
    assert.ok(
      [...nameOnly].some((content) => content !== '' && content !== 'whole'),
      'a part of it, or zeros',
    );
  });

  it('mixes what was synced with what was written since, unit by unit', () => {
    const told = outcomes(
      (volume) => {
        const node = put(volume, '/a/x', 'o'.repeat(4 * SECTOR), { file: true, folder: true });
        if (node.kind === 'file') volume.write(node, 0, Buffer.from('n'.repeat(4 * SECTOR)));
      },
      (volume) =>
        text(volume, '/a/x').replaceAll('o'.repeat(SECTOR), 'o').replaceAll('n'.repeat(SECTOR), 'n'),
    );
    assert.ok(told.has('oooo') && told.has('nnnn'), 'all or nothing');
    assert.ok(
      ['onoo', 'noon', 'nono', 'onno'].some((mixed) => told.has(mixed)),
      'in no order',
    );
    assert.ok(
      [...told].every((units) => /^[on]{4}$/.test(units)),
      'no unit is torn',
    );
  });

  it('appends lose nothing of what was there, and may end anywhere', () => {
    const told = outcomes(
      (volume) => {
        const node = put(volume, '/a/x', 'kept\n', { file: true, folder: true });
        if (node.kind === 'file') volume.write(node, 5, Buffer.from('+line\n'));
      },
      (volume) => text(volume, '/a/x'),
    );
    assert.ok([...told].every((content) => content.startsWith('kept\n')));
    for (const content of ['kept\n', 'kept\n+line\n', 'kept\n+lin']) assert.ok(told.has(content), content);
  });

  it('a rename leaves one of both files under the new name, and never loses the one that was moved', () => {
    const history = (volume: Volume): void => {
      put(volume, '/a/x', 'new', { file: true, folder: true });
      put(volume, '/b/x', 'old', { file: true, folder: true });
      volume.rename('/a/x', '/b/x');
    };
    const tell = (volume: Volume): string => `${text(volume, '/a/x')} ${text(volume, '/b/x')}`;
    assert.deepEqual(outcomes(history, tell), new Set(['new old', 'new new', 'nothing new']));
    const synced = (path: string) => (volume: Volume) => {
      history(volume);
      volume.sync(volume.at(path));
    };
    assert.deepEqual(outcomes(synced('/b'), tell), new Set(['new new', 'nothing new']));
    assert.deepEqual(outcomes(synced('/a'), tell), new Set(['nothing new']), 'the name came before it went');
  });

  it('names come and go in any order, those of one file excepted', () => {
    const told = outcomes((volume) => {
      put(volume, '/a/first', '', {});
      put(volume, '/a/second', '', {});
      volume.unlink('/a/first');
    }, names);
    assert.deepEqual(told, new Set(['', '/a/first', '/a/second', '/a/first /a/second']));
  });

  it('a folder whose name was not synced is lost with its files', () => {
    const history = (volume: Volume): void => {
      volume.makeFolder('/a/in', false);
      volume.sync(volume.create('/a/in/x'));
      volume.sync(volume.at('/a/in'));
    };
    const told = outcomes(history, (volume) => String(volume.exists('/a/in/x')));
    assert.deepEqual(told, new Set(['true', 'false']));
    const synced = (volume: Volume): void => {
      history(volume);
      volume.sync(volume.at('/a'));
    };
    assert.deepEqual(
      outcomes(synced, (volume) => String(volume.exists('/a/in/x'))),
      new Set(['true']),
    );
  });
});
