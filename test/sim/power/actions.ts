import type { BlobArrival, BlobHash, PinOwner } from '../../../node/src/blobs/interface.ts';
import { restoreTree, storeTree } from '../../../node/src/blobs/tree.ts';
import { writeOutput } from '../../../node/src/jobs/output-file.ts';
import { byHash, type Content } from './contents.ts';
import { BrokenPromise, short } from './ledger.ts';
import { DATA, type Life, OUTPUT, OWNERS, PASSES, ROOMY_BYTES, type Scene } from './scene.ts';

/** What a node asks of its store, each noted in the ledger as it is promised. */
export type Action = (scene: Scene, life: Life) => Promise<void>;

/** So few that each is restored again after a power cut. */
const TREES = 2;

const NEVER = new AbortController().signal;

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** Runs what may be refused with one of these codes; other errors break a promise. */
async function unless<T>(codes: readonly string[], perform: () => Promise<T>): Promise<T | undefined> {
  try {
    return await perform();
  } catch (error) {
    if (error instanceof BrokenPromise || codes.includes(String(codeOf(error)))) {
      if (error instanceof BrokenPromise) throw error;
      return undefined;
    }
    throw error;
  }
}

/** Puts contents, with a pin or without, and notes what comes of it. */
async function noted(
  { dice, ledger }: Scene,
  contents: readonly Content[],
  put: (pin: { pin?: string }) => Promise<unknown>,
): Promise<boolean> {
  const owner = dice.chance(0.6) ? dice.pick(OWNERS) : undefined;
  const kept = contents.map(({ hash }) => ledger.puts(hash));
  const pinned = owner === undefined ? [] : contents.map(({ hash }) => ledger.changesPin(hash, owner, 'set'));
  let isDone = false;
  try {
    await unless(['store-full', 'blob-mismatch'], async () => {
      await put(owner === undefined ? {} : { pin: owner });
      isDone = true;
    });
  } finally {
    for (const ended of pinned) ended(isDone);
    for (const ended of kept) ended(isDone);
  }
  return isDone;
}

const putBytes: Action = async (scene, { store }) => {
  const content = scene.dice.pick(scene.contents);
  await noted(scene, [content], (pin) => store.putBytes(content.bytes, pin));
};

const putMany: Action = async (scene, { store }) => {
  const contents = scene.dice.shuffled(scene.contents).slice(0, scene.dice.whole(2, 6));
  await noted(scene, contents, ({ pin }) =>
    store.putMany(
      contents.map(({ bytes }) => ({ bytes })),
      pin === undefined ? {} : { pin },
    ),
  );
};

const putStream: Action = async (scene, { store }) => {
  const { dice } = scene;
  const { bytes, hash } = dice.pick(scene.contents);
  const cut = dice.whole(0, bytes.length);
  const isShort = dice.chance(0.2) && cut < bytes.length;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, cut);
    if (!isShort) yield bytes.subarray(cut);
  }
  const content = byHash.get(hash) as Content;
  const isDone = await noted(scene, [content], (pin) =>
    store.putStream(chunks(), { ...pin, sizeBytes: bytes.length }),
  );
  if (isShort && isDone) throw new BrokenPromise('stream', 'A stream that ended early was taken for whole.');
};

const putFile: Action = async (scene, { store }) => {
  const { dice, volume } = scene;
  const content = dice.pick(scene.contents);
  const mode = dice.pick(['copy', 'move'] as const);
  const path = `/machine/source/${scene.names++}`;
  volume.place(path, content.bytes, dice.chance(0.5));
  const refused = scene.refusals.count;
  const isDone = await noted(scene, [content], (pin) => store.putFile(path, { ...pin, mode }));
  // Where the disk refuses calls it may have refused to move the file back.
  if (!isDone && scene.refusals.count > refused) return;
  if (volume.exists(path) !== (mode === 'copy' || !isDone))
    throw new BrokenPromise(
      'source',
      `After a ${mode} (${isDone ? 'done' : 'refused'}) the source is wrong.`,
    );
};

const putTree: Action = async (scene, { store }) => {
  const { dice, volume, trees } = scene;
  if (trees.size >= TREES) return;
  const contents = dice.shuffled(scene.contents).slice(0, dice.whole(2, 8));
  const name = `/machine/scenes/tree-${scene.names++}`;
  const files = contents.map(({ bytes }, index) => {
    const source = `/machine/source/${scene.names++}`;
    volume.place(source, bytes);
    return { path: index % 2 === 0 ? `file-${index}` : `below/file-${index}`, source };
  });
  const isDone = await noted(scene, contents, ({ pin }) =>
    storeTree({ blobs: store }, files, pin === undefined ? {} : { pin }),
  );
  if (isDone) trees.set(name, contents);
};

