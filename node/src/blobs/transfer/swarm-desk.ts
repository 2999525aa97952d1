import { BUNDLE_BYTES_MAX, readBundle, type PeerId } from '@cuadro/protocol';
import type { Clock, Random } from '../../system/interface.ts';
import type { BlobEvent, BlobHash, BlobStore } from '../interface.ts';
import type { Flock } from './flock.ts';
import { swarmLimits } from './limits.ts';
import { Stock } from './stock.ts';
import { Bits, Units, type Unit } from './units.ts';

export interface SwarmDeskComponents {
  readonly blobs: Pick<BlobStore, 'has' | 'read'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'float'>;
  readonly isReachable: (peer: PeerId) => boolean;
  /** The flock of a bundle that is fetched here. */
  readonly flockOf: (bundle: BlobHash) => Flock | undefined;
}

/** What is remembered of a bundle for those who ask. */
interface Remembered {
  readonly units: Units;
  readonly stock: Stock;
  /** To whom a unit was given last, and when. */
  readonly given: Map<number, { readonly peer: PeerId; readonly atMs: number }>;
}

/** Answers those who fetch a bundle together (SPEC R151). */
export class SwarmDesk {
  readonly #components: SwarmDeskComponents;
  readonly #bundles = new Map<BlobHash, Remembered>();
  /** Who asked for each bundle lately. */
  readonly #fetching = new Map<BlobHash, Map<PeerId, number>>();

  constructor(components: SwarmDeskComponents) {
    this.#components = components;
  }

  /** To be told by the store what came and what went. */
  readonly heard = (event: BlobEvent): void => {
    for (const { stock } of this.#bundles.values()) stock.heard(event);
  };

  /** What is here of a bundle, and who else fetches it; undefined where nothing of it is here. */
  async parts(
    asker: PeerId,
    bundle: BlobHash,
  ): Promise<{ whole: boolean; others: PeerId[]; bits: Uint8Array } | undefined> {
    const { flockOf } = this.#components;
    // It may begin to be fetched while the store is looked at.
    const stored = flockOf(bundle) === undefined ? await this.#stored(bundle) : undefined;
    const flock = flockOf(bundle);
    // Whoever asks fetches it too, and is worth being asked.
    flock?.name([asker]);
    const here = flock?.here ?? stored;
    if (here === undefined || (flock === undefined && here.count === 0)) return undefined;
    const whole = flock === undefined && here.isFull;
    const bits = whole ? new Uint8Array() : here.bytes.slice();
    return { whole, others: this.#others(asker, bundle), bits };
  }

  async #stored(bundle: BlobHash): Promise<Bits | undefined> {
    if ((await this.#components.blobs.has(bundle)) === undefined) return undefined;
    const known = await this.#remembered(bundle);
    return known?.stock.here();
  }

  #others(asker: PeerId, bundle: BlobHash): PeerId[] {
    const nowMs = this.#components.clock.now();
    const fetching = this.#fetching.get(bundle) ?? new Map<PeerId, number>();
    remember(this.#fetching, bundle, fetching);
    for (const [peer, atMs] of fetching) if (nowMs - atMs > swarmLimits.fetchingMs) fetching.delete(peer);
    const others = [...fetching.keys()].filter((peer) => peer !== asker);
    fetching.set(asker, nowMs);
    return others;
  }

  /**
   * Units of those wanted that were given to nobody, then those that were given long ago or to whom can't be reached:
   * as many as fit, each of them counted as given. Undefined where the bundle isn't here.
   */
  async choose(
    asker: PeerId,
    bundle: BlobHash,
    wanted: Uint8Array,
    bytesMax: number,
  ): Promise<{ readonly number: number; readonly unit: Unit }[] | undefined> {
    const known = await this.#remembered(bundle);
    if (known === undefined) return undefined;
    const { units, given } = known;
    const { clock, random } = this.#components;
    const nowMs = clock.now();
    const chosen: { number: number; unit: Unit }[] = [];
    let bytes = 0;
    const choose = (number: number): boolean => {
      const unit = units.at(number);
      if (unit === undefined) return false;
      if (chosen.length > 0 && bytes + unit.sizeBytes > bytesMax) return false;
      bytes += unit.sizeBytes;
      chosen.push({ number, unit });
      given.set(number, { peer: asker, atMs: nowMs });
      return bytes < bytesMax;
    };
    const again: number[] = [];
    const start = Math.floor(random.float() * units.count);
    let hasRoom = true;
    new Bits(units.count, wanted).walk(
      (number) => {
        const last = given.get(number);
        if (last === undefined) hasRoom = choose(number);
        else if (this.#mayGive(asker, last, nowMs)) again.push(number);
        return hasRoom;
      },
      { start },
    );
    for (const number of again) if (!hasRoom || !(hasRoom = choose(number))) break;
    return chosen;
  }

  #mayGive(asker: PeerId, last: { peer: PeerId; atMs: number }, nowMs: number): boolean {
    const { isReachable } = this.#components;
    // Whoever asks again for what it was given is still waiting for it, or has lost it.
    if (last.peer === asker) return nowMs - last.atMs > swarmLimits.lateMs;
    return nowMs - last.atMs > swarmLimits.givenMs || !isReachable(last.peer);
  }

  async #remembered(bundle: BlobHash): Promise<Remembered | undefined> {
    const known = this.#bundles.get(bundle);
    if (known !== undefined) return known;
    const { blobs } = this.#components;
    if ((await blobs.has(bundle)) === undefined) return undefined;
    const bytes = await blobs.read(bundle, { maxBytes: BUNDLE_BYTES_MAX });
    const units = unitsOf(bytes);
    if (units === undefined) return undefined;
    const stock = new Stock({ blobs }, { units });
    const fresh = this.#bundles.get(bundle) ?? { units, stock, given: new Map() };
    remember(this.#bundles, bundle, fresh);
    return fresh;
  }
}

/** The latest stay. */
function remember<T>(map: Map<BlobHash, T>, bundle: BlobHash, value: T): void {
  map.delete(bundle);
  map.set(bundle, value);
  for (const oldest of map.keys()) {
    if (map.size <= swarmLimits.rememberedBundles) return;
    map.delete(oldest);
  }
}

/** Undefined for what is no bundle, or one of too many units. */
function unitsOf(bytes: Uint8Array): Units | undefined {
  try {
    const units = new Units(readBundle(bytes));
    return units.count > swarmLimits.unitsMax ? undefined : units;
  } catch {
    return undefined;
  }
}
