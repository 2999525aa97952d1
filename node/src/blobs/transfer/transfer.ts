import { BUNDLE_BYTES_MAX, readBundle, type Bundle, type PeerId } from '@cuadro/protocol';
import type { Mesh } from '../../mesh/interface.ts';
import { growHeapLittle } from '../../system/heap-growth.ts';
import type { Clock, Logger, Random } from '../../system/interface.ts';
import { BlobNotFoundError, StoreStoppedError } from '../errors.ts';
import { mapBounded } from '../gate.ts';
import type { BlobArrival, BlobHash, BlobInfo, BlobStore, PinOwner } from '../interface.ts';
import { Announcer } from './announcer.ts';
import { Batch } from './batch.ts';
import { Engine } from './engine.ts';
import { free } from './frames.ts';
import type { FetchOptions, Transfer, TransferStatus, TransferSums, WantedBlob } from './interface.ts';
import { Ledger } from './ledger.ts';
import { defaultTransferOptions, transferLimits, type TransferOptions } from './limits.ts';
import { Lines } from './lines.ts';
import { Peers } from './peers.ts';
import { PieceMemory } from './piece-memory.ts';
import { createBlobServer } from './server.ts';
import { SwarmDesk } from './swarm-desk.ts';
import { shuffled } from './shuffled.ts';
import { TreeProgress } from './tree-progress.ts';

export interface TransferComponents {
  readonly mesh: Pick<
    Mesh,
    'self' | 'open' | 'serve' | 'reachable' | 'subscribe' | 'findProviders' | 'provide'
  >;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Pick<Random, 'float'>;
  readonly logger: Logger;
}

export function createTransfer(
  components: TransferComponents,
  options: Partial<TransferOptions> = {},
): Transfer {
  return new MeshTransfer(components, { ...defaultTransferOptions, ...options });
}

/** The bundle that files are fetched for. */
interface Of {
  readonly hash: BlobHash;
  readonly bundle: Bundle;
}

/** A file that is evicted as soon as it came is fetched again; a store in which that goes on has no room for it. */
const ATTEMPTS_MAX = 3;

class MeshTransfer implements Transfer {
  readonly #components: TransferComponents;
  readonly #options: TransferOptions;
  readonly #lines: Lines;
  readonly #peers: Peers;
  readonly #memory: PieceMemory;
  readonly #engine: Engine;
  readonly #announcer: Announcer;
  readonly #ledger: Ledger;
  readonly #stop = new AbortController();
  #unsubscribe: (() => void) | undefined;
  /** Calls under way that bring many files, or may. */
  #crowds = 0;
  #receivedBytes = 0;
  #sentBytes = 0;

