import { Level } from 'level';

/**
 * `node rescue-child.js FROM TO MODE`: copies all entries that can be read of the damaged database FROM into a new one.
 * A process of its own, since LevelDB may end it (see rescue.ts). Entries are copied as they are: whoever reads them
 * knows the damaged ones by their checksums. MODE `repair` makes the list of files anew before anything is opened.
 */

/** Entries of one durable batch; after an error each is read by itself, so that only the damaged ones are left out. */
const ENTRIES_AT_ONCE = 1_000;
/** Exit code where the new one can't be written: what was copied is not what can be read. */
const UNWRITABLE = 3;

type Bytes = Uint8Array;
type Database = Level<Bytes, Bytes>;
/** The package's types are those that it has in a browser as well, where there is no such thing. */
const Native = Level as unknown as { repair(folder: string): Promise<void> };
const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const;
const [from, to, mode] = process.argv.slice(2) as [string, string, string];

async function openDamaged(): Promise<Database> {
  // Before anything is made of the folder: a database begins to open as soon as there is an object of it.
  if (mode === 'repair') await Native.repair(from);
  const database: Database = new Level(from, encodings);
  await database.open();
  return database;
}

async function copyAll(source: Database, target: Database): Promise<void> {
  let last: Bytes | undefined;
  for (let atOnce = ENTRIES_AT_ONCE; ; atOnce = 1) {
    const iterator = source.iterator(last === undefined ? {} : { gt: last });
    try {
      for (;;) {
        const entries = await iterator.nextv(atOnce).catch(() => undefined);
        if (entries === undefined) break;
        if (entries.length === 0) return;
        await write(target, entries);
        last = entries.at(-1)?.[0];
      }
    } finally {
      await iterator.close();
    }
    if (atOnce === 1) return;
  }
}

async function write(target: Database, entries: readonly [Bytes, Bytes][]): Promise<void> {
  try {
    await target.batch(
      entries.map(([key, value]) => ({ type: 'put', key, value })),
      { sync: true },
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(UNWRITABLE);
  }
}

const source = await openDamaged();
const target: Database = new Level(to, encodings);
await target.open();
await copyAll(source, target);
await source.close();
await target.close();
