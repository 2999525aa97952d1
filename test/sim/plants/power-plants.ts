import type { PowerProfile } from '../power/profile.ts';
import type { PowerPlant } from './plant.ts';

const BLOBS = 'node/src/blobs';
const FILES = 'node/src/system/files.ts';

/**
 * A process is killed between a blob's name and the sync of its folder, the next one is asked for that blob, and the
 * power is cut before the disk has written the name by itself.
 */
const KILLED: Partial<PowerProfile> = {
  ...{ refuses: false, kills: 6, killsAtName: true },
  ...{ settles: 0.001, contentsMax: 3 },
};

/**
 * Each sync of the content store taken out, and what the disk that loses power has found; and refusals of the disk that
 * are passed over. One sync is left: that of the
 * folder of a damaged blob, which after a power cut is merely found again. So is a blob that went while the folders
 * were listed and is told to be here: only a damaged one can go then (test/unit/blobs/listing.test.ts has it).
 */
const MISTAKES: readonly Omit<PowerPlant, 'simulator' | 'breaks'>[] = [
  {
    name: 'new files are not synced',
    file: FILES,
    from: 'await handle.writeFile(part);\n    await handle.sync();',
    to: 'await handle.writeFile(part);',
    within: 20,
    isQuick: true,
  },
  {
    name: 'folders are not synced',
    file: FILES,
    from: 'try {\n    await handle.sync();',
    to: 'try {',
    within: 20,
    isQuick: true,
  },
  {
    name: "a blob's folder is not synced",
    file: `${BLOBS}/shelf.ts`,
    from: 'await this.#folders.sync(folder);',
    to: '',
    within: 20,
  },
  {
    name: 'what a thread hashes is not synced',
    file: `${BLOBS}/hash-jobs.ts`,
    from: "if (job.sync) on('destination', () => fs.fsyncSync(output ?? input));",
    to: '',
    within: 60,
  },
  {
    name: 'a stream is not synced',
    file: `${BLOBS}/intake.ts`,
    from: 'passOver(temporary, { sync: true, signal })',
    to: 'passOver(temporary, { sync: false, signal })',
    within: 60,
  },
  {
    name: 'a large file that is copied in is not synced',
    file: `${BLOBS}/intake.ts`,
    from: 'sync: true,\n        neededBytes',
    to: 'sync: false,\n        neededBytes',
    within: 600,
  },
  {
    name: 'what arrived in pieces is not synced',
    file: `${BLOBS}/arrivals.ts`,
    from: '{ sync: true, wholeOnly: true, signal }',
    to: '{ sync: false, wholeOnly: true, signal }',
    within: 60,
  },
  {
    name: 'pins are not synced',
    file: `${BLOBS}/pins.ts`,
    from: 'await this.#file.appendFile(text);\n      await this.#file.datasync();',
    to: 'await this.#file.appendFile(text);',
    within: 20,
    isQuick: true,
  },
  {
    name: 'pins that a killed process wrote are taken for durable',
    file: `${BLOBS}/pins.ts`,
    from: 'await this.#file.datasync();\n    await syncFolder',
    to: 'await syncFolder',
    within: 2_000,
  },
  {
    name: "the pins' own name is not synced",
    file: `${BLOBS}/pins.ts`,
    from: 'await syncFolder(dirname(this.#path), this.#files);',
    to: '',
    within: 60,
  },
  {
    name: 'a torn line of the pins stays',
    file: `${BLOBS}/pins.ts`,
    from: 'if (isTorn || lines >',
    to: 'if (lines >',
    within: 1_000,
  },
  {
    name: "the store's folders have no durable names",
    file: `${BLOBS}/layout.ts`,
    from: 'await syncFolder(layout.root, files);',
    to: '',
    // It is synced once more for the pins.
    also: {
      file: `${BLOBS}/pins.ts`,
      from: 'await syncFolder(dirname(this.#path), this.#files);',
      to: '',
    },
    within: 20,
  },
  {
    name: 'the 256 folders have no durable names',
    file: `${BLOBS}/layout.ts`,
    from: 'await syncFolder(layout.blobs, files);',
    to: '',
    within: 20,
  },
  {
    name: "the data folder's own name is not synced",
    file: `${BLOBS}/layout.ts`,
    from: 'await syncAbove(layout.root, files);',
    to: '',
    within: 100,
  },
  {
    name: 'temporary files are not swept',
    file: `${BLOBS}/layout.ts`,
    from: 'await files.rm(join(layout.incoming, name), { recursive: true, force: true });',
    to: '',
    within: 20,
  },
  {
    name: 'a blob that a killed process named is said to be here',
    file: `${BLOBS}/store.ts`,
    from: 'await shelf.settle(hash);',
    to: '',
    profile: KILLED,
    within: 300,
  },
  {
    name: 'a blob that a killed process named is not stored again',
    file: `${BLOBS}/shelf.ts`,
    from: 'this.settle(hash),',
    to: 'undefined,',
    profile: KILLED,
    within: 200,
  },
  {
    name: 'pins do not protect',
    file: `${BLOBS}/shelf.ts`,
    from: 'const entry = this.pins.table.isPinned(hash) ? undefined : this.index.remove(hash);',
    to: 'const entry = this.index.remove(hash);',
    also: {
      file: `${BLOBS}/blob-index.ts`,
      from: 'return !this.#rows.has(row, ROWS_OF.pins);',
      to: 'return row >= 0;',
    },
    within: 100,
  },
  {
    name: 'a blob that is not listed yet is said not to be here',
    file: `${BLOBS}/listing.ts`,
    from: 'if (facts?.isFile() === true && !this.#isDone)',
    to: 'if (facts?.isFile() === true && this.#isDone)',
    within: 20,
  },
  {
    name: 'half of a blob that is here stays',
    file: `${BLOBS}/unfinished.ts`,
    from: 'if ((await listing.find(hash)) === undefined) return this.#look(hash);',
    to: 'if ((await listing.find(hash))?.sizeBytes !== -1) return this.#look(hash);',
    within: 300,
  },
  {
    name: 'a collected file is not synced',
    file: `${BLOBS}/outlet.ts`,
    from: 'if (durable) return createFileSynced(',
    to: 'if (durable && bytes.length < 0) return createFileSynced(',
    within: 60,
  },
  {
    name: 'a large collected file is not synced',
    file: `${BLOBS}/outlet.ts`,
    from: 'sync: durable, signal',
    to: 'sync: false, signal',
    within: 600,
  },
  {
    name: "a collected file's name is not synced",
    file: `${BLOBS}/outlet.ts`,
    from: 'if (options.durable === true) await syncFolder(folder, files);',
    to: '',
    within: 60,
  },
  {
    name: 'the name of a folder for collected files is not synced',
    file: 'node/src/system/folders.ts',
    from: 'await syncNames(dirname(folder), files);',
    to: '',
    within: 60,
  },
  {
    name: 'pins whose sync failed are taken for durable',
    file: `${BLOBS}/pins.ts`,
    from: 'await this.#file.datasync();\n      this.#goodBytes',
    to: 'await this.#file.datasync().catch(() => undefined);\n      this.#goodBytes',
    within: 100,
  },
  {
    name: 'a new file whose sync failed is taken for durable',
    file: FILES,
    from: 'await handle.writeFile(part);\n    await handle.sync();',
    to: 'await handle.writeFile(part);\n    await handle.sync().catch(() => undefined);',
    within: 200,
  },
  {
    name: 'what a failed write left among the pins is not cut off',
    file: `${BLOBS}/pins.ts`,
    from: 'await file.truncate(this.#goodBytes);',
    to: '',
    within: 20,
  },
];

export const POWER_PLANTS: readonly PowerPlant[] = MISTAKES.map((mistake) => ({
  ...mistake,
  // What was said to be stored is not, or is not what was stored.
  breaks: 1,
  simulator: 'power',
}));
