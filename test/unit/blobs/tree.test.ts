import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { collectFile } from '../../../node/src/blobs/collect.ts';
import { DestinationExistsError } from '../../../node/src/blobs/errors.ts';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { removeTree, restoreTree, storeTree, treeHash } from '../../../node/src/blobs/tree.ts';
import { unsafeTreePath } from '../../../node/src/blobs/tree-path.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { disguised } from '../disguised.ts';
import { contentOf, newStore, temporaryFolder } from './helpers.ts';

/** A store on a system, as Windows and macOS are, where `a.png` and `A.PNG` are one file. */
function foldingCase(blobs: BlobStore): BlobStore {
  const written = new Map<string, { path: string; whole: Promise<void> }>();
  const known = (path: string) => written.get(path.toLowerCase());
  const materialize: BlobStore['materialize'] = async (hash, path, options) => {
    const other = known(path);
    if (other !== undefined) {
      await other.whole;
      if (options?.existing === 'refuse') throw new DestinationExistsError(path);
    }
    const whole = blobs.materialize(hash, path, options);
    written.set(path.toLowerCase(), { path, whole });
    await whole;
  };
  const hashFile: BlobStore['hashFile'] = (path, options) =>
    blobs.hashFile(known(path)?.path ?? path, options);
  return new Proxy(blobs, {
    get: (target, name) => ({ materialize, hashFile })[String(name)] ?? Reflect.get(target, name),
  });
}

describe('paths of a tree', () => {
  const refused = [
    '',
    '/etc/passwd',
    '../up',
    'a/../b',
    'a//b',
    './a',
    'a/.',
    'a/',
    'a\0b',
    'a\\b',
    'C:/x',
    'c:x',
    'CON',
    'aux.png',
    'textures/nul',
    'Com1.txt',
    'lpt¹',
    'CONIN$',
    '.cuadro-tree',
    'sub/.Cuadro-Tree',
    'x'.repeat(256),
    `${'abcdefgh/'.repeat(120)}x`,
    'a\ud800',
  ];
  for (const path of refused) {
    it(`refuses ${JSON.stringify(path.slice(0, 30))}`, () =>
      assert.notEqual(unsafeTreePath(path), undefined));
  }
  const taken = [
    'a',
    'scene.blend',
    'textures/wood 1.png',
    'Ünïcode/雪.exr',
    '...',
    'a..b/..c',
    'console.txt',
    'com10',
    '~',
    '-rf',
    'ab:c.png',
    '.hidden/x',
  ];
  for (const path of taken) it(`takes ${path}`, () => assert.equal(unsafeTreePath(path), undefined));

  it('never lets a path leave the folder', () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b', '/', '\\', 'C:', '\0', '../', '...');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.constantFrom('/', ''), (parts, separator) => {
        const path = parts.join(separator);
        if (unsafeTreePath(path) === undefined) assert.ok(join('/root', path).startsWith('/root/'));
      }),
    );
  });
});

