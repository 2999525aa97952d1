import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { encode, type Bundle, type PeerId, type Signer } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import type { BlobStoreOptions } from '../../../node/src/blobs/options.ts';
import type { Transfer } from '../../../node/src/blobs/transfer/interface.ts';
import type { TransferOptions } from '../../../node/src/blobs/transfer/limits.ts';
import { createTransfer } from '../../../node/src/blobs/transfer/transfer.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { createMemoryNetwork, type MemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { identityOf } from '../../../node/src/system/identity.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import type { Clock, Logger } from '../../../node/src/system/interface.ts';
import { newStore, temporaryFolder } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';

export const FARM = 'farmfarmfarmfarm';

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export interface Machine {
  readonly name: string;
  readonly peer: PeerId;
  readonly mesh: Mesh;
  readonly blobs: BlobStore;
  readonly transfer: Transfer;
  /** Ends it in order. */
  stop(): Promise<void>;
}

export interface MachineInit {
  clock?: Clock;
  options?: Partial<TransferOptions>;
  store?: Partial<BlobStoreOptions>;
  /** What its transfer takes for its store: a way to make it lie, or serve from memory. */
  disguise?: (blobs: BlobStore) => BlobStore;
  /** What its transfer takes for its mesh: a way to make its line a slow one. */
  wire?: (mesh: Mesh) => Mesh;
  /** Starts more on this machine before its mesh; what it returns ends that again. */
  more?: (parts: Omit<Machine, 'stop'> & { clock: Clock }) => Promise<() => Promise<void>>;
}

const keyOf = (name: string): Uint8Array => createHash('sha256').update(name).digest();
export const signerOf = (name: string): Signer => identityOf(keyOf(name));
export const peerOf = (name: string): PeerId => signerOf(name).peer;

/** A farm of machines with real file stores on one network in memory; all of it ends with the test. */
export class TestFarm {
  readonly network: MemoryNetwork;
  readonly #folder = temporaryFolder();
  readonly #names: readonly string[];
  readonly #machines = new Set<Machine>();

  constructor(test: Pick<TestContext, 'after'>, names: readonly string[], network = createMemoryNetwork()) {
    this.#names = names;
    this.network = network;
    test.after(async () => {
      for (const machine of this.#machines) await machine.stop();
      await this.#folder.remove();
    });
  }

  folderOf(name: string): string {
    return join(this.#folder.path, name);
  }

  /** Starts one of the farm's machines, or starts it again over the same folder. */
  async start(name: string, init: MachineInit = {}): Promise<Machine> {
    const mesh = this.network.mesh({
      privateKey: keyOf(name),
      listen: ['127.0.0.1'],
      meshPort: 0,
      lobbyPort: 0,
      serviceName: FARM,
    });
    const blobs = newStore(this.folderOf(name), init.store);
    await blobs.start();
    const clock = init.clock ?? createSystemClock();
    const served = init.disguise?.(blobs) ?? blobs;
    const transfer = createTransfer(
      {
        mesh: init.wire?.(mesh) ?? mesh,
        blobs: served,
        clock,
        random: createSeededRandom(1),
        logger: silent,
      },
      init.options,
    );
    await transfer.start();
    mesh.setMembership({ farm: FARM, members: new Set(this.#names.map(peerOf)) });
    const parts = { name, peer: mesh.self, mesh, blobs, transfer };
    const stopMore = await init.more?.({ ...parts, clock });
    await mesh.start();
    const machine: Machine = {
      ...parts,
      stop: async () => {
        this.#machines.delete(machine);
        await mesh.stop();
        await stopMore?.();
        await transfer.stop();
        await blobs.stop();
      },
    };
    this.#machines.add(machine);
    return machine;
  }
}

/** Resolves once one machine reaches others. */
export async function reaches(machine: Machine, ...others: Machine[]): Promise<void> {
  const missing = (): Machine[] => others.filter(({ peer }) => !machine.mesh.reachable().includes(peer));
  if (missing().length === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = machine.mesh.subscribe({
    peer: () => {
      if (missing().length === 0) resolve();
    },
  });
  await promise;
  unsubscribe();
}

/** The same bytes with one of them changed. */
export function spoilt(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
}

/** A farm in which a liar and an honest machine hold the same small file, of which the liar serves another one. */
export async function farmWithLiar(test: TestContext, content: Uint8Array) {
  const farm = new TestFarm(test, ['here', 'liar', 'honest']);
  const here = await farm.start('here');
  const liar = await farm.start('liar', {
    disguise: (blobs) => disguised(blobs, { read: async (hash) => spoilt(await blobs.read(hash)) }),
  });
  const honest = await farm.start('honest');
  await reaches(here, liar, honest);
  const { hash } = await liar.blobs.putBytes(content);
  await honest.blobs.putBytes(content);
  return { here, liar, honest, hash };
}

/** Stores a bundle of these files, as a submission does. */
export async function storeBundle(blobs: BlobStore, contents: readonly Uint8Array[]): Promise<string> {
  const infos = await blobs.putMany(contents.map((bytes) => ({ bytes })));
  const bundle: Bundle = {
    version: 1,
    main: '0',
    files: infos.map(({ hash, sizeBytes }, i) => ({ path: String(i), blob: hash, sizeBytes })),
    remap: [],
  };
  return (await blobs.putBytes(encode(bundle))).hash;
}