  constructor(components: TransferComponents, options: TransferOptions) {
    this.#components = components;
    this.#options = options;
    this.#memory = new PieceMemory(components);
    const memory = this.#memory;
    this.#lines = new Lines({ ...components, memory }, options);
    this.#peers = new Peers(components, options);
    this.#ledger = new Ledger(components);
    const ledger = this.#ledger;
    this.#engine = new Engine(
      {
        ...components,
        lines: this.#lines,
        peers: this.#peers,
        memory,
        received: (peer, bytes) => {
          this.#receivedBytes += bytes;
          ledger.received(peer, bytes);
        },
        brought: (bundle, peer, bytes) => ledger.brought(bundle, peer, bytes),
      },
      options,
    );
    this.#announcer = new Announcer(components);
  }

  async start(): Promise<void> {
    if (this.#unsubscribe !== undefined || this.#stop.signal.aborted) return;
    const { mesh, blobs, clock } = this.#components;
    const sent = (bytes: number): void => void (this.#sentBytes += bytes);
    const { flocks } = this.#engine;
    const desk = new SwarmDesk({
      ...this.#components,
      isReachable: (peer) => mesh.reachable().includes(peer),
      flockOf: (bundle) => flocks.get(bundle),
    });
    const arrivalOf = (hash: BlobHash): BlobArrival | undefined => this.#engine.arrivalOf(hash);
    mesh.serve(
      'blobs',
      createBlobServer(
        { blobs, clock, desk, arrivalOf, memory: this.#memory, stop: this.#stop.signal, sent },
        this.#options,
      ),
    );
    const unsubscribes = [mesh.subscribe({ peer: () => this.#engine.kick() }), blobs.subscribe(desk.heard)];
    this.#unsubscribe = () => unsubscribes.forEach((unsubscribe) => unsubscribe());
    this.#announcer.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    const reason = new StoreStoppedError();
    this.#stop.abort(reason);
    const stopped = Promise.all([this.#engine.stop(reason), this.#announcer.stop()]);
    this.#lines.close();
    await stopped;
    this.#memory.clear();
  }

  async fetch(hash: BlobHash, options: FetchOptions): Promise<BlobInfo> {
    await this.#fetchAll([{ hash }], options);
    const info = await this.#components.blobs.has(hash);
    if (info === undefined) throw new BlobNotFoundError(hash);
    return info;
  }

  fetchMany(blobs: readonly WantedBlob[], options: FetchOptions): Promise<void> {
    return this.#fetchMany(blobs, options);
  }

  async ensureTree(hash: BlobHash, options: FetchOptions): Promise<Bundle> {
    this.#ledger.begin(hash);
    try {
      const bundle = await this.#ensureTree(hash, options);
      this.#ledger.end(hash);
      return bundle;
    } catch (error) {
      this.#ledger.end(hash, error, options.signal?.aborted === true || this.#stop.signal.aborted);
      throw error;
    }
  }

  async #ensureTree(hash: BlobHash, options: FetchOptions): Promise<Bundle> {
    // How many files it has is not known before.
    const bundle = await this.#asCrowd(async () => {
      // Its own bytes are no part of the progress, whose total they would change.
      await this.fetch(hash, { holders: options.holders, ...pinOf(options), ...signalOf(options) });
      return this.#bundleOf(hash, options);
    });
    const files = bundle.files.map(({ blob, sizeBytes }) => ({ hash: blob, sizeBytes }));
    // Whoever has the bundle has its files: that is where the farm is asked for them too.
    await this.#fetchMany(files, options, { hash, bundle });
    this.announce(hash);
    return bundle;
  }

  #fetchMany(blobs: readonly WantedBlob[], options: FetchOptions, of?: Of): Promise<void> {
    const fetching = (): Promise<void> => this.#fetchAll(blobs, options, of);
    return blobs.length < transferLimits.crowdFiles ? fetching() : this.#asCrowd(fetching);
  }

  async #asCrowd<T>(task: () => Promise<T>): Promise<T> {
    this.#crowds += 1;
    growHeapLittle(true);
    try {
      return await task();
    } finally {
      this.#crowds -= 1;
      growHeapLittle(this.#crowds > 0);
    }
  }

  /** Its bytes, tens of megabytes where it names many, are not held while its files come. */
  async #bundleOf(hash: BlobHash, options: FetchOptions): Promise<Bundle> {
    const { blobs } = this.#components;
    const bytes = await blobs.read(hash, { ...signalOf(options), maxBytes: BUNDLE_BYTES_MAX });
    try {
      return readBundle(bytes);
    } finally {
      free(bytes);
    }
  }

  announce(hash: BlobHash): void {
    this.#announcer.add(hash);
  }

  status(): TransferStatus {
    return {
      active: [...this.#engine.wants].map((want) => ({ hash: want.hash, ...want.progress })),
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#sentBytes,
      requests: { ...this.#lines.requests },
      liars: this.#peers.liars,
      found: { ...this.#engine.found },
    };
  }

  sums(): TransferSums {
    return { trees: this.#ledger.trees(), flows: this.#ledger.flows(), shunned: this.#peers.shunned };
  }

  async #fetchAll(blobs: readonly WantedBlob[], options: FetchOptions, of?: Of): Promise<void> {
    const wanted = identicalOnce(blobs);
    for (let attempt = 1; ; attempt++) {
      const missing = await this.#missing(wanted, options);
      await this.#bring(missing, { wanted, options, of });
      if (options.pin === undefined) return;
      // What came was pinned as it came.
      await this.#pin(without(wanted, missing), options.pin);
      // What came unpinned, for somebody else, may have been evicted before the pin.
      const gone = await this.#missing(wanted, options);
      if (gone[0] === undefined) return;
      if (attempt >= ATTEMPTS_MAX) throw new BlobNotFoundError(gone[0].hash);
    }
  }

  async #missing(wanted: readonly WantedBlob[], options: FetchOptions): Promise<WantedBlob[]> {
    const { blobs } = this.#components;
    const isHere = await mapBounded(
      wanted,
      transferLimits.looksAtOnce,
      options.signal,
      async ({ hash }) => (await blobs.has(hash)) !== undefined,
    );
    return wanted.filter((_, i) => isHere[i] === false);
  }

  async #pin(blobs: readonly WantedBlob[], pin: PinOwner): Promise<void> {
    const { blobs: store } = this.#components;
    await mapBounded(blobs, transferLimits.pinsAtOnce, undefined, ({ hash }) => store.pin(hash, pin));
  }

  async #bring(
    missing: readonly WantedBlob[],
    call: { wanted: readonly WantedBlob[]; options: FetchOptions; of: Of | undefined },
  ): Promise<void> {
    const { blobs, random } = this.#components;
    const { options, of } = call;
    options.signal?.throwIfAborted();
    const engine = this.#engine;
    const named = (): readonly PeerId[] => [...options.holders(), ...(options.others?.() ?? [])];
    const flock = of && engine.flocks.join(of.hash, { files: of.bundle.files, missing, named });
    const progress = new TreeProgress(call.wanted, missing, options.onProgress);
    if (of !== undefined) this.#ledger.goesOn(of.hash, progress);
    // Who fetches it too begins elsewhere: each has something for the others.
    const inOrder = flock === undefined ? missing : shuffled([...missing], random);
    try {
      await new Batch({ engine, blobs, progress }, options).wait(inOrder, { providedAs: of?.hash, flock });
    } finally {
      if (flock !== undefined) engine.flocks.leave(flock);
    }
  }
}

/** The last of those that are identical, in the place of the first. */
function identicalOnce(blobs: readonly WantedBlob[]): WantedBlob[] {
  const byHash = new Map<BlobHash, WantedBlob>();
  for (const blob of blobs) byHash.set(blob.hash, blob);
  return [...byHash.values()];
}

function without(blobs: readonly WantedBlob[], others: readonly WantedBlob[]): WantedBlob[] {
  const left = new Set(others);
  return blobs.filter((blob) => !left.has(blob));
}

const pinOf = ({ pin }: FetchOptions): { pin?: PinOwner } => (pin === undefined ? {} : { pin });
const signalOf = ({ signal }: FetchOptions): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };
