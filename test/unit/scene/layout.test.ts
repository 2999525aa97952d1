import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SceneReference } from '../../../node/src/render/scene/interface.ts';
import { layoutBundle } from '../../../node/src/render/scene/layout.ts';
import { reference, trace } from './traces.ts';

const relative = (path: string, over: Partial<SceneReference> = {}): SceneReference =>
  reference(path, { relative: true, written: `//x/${path}`, ...over });

interface Case {
  name: string;
  blend?: string;
  references: SceneReference[];
  main: string;
  files: string[];
  remap?: [string, string][];
}

const cases: Case[] = [
  { name: 'a scene alone', references: [], main: 'main.blend', files: ['main.blend'] },
  {
    name: 'a texture below the scene keeps its place',
    references: [relative('/proj/shots/tex/a.png')],
    main: 'main.blend',
    files: ['main.blend', 'tex/a.png'],
  },
  {
    name: 'a texture beside the scene moves the root up',
    references: [relative('/proj/tex/a.png')],
    main: 'shots/main.blend',
    files: ['shots/main.blend', 'tex/a.png'],
  },
  {
    name: 'a library in another folder brings what it names relatively, even above itself',
    references: [
      relative('/proj/assets/props/lib.blend', { kind: 'library' }),
      relative('/assets/tex.png', { owner: '/proj/assets/props/lib.blend' }),
    ],
    main: 'proj/shots/main.blend',
    files: ['assets/tex.png', 'proj/assets/props/lib.blend', 'proj/shots/main.blend'],
  },
  {
    name: 'an absolute texture inside the tree keeps its place and is rewritten',
    references: [relative('/proj/tex/a.png'), reference('/proj/tex/b.png')],
    main: 'shots/main.blend',
    files: ['shots/main.blend', 'tex/a.png', 'tex/b.png'],
    remap: [['/proj/tex/b.png', 'tex/b.png']],
  },
  {
    name: 'two outside textures of one name in folders of one name',
    references: [reference('/a/maps/t.png'), reference('/b/maps/t.png'), reference('/b/maps/u.png')],
    main: 'main.blend',
    files: ['_outside/maps-2/t.png', '_outside/maps-2/u.png', '_outside/maps/t.png', 'main.blend'],
    remap: [
      ['/a/maps/t.png', '_outside/maps/t.png'],
      ['/b/maps/t.png', '_outside/maps-2/t.png'],
      ['/b/maps/u.png', '_outside/maps-2/u.png'],
    ],
  },
  {
    name: 'an outside library keeps the places of what it names relatively, and its absolute paths are rewritten too',
    references: [
      reference('/lib/props/door.blend', { kind: 'library' }),
      relative('/lib/maps/door.png', { owner: '/lib/props/door.blend' }),
      reference('/else/knob.png', { owner: '/lib/props/door.blend' }),
    ],
    main: 'main.blend',
    files: [
      '_outside/else/knob.png',
      '_outside/lib/maps/door.png',
      '_outside/lib/props/door.blend',
      'main.blend',
    ],
    remap: [
      ['/else/knob.png', '_outside/else/knob.png'],
      ['/lib/props/door.blend', '_outside/lib/props/door.blend'],
    ],
  },
  {
    name: 'a pattern of tiles and a sequence outside are rewritten as one path each',
    references: [
      reference('/t/skin.<UDIM>.png', { span: 'tiles', found: ['/t/skin.1001.png', '/t/skin.1002.png'] }),
      reference('/s/f_0001.png', { span: 'sequence', found: ['/s/f_0002.png', '/s/f_0003.png'] }),
    ],
    main: 'main.blend',
    files: [
      '_outside/s/f_0002.png',
      '_outside/s/f_0003.png',
      '_outside/t/skin.1001.png',
      '_outside/t/skin.1002.png',
      'main.blend',
    ],
    remap: [
      ['/s/f_0001.png', '_outside/s/f_0001.png'],
      ['/t/skin.<UDIM>.png', '_outside/t/skin.<UDIM>.png'],
    ],
  },
  {
    name: 'a cache folder outside whose files all lie deeper',
    references: [reference('/c/smoke', { span: 'folder', found: ['/c/smoke/data/1.vdb'] })],
    main: 'main.blend',
    files: ['_outside/smoke/data/1.vdb', 'main.blend'],
    remap: [['/c/smoke', '_outside/smoke']],
  },
  {
    name: 'dots in a path are resolved, as written in the remap',
    references: [reference('/a/../b/t.png', { found: ['/b/t.png'] })],
    main: 'main.blend',
    files: ['_outside/b/t.png', 'main.blend'],
    remap: [['/a/../b/t.png', '_outside/b/t.png']],
  },
  {
    name: 'non-ASCII names and spaces are kept',
    blend: '/películas/escena 1/ñ.blend',
    references: [relative('/películas/映画/木 1.png', { owner: '/películas/escena 1/ñ.blend' })],
    main: 'escena 1/ñ.blend',
    files: ['escena 1/ñ.blend', '映画/木 1.png'],
  },
  {
    name: 'one file named twice is carried once',
    references: [relative('/proj/shots/a.png'), reference('/proj/shots/a.png')],
    main: 'main.blend',
    files: ['a.png', 'main.blend'],
    remap: [['/proj/shots/a.png', 'a.png']],
  },
  {
    name: 'what is missing, or not needed, is left out',
    references: [
      relative('/proj/gone.png', { found: [], missing: ['/proj/gone.png'] }),
      relative('/proj/notes.txt', { kind: 'text', essential: false }),
    ],
    main: 'main.blend',
    files: ['main.blend'],
  },
  {
    name: 'a project with an _outside folder of its own',
    references: [relative('/proj/shots/_outside/a.png'), reference('/b/t.png')],
    main: 'main.blend',
    files: ['_outside-2/b/t.png', '_outside/a.png', 'main.blend'],
    remap: [['/b/t.png', '_outside-2/b/t.png']],
  },
  {
    name: 'another drive of Windows',
    blend: 'C:\\proj\\main.blend',
    references: [
      relative('C:\\proj\\tex\\a.png', { owner: 'C:\\proj\\main.blend' }),
      reference('D:\\maps\\b.png', { owner: 'C:\\proj\\main.blend' }),
      reference('\\\\nas\\share\\c.png', { owner: 'C:\\proj\\main.blend' }),
    ],
    main: 'main.blend',
    files: ['_outside/maps/b.png', '_outside/root/c.png', 'main.blend', 'tex/a.png'],
    remap: [
      ['D:\\maps\\b.png', '_outside/maps/b.png'],
      ['\\\\nas\\share\\c.png', '_outside/root/c.png'],
    ],
  },
  {
    name: 'a texture far above the scene: the root is the disk',
    references: [relative('/t.png')],
    main: 'proj/shots/main.blend',
    files: ['proj/shots/main.blend', 't.png'],
  },
];

