import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Database, LevelDatabase, levelIn } from '../../../node/src/store/level-database.ts';
import { until } from '../../contract/mesh/harness.ts';
import { temporaryFolder } from '../blobs/helpers.ts';

const VALUE_BYTES = 100_000;
const VALUES = 40;

describe('a database that was read at length', () => {
  let base: ReturnType<typeof temporaryFolder>;
  let folder: string;
  let opened: LevelDatabase | undefined;

  beforeEach(async () => {
    base = temporaryFolder();
    folder = join(base.path, 'records');
    mkdirSync(folder);
    const database = await LevelDatabase.open(folder, async () => undefined);
    for (let i = 0; i < VALUES; i++)
      await database.use((level) => level.put(`key ${i}`, randomBytes(VALUE_BYTES)));
    await database.close();
  });

  afterEach(async () => {
    await opened?.close();
    opened = undefined;
    await base.remove();
  });

  const open = async (init: { readBytesMax?: number; database?: Database } = {}): Promise<LevelDatabase> =>
    (opened = await LevelDatabase.open(folder, async () => undefined, init));

  /** How many of its files are mapped into this process. */
  const mapped = (): number => {
    const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
    return maps.filter((line) => line.includes(`${folder}/`) && line.endsWith('.ldb')).length;
  };

  const readAll = (database: LevelDatabase): Promise<number> =>
    database.use(async (level) => {
      let count = 0;
      for await (const value of level.values()) {
        database.hasRead(value.length);
        count += 1;
      }
      return count;
    });

  const skip = process.platform === 'linux' ? false : 'Only Linux tells what is mapped.';

  it('maps nothing of it any more, and has all that it had', { skip }, async () => {
    const database = await open({ readBytesMax: VALUES * VALUE_BYTES });
    await database.use((level) => level.put('before', Uint8Array.of(1)));
    assert.equal(
      await database.use(() => readAll(database).finally(() => assert.ok(mapped() > 0))),
      VALUES + 1,
    );
    await until('its files not to be mapped', () => mapped() === 0);
    await database.use((level) => level.put('after', Uint8Array.of(2)));
    assert.deepEqual([...((await database.use((level) => level.get('before'))) ?? [])], [1]);
    assert.equal(await readAll(database), VALUES + 2);
  });

  it('stays mapped where less was read than is worth it', { skip }, async () => {
    const database = await open({ readBytesMax: VALUES * VALUE_BYTES + 1 });
    assert.equal(await readAll(database), VALUES);
    await database.use(() => new Promise((resolve) => setImmediate(resolve)));
    assert.ok(mapped() > 0);
    database.hasRead(1);
    await database.use((level) => level.get('key 0'));
    await until('its files not to be mapped', () => mapped() === 0);
  });

  it('is opened anew once nobody uses it, and who comes meanwhile waits', { skip }, async () => {
    const database = await open({ readBytesMax: 1 });
    const [entered, leave] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const user = database.use(async (level) => {
      entered.resolve();
      await leave.promise;
      return level.get('key 1');
    });
    await entered.promise;
    assert.equal(await readAll(database), VALUES);
    assert.equal((await database.use((level) => level.get('key 2')))?.length, VALUE_BYTES);
    assert.ok(mapped() > 0, 'somebody uses it');
    leave.resolve();
    assert.equal((await user)?.length, VALUE_BYTES);
    const later = Array.from({ length: 20 }, (_, i) => database.use((level) => level.get(`key ${i}`)));
    for (const value of await Promise.all(later)) assert.equal(value?.length, VALUE_BYTES);
  });

  it('stays open where another folder has its name', async () => {
    const database = await open({ readBytesMax: 1 });
    renameSync(folder, `${folder}.away`);
    cpSync(`${folder}.away`, folder, { recursive: true });
    assert.equal(await database.isInPlace(), false);
    assert.equal(await readAll(database), VALUES);
    await database.use((level) => level.put('new', Uint8Array.of(3)));
    await database.close();
    const other = await open();
    assert.equal(await other.use((level) => level.get('new')), undefined, 'that one was not touched');
  });

  it('stays open where opening it would lose what is there', async () => {
    const database = await open({ readBytesMax: 1 });
    const current = readFileSync(join(folder, 'CURRENT'));
    writeFileSync(join(folder, 'CURRENT'), 'nonsense');
    assert.equal(await readAll(database), VALUES);
    assert.equal(await readAll(database), VALUES);
    await database.close();
    writeFileSync(join(folder, 'CURRENT'), current);
    assert.equal(await readAll(await open()), VALUES);
  });

  it('is opened by who needs it next where that could not be done', async () => {
    const level = levelIn(folder);
    const database = await open({ readBytesMax: 1, database: level });
    let refused = 0;
    const openLevel = level.open.bind(level);
    level.open = async (...options: []) => {
      if (refused++ < 2) throw new Error('too many open files');
      return openLevel(...options);
    };
    assert.equal(await readAll(database), VALUES);
    await assert.rejects(
      database.use((it) => it.get('key 1')),
      { code: 'store-open-failed', message: /can't be opened again/ },
    );
    assert.equal((await database.use((it) => it.get('key 1')))?.length, VALUE_BYTES);
  });

  it('is opened by nobody once it is closed', async () => {
    const database = await open({ readBytesMax: 1 });
    assert.equal(await readAll(database), VALUES);
    const late = assert.rejects(
      database.use((level) => level.get('key 1')),
      { code: 'store-closed' },
    );
    await database.close();
    await late;
    const again = await open();
    assert.equal(await readAll(again), VALUES);
  });
});