const takeTree: Action = async ({ dice, trees, volume, ledger, bootId }, { store, files, busy }) => {
  const [name, contents] = trees.size === 0 ? [] : dice.pick([...trees]);
  if (name === undefined || contents === undefined || busy.has(name)) return;
  busy.add(name);
  const pathOf = (index: number): string => (index % 2 === 0 ? `file-${index}` : `below/file-${index}`);
  const entries = contents.map(({ hash, bytes }, index) => ({
    path: pathOf(index),
    hash,
    sizeBytes: bytes.length,
  }));
  const mustBeHere = ledger.trusts(contents.map(({ hash }) => hash));
  const took = await unless(['blob-not-found', 'blob-corrupt', 'blob-source-unreadable'], () =>
    restoreTree({ blobs: store, random: dice, files }, entries, name, { bootId }),
  );
  busy.delete(name);
  if (took === undefined) {
    if (mustBeHere()) throw new BrokenPromise('tree', `${name} was not restored from content that is here.`);
    return;
  }
  for (const { path, hash } of entries)
    if (volume.fileAt(`${name}/${path}`).sha() !== hash)
      throw new BrokenPromise('tree', `${name}/${path} was ${took} and is wrong.`);
};

const open = new WeakMap<Life, BlobArrival[]>();

const receive: Action = async (scene, life) => {
  const { dice } = scene;
  const { hash, manifest } = dice.pick(scene.contents);
  if (life.busy.has(hash)) return;
  life.busy.add(hash);
  const arrival = await unless(['store-full'], () => life.store.receive(manifest));
  if (arrival === undefined) return void life.busy.delete(hash);
  const bytes = byHash.get(hash)?.bytes ?? new Uint8Array();
  for (const index of dice.shuffled(arrival.missing())) {
    if (dice.chance(0.05)) break;
    const piece = bytes.subarray(index * manifest.pieceBytes, (index + 1) * manifest.pieceBytes);
    if (dice.chance(0.05)) {
      const wrong = piece.slice();
      wrong[0] = (wrong[0] ?? 0) ^ 1;
      await unless(['blob-mismatch'], () => arrival.write(index, wrong));
    }
    await arrival.write(index, piece);
  }
  if (arrival.missing().length > 0) {
    if (dice.chance(0.5)) return void open.set(life, [...(open.get(life) ?? []), arrival]);
    await arrival.suspend();
    return void life.busy.delete(hash);
  }
  const content = byHash.get(hash) as Content;
  await noted(scene, [content], (pin) => arrival.finish(pin));
  life.busy.delete(hash);
};

/** Ends an arrival that was left open. */
const giveUp: Action = async (_scene, life) => {
  const arrival = open.get(life)?.pop();
  if (arrival === undefined) return;
  await arrival.suspend();
  life.busy.delete(arrival.manifest.hash);
};

const WISHES = ['set', 'unset'] as const;

const pin: Action = async (scene, life) => {
  const { dice, contents } = scene;
  const { hash } = dice.pick(contents);
  const owner = dice.pick(OWNERS);
  try {
    await wishFor(scene, life, hash, owner, dice.pick(WISHES));
  } catch (error) {
    // Whoever was refused asks again, or for the opposite.
    if (dice.chance(0.7)) await wishFor(scene, life, hash, owner, dice.pick(WISHES));
    throw error;
  }
};

async function wishFor(
  { ledger }: Scene,
  { store }: Life,
  hash: BlobHash,
  owner: PinOwner,
  wish: (typeof WISHES)[number],
): Promise<void> {
  const ended = ledger.changesPin(hash, owner, wish);
  let isDone = false;
  try {
    await (wish === 'set' ? store.pin(hash, owner) : store.unpin(hash, owner));
    isDone = true;
  } finally {
    ended(isDone);
  }
}

const unpinOwner: Action = async ({ dice, ledger }, { store }) => {
  const owner = dice.pick(OWNERS);
  const ended = ledger.pinnedBy(owner).map((hash) => ledger.changesPin(hash, owner, 'unset'));
  let isDone = false;
  try {
    await store.unpinOwner(owner);
    isDone = true;
  } finally {
    for (const end of ended) end(isDone);
  }
};

const has: Action = async ({ dice, ledger, contents }, { store }) => {
  const arriving = contents.filter(({ hash }) => ledger.isArriving(hash));
  const { hash, bytes } = dice.pick(arriving.length > 0 && dice.chance(0.7) ? arriving : contents);
  const isHere = ledger.looksFor(hash);
  const mustBeHere = ledger.trusts([hash]);
  const info = await store.has(hash);
  if (info === undefined) {
    if (mustBeHere()) throw new BrokenPromise('has', `${short(hash)} is said not to be here.`);
    return;
  }
  if (info.sizeBytes !== bytes.length) throw new BrokenPromise('has', `${short(hash)} has a wrong size.`);
  isHere();
};

const read: Action = async ({ dice, ledger, contents }, { store }) => {
  const { hash, bytes } = dice.pick(contents);
  const mustBeHere = ledger.trusts([hash]);
  const found = await unless(['blob-not-found', 'blob-corrupt'], () => store.read(hash));
  if (found !== undefined && Buffer.compare(found, bytes) !== 0)
    throw new BrokenPromise('read', `${short(hash)} was read, and is wrong.`);
  if (found === undefined && mustBeHere())
    throw new BrokenPromise('read', `${short(hash)} could not be read.`);
};

const collectGarbage: Action = async (_scene, { store }) => void (await store.collectGarbage());

/** What the slow check says of what is here. */
export const check: Action = async ({ ledger, contents }, { store }) => {
  const mustBeHere = new Map(contents.map(({ hash }) => [hash, ledger.trusts([hash])]));
  for await (const { hash, state } of store.check())
    if (state !== 'ok' && mustBeHere.get(hash)?.() === true)
      throw new BrokenPromise('check', `${short(hash)} is ${state}.`);
};

/** The disk changes a stored byte. */
const damage: Action = async ({ dice, ledger, volume, contents }) => {
  const { hash } = dice.pick(contents);
  const path = `${DATA}/blobs/${hash.slice(0, 2)}/${hash}`;
  if (!volume.exists(path)) return;
  const node = volume.fileAt(path);
  if (node.isDirty || node.size === 0) return;
  node.damage(dice.whole(0, node.size - 1));
  ledger.damaged(hash);
};

const collect: Action = async ({ dice, ledger, outputs, contents }, { store, files, busy }) => {
  const name = `${dice.pick(PASSES)}frame-${dice.whole(1, 4)}`;
  const path = `${OUTPUT}/${name}`;
  const { hash } = dice.pick(contents);
  if (busy.has(path)) return;
  busy.add(path);
  const output = outputs.get(path) ?? { possible: new Set<BlobHash | undefined>([undefined]) };
  outputs.set(path, output);
  const before = new Set(output.possible);
  const mustBeHere = ledger.trusts([hash]);
  output.possible.add(hash);
  const outcome = await unless(['blob-not-found', 'blob-corrupt'], () =>
    writeOutput({ blobs: store, files }, { blob: hash, name }, OUTPUT, {
      ...{ overwrite: false, ours: new Set(byHash.keys()), signal: NEVER },
    }),
  );
  busy.delete(path);
  output.possible.clear();
  for (const possible of outcome === undefined ? before : [hash]) output.possible.add(possible);
  if (outcome === 'kept-foreign') throw new BrokenPromise('output', `${path} is said to be foreign.`);
  if (outcome === undefined && mustBeHere())
    throw new BrokenPromise('output', `${short(hash)} could not be collected.`);
};

/** After refusals, once the disk takes everything again: so does the store, and gives it back. */
export const useAgain: Action = async (scene, { store }) => {
  const content = scene.dice.pick(scene.contents);
  const isDone = await noted(scene, [content], (pin) => store.putBytes(content.bytes, pin));
  if (!isDone && scene.quotaBytes >= ROOMY_BYTES)
    throw new BrokenPromise('usable', `${short(content.hash)} is refused, and there is room.`);
  if (isDone && Buffer.compare(await store.read(content.hash), content.bytes) !== 0)
    throw new BrokenPromise('usable', `${short(content.hash)} was put, and is read wrong.`);
};

export const ACTIONS: readonly (readonly [weight: number, action: Action])[] = [
  [10, putBytes],
  [4, putMany],
  [4, putStream],
  [6, putFile],
  [2, putTree],
  [4, takeTree],
  [6, receive],
  [1, giveUp],
  [8, pin],
  [1, unpinOwner],
  [6, has],
  [3, read],
  [1, collectGarbage],
  [0.5, check],
  [1, damage],
  [4, collect],
];