for (const entry of cases) {
  test(entry.name, () => {
    const blend = entry.blend ?? '/proj/shots/main.blend';
    const layout = layoutBundle(trace({ blend, references: entry.references }));
    assert.equal(layout.main, entry.main);
    assert.deepEqual(
      layout.files.map((file) => file.path),
      entry.files,
    );
    assert.deepEqual(
      layout.remap.map(({ from, to }) => [from, to]),
      entry.remap ?? [],
    );
  });
}

const part = fc.constantFrom('a', 'b', 'c', 'tex', 'ñ', '_outside', 'A b');
const filePath = fc
  .tuple(fc.array(part, { maxLength: 4 }), fc.constantFrom('x.png', 'y.png', 'z.blend'))
  .map(([folders, name]) => `/${[...folders, name].join('/')}`);

test('any references: paths stay in the tree, no two files meet, relative places hold, remaps hit files', () => {
  const anyReference = fc
    .record({ path: filePath, relative: fc.boolean(), owner: fc.option(filePath, { nil: undefined }) })
    .map(({ path, relative: isRelative, owner }) =>
      reference(path, {
        relative: isRelative,
        written: isRelative ? `//${path}` : path,
        ...(owner && { owner }),
      }),
    );
  fc.assert(
    fc.property(filePath, fc.array(anyReference, { maxLength: 8 }), (blend, references) => {
      const layout = layoutBundle(trace({ blend, references }));
      const paths = new Set(layout.files.map((file) => file.path));
      assert.equal(paths.size, layout.files.length);
      for (const path of paths)
        assert.ok(!path.startsWith('/') && !path.split('/').includes('..') && path !== '');
      const sources = new Map(layout.files.map((file) => [file.source, file.path]));
      assert.equal(sources.get(blend), layout.main);
      for (const { relative: isRelative, owner, path } of references) {
        if (!isRelative || !sources.has(owner)) continue;
        assert.equal(between(sources.get(owner) ?? '', sources.get(path) ?? ''), between(owner, path));
      }
      for (const { from, to } of layout.remap) assert.equal(sources.get(from), to);
    }),
  );
});

/** The way from one file to the other, as a relative path would be written. */
function between(from: string, to: string): string {
  const [a, b] = [from, to].map((path) => path.split('/').filter((entry) => entry !== ''));
  if (!a || !b) return '';
  let shared = 0;
  while (shared < Math.min(a.length, b.length) - 1 && a[shared] === b[shared]) shared += 1;
  return [...Array(a.length - 1 - shared).fill('..'), ...b.slice(shared)].join('/');
}
