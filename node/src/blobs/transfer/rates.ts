import type { PeerId } from '@cuadro/protocol';

/** What comes is counted in slots of so long, in milliseconds, of which the last ones tell the rate. */
const SLOT_MS = 500;
const SLOTS = 10;
/** A burst is no rate: what came in less than this counts as having taken so long, in milliseconds. */
const SHORTEST_MS = 1_000;

/** How much comes of one machine. */
export interface Flow {
  readonly peer: PeerId;
  readonly bytesPerSecond: number;
}

interface Source {
  readonly slots: Float64Array;
  /** The newest slot, counted from the clock's zero. */
  newest: number;
  /** Since when something came without a pause as long as all slots. */
  readonly sinceMs: number;
}

/** How fast something comes of each machine, over the last seconds; who brings nothing for so long is forgotten. */
export class Rates {
  readonly #sources = new Map<PeerId, Source>();

  add(peer: PeerId, bytes: number, nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS);
    let source = this.#sources.get(peer);
    if (source === undefined || slot - source.newest >= SLOTS) {
      source = { slots: new Float64Array(SLOTS), newest: slot, sinceMs: nowMs };
      this.#sources.set(peer, source);
    }
    goOn(source, slot);
    const at = slot % SLOTS;
    source.slots[at] = (source.slots[at] ?? 0) + bytes;
  }

  /** The fastest first. */
  at(nowMs: number): Flow[] {
    const slot = Math.floor(nowMs / SLOT_MS);
    const flows: Flow[] = [];
    for (const [peer, source] of this.#sources) {
      if (slot - source.newest >= SLOTS) {
        this.#sources.delete(peer);
        continue;
      }
      goOn(source, slot);
      const bytes = source.slots.reduce((sum, part) => sum + part, 0);
      if (bytes === 0) {
        this.#sources.delete(peer);
        continue;
      }
      // The newest slot has only begun.
      const heldMs = (SLOTS - 1) * SLOT_MS + (nowMs % SLOT_MS);
      const spanMs = Math.max(SHORTEST_MS, Math.min(heldMs, nowMs - source.sinceMs));
      flows.push({ peer, bytesPerSecond: Math.round((bytes / spanMs) * 1_000) });
    }
    return flows.sort((a, b) => b.bytesPerSecond - a.bytesPerSecond);
  }
}

/** Empties the slots between the newest and this one. */
function goOn(source: Source, slot: number): void {
  for (; source.newest < slot; source.newest++) source.slots[(source.newest + 1) % SLOTS] = 0;
}
