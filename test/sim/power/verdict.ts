import { join } from 'node:path';
import { SMALL, LARGE } from './contents.ts';
import { BrokenPromise, short } from './ledger.ts';
import type { FileNode } from './nodes.ts';
import { DATA, type Life, OUTPUT, OWNERS, PASSES, type Scene } from './scene.ts';

/** Of how many blobs a new process is asked whether they are here; the others it hears of as they come. */
const ASKED = 0.5;

/** Lets calls be carried out until a promise has settled. */
export type Drive = <T>(work: Promise<T>) => Promise<T>;

/** What a store says after a start, held against what was promised before and against the disk. */
export async function judge(scene: Scene, life: Life, drive: Drive): Promise<void> {
  const here = blobsOnDisk(scene);
  judgePins(scene, life);
  judgeIncoming(scene);
  const isAskedFirst = scene.dice.chance(0.5);
  if (!isAskedFirst) await judgeUsage(scene, life, here, drive);
  await judgeBlobs(scene, life, here, drive);
  // What was asked for one by one is counted once.
  if (isAskedFirst) await judgeUsage(scene, life, here, drive);
  judgePieceLists(scene);
  await judgeOutputs(scene, life, drive);
}

async function judgeBlobs(
  scene: Scene,
  life: Life,
  here: ReadonlyMap<string, FileNode>,
  drive: Drive,
): Promise<void> {
  for (const { hash } of [...SMALL, ...LARGE]) {
    const file = here.get(hash);
    const state = file === undefined ? 'absent' : file.sha() === hash ? 'whole' : 'damaged';
    if (scene.ledger.isSure(hash) && state !== 'whole')
      throw new BrokenPromise('kept', `${short(hash)} was acknowledged, and is ${state}.`);
    if (!scene.dice.chance(ASKED)) continue;
    const info = await drive(life.store.has(hash));
    if ((info === undefined) !== (file === undefined) || (info?.sizeBytes ?? 0) !== (file?.size ?? 0))
      throw new BrokenPromise('has', `${short(hash)} is ${state}, and the store says something else.`);
    scene.ledger.found(hash, state);
  }
}

/** Once it is known what is here, piece lists of nothing are gone. */
function judgePieceLists({ volume }: Scene): void {
  for (const [, folder] of volume.folderAt(`${DATA}/blobs`).names)
    for (const name of folder.kind === 'folder' ? folder.names.keys() : []) {
      const hash = name.replace(/\.pieces$/, '');
      if (folder.kind === 'folder' && !folder.names.has(hash))
        throw new BrokenPromise('swept', `${short(hash)} left its piece list.`);
    }
}

/** Every blob of the store; none that is not whole, unless its disk changed it. */
function blobsOnDisk({ volume }: Scene): Map<string, FileNode> {
  const found = new Map<string, FileNode>();
  for (const [folderName, folder] of volume.folderAt(`${DATA}/blobs`).names) {
    if (folder.kind !== 'folder') throw new BrokenPromise('swept', `blobs/${folderName} is no folder.`);
    for (const [name, file] of folder.names) {
      const hash = name.replace(/\.pieces$/, '');
      if (file.kind !== 'file' || !hash.startsWith(folderName))
        throw new BrokenPromise('swept', `blobs/${folderName}/${name} is nothing of ours.`);
      if (hash !== name) continue;
      if (file.sha() !== hash && !file.isDamaged)
        throw new BrokenPromise('whole', `${short(hash)} stands there half-written, ${file.size} bytes.`);
      found.set(hash, file);
    }
  }
  return found;
}

function judgePins({ ledger }: Scene, { store }: Life): void {
  const known = new Set([...SMALL, ...LARGE].map(({ hash }) => hash));
  for (const owner of store.pinOwners()) {
    const strange = store.pinnedBy(owner).find((hash) => !known.has(hash));
    if (strange !== undefined || !OWNERS.some((name) => name === owner))
      throw new BrokenPromise(
        'pins',
        `${owner} pins ${short(strange ?? 'something')}, which nobody asked for.`,
      );
  }
  for (const owner of OWNERS) {
    const pinned = new Set(store.pinnedBy(owner));
    for (const hash of known) {
      const isThere = pinned.has(hash);
      if (ledger.pin(hash, owner) === (isThere ? 'unset' : 'set'))
        throw new BrokenPromise(
          'pins',
          `${short(hash)} ${isThere ? 'is pinned' : 'lost its pin'} by ${owner}.`,
        );
      ledger.foundPin(hash, owner, isThere);
    }
  }
}

/** Temporary files are gone; what was half fetched is not. */
function judgeIncoming({ volume }: Scene): void {
  for (const name of volume.folderAt(`${DATA}/incoming`).names.keys())
    if (!name.endsWith('.part')) throw new BrokenPromise('swept', `incoming/${name} was left.`);
}

async function judgeUsage(
  { volume }: Scene,
  { store }: Life,
  here: ReadonlyMap<string, FileNode>,
  drive: Drive,
): Promise<void> {
  const { usedBytes, pinnedBytes, blobs } = await drive(store.usage());
  const sum = (isCounted: (hash: string) => boolean): number =>
    [...here].reduce((bytes, [hash, { size }]) => bytes + (isCounted(hash) ? size : 0), 0);
  const is = `${blobs} blobs, ${usedBytes} bytes, ${pinnedBytes} pinned`;
  const must = `${here.size} blobs, ${sum(() => true)} bytes, ${sum((hash) => store.pins(hash).length > 0)} pinned`;
  if (is !== must) throw new BrokenPromise('usage', `${is}, and on the disk are ${must}.`);
  if (!volume.exists(`${DATA}/quarantine`)) throw new BrokenPromise('usage', 'A folder is missing.');
}

/** Collected files are whole, and those that were acknowledged are there. */
async function judgeOutputs({ volume, outputs }: Scene, life: Life, drive: Drive): Promise<void> {
  for (const pass of PASSES) {
    const folder = join(OUTPUT, pass);
    if (!volume.exists(folder)) continue;
    await drive(life.temporaries.sweep(folder));
    for (const name of volume.folderAt(folder).names.keys()) {
      const path = join(folder, name);
      if (!outputs.has(path) && !PASSES.some((below) => below === `${name}/`))
        throw new BrokenPromise('swept', `${path} was left.`);
    }
  }
  for (const [path, { possible }] of outputs) {
    const found = volume.exists(path) ? volume.fileAt(path).sha() : undefined;
    if (!possible.has(found))
      throw new BrokenPromise('output', `${path} is ${found === undefined ? 'gone' : short(found)}.`);
  }
}