describe('trees and collected files', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let blobs: BlobStore;
  const random = createSystemRandom();
  before(async () => {
    folder = temporaryFolder();
    blobs = newStore(join(folder.path, 'data'));
    await blobs.start();
  });
  after(async () => {
    await blobs.stop();
    await removeTree(join(folder.path, 'trees'));
    await folder.remove();
  });

  const content: Record<string, Buffer> = {
    'scene.blend': contentOf(1, 700_000),
    'textures/wood.png': contentOf(2, 5_000),
    'textures/deep/er/雪.exr': contentOf(3, 1_200_000),
    'sound/empty.wav': Buffer.alloc(0),
  };
  const storeAll = () => {
    const files = Object.entries(content).map(([path, bytes], index) => {
      const source = join(folder.path, `source-${index}`);
      writeFileSync(source, bytes);
      return { path, source };
    });
    return storeTree({ blobs }, files, { pin: 'job' });
  };

  it('comes back as it was, read-only, and is reused when whole', async () => {
    const entries = await storeAll();
    assert.equal(treeHash(entries), treeHash([...entries].reverse()), 'order does not change its name');
    const destination = join(folder.path, 'trees', 'one');
    assert.equal(await restoreTree({ blobs, random }, entries, destination), 'restored');
    const checkAll = () => {
      for (const [path, bytes] of Object.entries(content)) {
        assert.deepEqual(readFileSync(join(destination, path)), bytes);
        assert.equal(statSync(join(destination, path)).mode & 0o222, 0);
      }
    };
    checkAll();
    assert.equal(statSync(join(destination, 'textures')).mode & 0o222, 0);
    assert.equal(await restoreTree({ blobs, random }, entries, destination), 'reused');
    // Damage of the same length is found after a restart of the system, damage of another length at once.
    const texture = join(destination, 'textures/wood.png');
    chmodSync(texture, 0o644);
    writeFileSync(texture, contentOf(9, 5_000));
    assert.equal(await restoreTree({ blobs, random }, entries, destination, { bootId: 'later' }), 'restored');
    checkAll();
    chmodSync(texture, 0o644);
    writeFileSync(texture, 'short');
    assert.equal(await restoreTree({ blobs, random }, entries, destination, { bootId: 'later' }), 'restored');
    checkAll();
    assert.equal(
      await restoreTree({ blobs, random }, entries.slice(1), destination),
      'restored',
      'another tree',
    );
    assert.deepEqual(readdirSync(join(folder.path, 'trees')), ['one']);
  });

  it('leaves the old tree and nothing half-made when a blob is missing or the call aborted', async () => {
    const entries = await storeAll();
    const destination = join(folder.path, 'trees', 'two');
    const absent = { path: 'absent.png', hash: '0'.repeat(64), sizeBytes: 3 };
    await assert.rejects(restoreTree({ blobs, random }, [...entries, absent], destination), {
      code: 'blob-not-found',
    });
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(restoreTree({ blobs, random }, entries, destination, { signal }), /enough/);
    assert.equal(readdirSync(join(folder.path, 'trees')).filter((name) => name.includes('two')).length, 0);
  });

  it('comes back where capitals are not told apart, unless two files would be one', async () => {
    const spellings: Record<string, Buffer> = {
      'Textures/Wood.png': contentOf(4, 5_000),
      'textures/wood.PNG': contentOf(4, 5_000),
    };
    const store = (all: Record<string, Buffer>) => {
      const files = Object.entries(all).map(([path, bytes], index) => {
        const source = join(folder.path, `spelled-${index}`);
        writeFileSync(source, bytes);
        return { path, source };
      });
      return storeTree({ blobs }, files, { pin: 'job' });
    };
    const destination = join(folder.path, 'trees', 'folded');
    const entries = await store(spellings);
    assert.equal(await restoreTree({ blobs: foldingCase(blobs), random }, entries, destination), 'restored');
    const differing = await store({ ...spellings, 'TEXTURES/WOOD.PNG': contentOf(5, 5_000) });
    const refused = restoreTree({ blobs: foldingCase(blobs), random }, differing, destination);
    await assert.rejects(refused, { code: 'destination-exists' });
  });

  it('refuses unsafe, repeated and contradicting paths before touching anything', async () => {
    const entry = (path: string) => ({ path, hash: '0'.repeat(64), sizeBytes: 0 });
    const destination = join(folder.path, 'trees', 'three');
    for (const paths of [['../x'], ['a', 'a'], ['a', 'a/b'], ['/etc/passwd']]) {
      await assert.rejects(restoreTree({ blobs, random }, paths.map(entry), destination), {
        code: 'tree-path-unsafe',
      });
      const files = paths.map((path) => ({ path, source: '/dev/null' }));
      await assert.rejects(storeTree({ blobs }, files), { code: 'tree-path-unsafe' });
    }
    assert.equal(existsSync(destination), false);
  });

  it('collects frames beside foreign files, and says what it did', async () => {
    const output = join(folder.path, 'output');
    mkdirSync(output);
    const first = await blobs.putBytes(contentOf(20, 400_000));
    const second = await blobs.putBytes(contentOf(21, 1_000));
    const path = join(output, 'frame.png');
    const ours = new Set([first.hash]);
    assert.equal(await collectFile({ blobs }, first.hash, path), 'written');
    assert.equal(await collectFile({ blobs }, first.hash, path), 'already-there');
    assert.equal(await collectFile({ blobs }, second.hash, path), 'kept-foreign', 'not known to be ours');
    assert.equal(await collectFile({ blobs }, second.hash, path, { ours }), 'replaced', 'a redo');
    writeFileSync(path, 'painted over by hand');
    assert.equal(
      await collectFile({ blobs }, first.hash, path, { ours: new Set([second.hash]) }),
      'kept-foreign',
    );
    assert.equal(readFileSync(path, 'utf8'), 'painted over by hand');
    assert.equal(await collectFile({ blobs }, first.hash, path, { overwrite: true }), 'replaced');
    assert.deepEqual(readFileSync(path), contentOf(20, 400_000));
    const linked = join(output, 'link.png');
    symlinkSync('/nowhere', linked);
    assert.equal(await collectFile({ blobs }, first.hash, linked), 'kept-foreign');
    mkdirSync(join(output, 'folder.png'));
    assert.equal(await collectFile({ blobs }, first.hash, join(output, 'folder.png')), 'kept-foreign');
    await assert.rejects(
      collectFile({ blobs }, first.hash, join(output, 'folder.png'), { overwrite: true }),
      {
        code: 'destination-unwritable',
      },
    );
    await assert.rejects(collectFile({ blobs }, first.hash, join(output, 'no', 'x.png')), {
      code: 'destination-unwritable',
    });
    assert.deepEqual(readdirSync(output).sort(), ['folder.png', 'frame.png', 'link.png']);
  });

  it('keeps a foreign file that comes to stand there in the last moment', async () => {
    const output = join(folder.path, 'last-moment');
    mkdirSync(output);
    const content = contentOf(22, 1_000);
    const { hash } = await blobs.putBytes(content);
    for (const [name, theirs, outcome] of [
      ['other.png', Buffer.from('painted by hand'), 'kept-foreign'],
      ['same.png', content, 'already-there'],
    ] as const) {
      const path = join(output, name);
      const late = disguised(blobs, {
        materialize: async (...call) => {
          writeFileSync(path, theirs);
          await blobs.materialize(...call);
        },
      });
      assert.equal(await collectFile({ blobs: late }, hash, path), outcome);
      assert.deepEqual(readFileSync(path), Buffer.from(theirs));
    }
  });
});
