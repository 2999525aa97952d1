import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { folderName, prepareOutputFolder } from '../../../node/src/jobs/output-folder.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { createTemporaryFiles } from '../../../node/src/system/temporary-files.ts';

describe('the output folder of a job', () => {
  let base: string;
  const random = createSeededRandom(1);
  const temporaries = createTemporaryFiles({ random }, { owner: 'test' });
  const components = { random, temporaries };
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cuadro-output-'));
  });
  after(() => rm(base, { recursive: true }));

  for (const [name, folder] of [
    ['Shot 01', 'Shot 01'],
    ['a/b\\c:d', 'a-b-c-d'],
    ['../../etc', '-..-etc'],
    ['...', 'job'],
    ['Año_Ü', 'Año_Ü'],
    ['x'.repeat(300), 'x'.repeat(80)],
  ] as const) {
    it(`names the folder of "${name.slice(0, 20)}" "${folder.slice(0, 20)}"`, () => {
      assert.equal(folderName(name), folder);
    });
  }

  it('is a new one for each job by default', async () => {
    const first = await prepareOutputFolder(components, { base, name: 'film' });
    const second = await prepareOutputFolder(components, { base, name: 'film' });
    assert.deepEqual(first, { folder: join(base, 'film'), isNew: true });
    assert.deepEqual(second, { folder: join(base, 'film-2'), isNew: true });
    assert.deepEqual(await readdir(first.folder), [], 'the probe leaves nothing behind');
  });

  it('is a different one for each of many jobs at once', async () => {
    const many = await Promise.all(
      Array.from({ length: 8 }, () => prepareOutputFolder(components, { base, name: 'many' })),
    );
    assert.equal(new Set(many.map(({ folder }) => folder)).size, 8);
  });

  it('may be an existing one that the user names', async () => {
    const wanted = join(base, 'mine');
    await mkdir(wanted);
    await writeFile(join(wanted, 'note.txt'), 'x');
    const prepared = await prepareOutputFolder(components, { base, name: 'film', wanted });
    assert.deepEqual(prepared, { folder: wanted, isNew: false });
    assert.deepEqual(await readdir(wanted), ['note.txt']);
  });

  it("is refused where it can't be made", async () => {
    await writeFile(join(base, 'file'), '');
    const wanted = join(base, 'file', 'below');
    await assert.rejects(prepareOutputFolder(components, { base, name: 'film', wanted }), {
      code: 'output-unwritable',
    });
  });

  it('is refused where a file has its name, in plain words', async () => {
    const wanted = join(base, 'taken');
    await writeFile(wanted, '');
    await assert.rejects(prepareOutputFolder(components, { base, name: 'film', wanted }), {
      message: `The output folder ${wanted} can't be written: a file of that name is there already. Choose another with --output.`,
    });
  });

  it("is refused where it isn't absolute", async () => {
    await assert.rejects(prepareOutputFolder(components, { base, name: 'film', wanted: 'here' }), {
      code: 'request-invalid',
    });
  });
});
