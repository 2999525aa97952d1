import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { folderName, prepareOutputFolder } from '../../../node/src/jobs/output-folder.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

describe('the output folder of a job', () => {
  let base: string;
  const random = createSeededRandom(1);
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
    const first = await prepareOutputFolder({ random }, { base, name: 'film' });
    const second = await prepareOutputFolder({ random }, { base, name: 'film' });
    assert.deepEqual([first, second], [join(base, 'film'), join(base, 'film-2')]);
    assert.deepEqual(await readdir(first), [], 'the probe leaves nothing behind');
  });

  it('may be an existing one that the user names', async () => {
    const wanted = join(base, 'mine');
    await mkdir(wanted);
    await writeFile(join(wanted, 'note.txt'), 'x');
    assert.equal(await prepareOutputFolder({ random }, { base, name: 'film', wanted }), wanted);
    assert.deepEqual(await readdir(wanted), ['note.txt']);
  });

  it("is refused where it can't be made", async () => {
    await writeFile(join(base, 'file'), '');
    const wanted = join(base, 'file', 'below');
    await assert.rejects(prepareOutputFolder({ random }, { base, name: 'film', wanted }), {
      code: 'output-unwritable',
    });
  });

  it("is refused where it isn't absolute", async () => {
    await assert.rejects(prepareOutputFolder({ random }, { base, name: 'film', wanted: 'here' }), {
      code: 'request-invalid',
    });
  });
});
