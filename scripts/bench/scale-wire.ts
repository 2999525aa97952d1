import type { PeerId } from '@cuadro/protocol';
import type { GossipTopic, MeshInit } from '../../node/src/mesh/interface.ts';
import { MemoryMesh } from '../../node/src/mesh/memory-member.ts';
import type { MemoryStream } from '../../node/src/mesh/memory-stream.ts';
import type { Dice } from '../../test/sim/dice.ts';
import type { Host } from '../../test/sim/host.ts';
import { Timeline } from '../../test/sim/timeline.ts';
import { SimWire, type Station } from '../../test/sim/wire.ts';

/** What went through one member's mesh, both ways. */
export interface Passed {
  messages: number;
  bytes: number;
}

/** Who said or heard it, and what kind of thing it was: a message's own kind, `records` for gossip of records, `stream` for all else. */
export type Seen = (peer: PeerId, kind: string, bytes: number, way: 'in' | 'out') => void;

/** `kind` as canonical CBOR writes the key: it comes before every key whose value could hold another one. */
const KIND = Buffer.from([0x64, 0x6b, 0x69, 0x6e, 0x64]);

/** The kind of a message by its bytes, without decoding it. */
export function kindOf(message: Uint8Array): string {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  const at = bytes.indexOf(KIND) + KIND.length;
  const length = (bytes[at] ?? 0x60) & 0x1f;
  return bytes.toString('latin1', at + 1, at + 1 + length);
}

/** Milliseconds that this thread ran: what other processes take of the processor meanwhile is not in it. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** A virtual clock that knows for whom the machine under it works, and how long it took. */
export class MeteredTimeline extends Timeline {
  /** Milliseconds by whom they were spent for; undefined stands for the network and all others. */
  readonly spentMs = new Map<string | undefined, number>();
  #owner: string | undefined;
  #since = performance.now();

  /** From now on the thread works for this one. */
  mark(owner: string | undefined): void {
    if (owner === this.#owner) return;
    const now = performance.now();
    this.spentMs.set(this.#owner, (this.spentMs.get(this.#owner) ?? 0) + now - this.#since);
    this.#since = now;
    this.#owner = owner;
  }

  /** What the network does when somebody says something is not that one's work. */
  forNobody(run: () => void): void {
    const owner = this.#owner;
    this.mark(undefined);
    run();
    this.mark(owner);
  }

  spentOn(owner: string): number {
    this.forNobody(() => undefined);
    return this.spentMs.get(owner) ?? 0;
  }

  /** What is planned while one is at work is that one's work as well. */
  override after(delayMs: number, run: () => void): () => void {
    const owner = this.#owner;
    return super.after(delayMs, () => {
      this.mark(owner);
      run();
    });
  }
}

/**
 * The simulator's network without faults, for a thousand members: whole members are connected with everybody, the
 * others only with them, and gossip comes straight to all, as a farm's neighbours pass it on. Everything that is
 * said is counted where it is said and where it is heard, by its canonical bytes.
 */
export class ScaleWire extends SimWire {
  seen: Seen = () => undefined;
  readonly #metered: MeteredTimeline;
  readonly #all = new Map<PeerId, Station>();
  readonly #whole = new Set<PeerId>();
  readonly #far = new Set<PeerId>();

  constructor(timeline: MeteredTimeline, dice: Dice) {
    super(timeline, dice);
    this.#metered = timeline;
  }

  /** A whole member works on its own account. */
  isWhole(peer: PeerId, host: Host): void {
    this.#whole.add(peer);
    const deliver = host.deliver.bind(host);
    host.deliver = (run) => {
      this.#metered.mark(peer);
      deliver(run);
    };
  }

  said(from: PeerId, to: PeerId | undefined, kind: string, bytes: number): void {
    this.#metered.forNobody(() => {
      this.seen(from, kind, bytes, 'out');
      if (to !== undefined) this.seen(to, kind, bytes, 'in');
    });
  }

  /** It answers after the other whole ones, and so succeeds none of them. */
  isFar(peer: PeerId): void {
    this.#far.add(peer);
  }

  override station(peer: PeerId, host: Host): Station {
    const station = super.station(peer, host);
    this.#all.set(peer, station);
    return station;
  }

  override mesh(peer: PeerId, init: MeshInit): MemoryMesh {
    return new CountedMesh(this, init, this.of(peer).ports);
  }

  override changed(): void {
    // Members stay the same, and are connected as they start.
  }

  override announce(): void {
    // All know each other.
  }

  override search(): void {
    // All know each other.
  }

  override started(mesh: MemoryMesh): void {
    const station = this.of(mesh.self);
    station.mesh = mesh;
    station.powered = true;
    for (const [peer, other] of this.#all) {
      if (peer === mesh.self || other.mesh?.running !== true) continue;
      const bothWhole = this.#whole.has(peer) && this.#whole.has(mesh.self);
      if (!bothWhole && !this.#whole.has(peer) && !this.#whole.has(mesh.self)) continue;
      const isFar = this.#far.has(peer) || this.#far.has(mesh.self);
      // Whole members answer a new coordinator first, so that its successors are such as can succeed it.
      for (const way of [this.way(peer, mesh.self), this.way(mesh.self, peer)])
        [way.baseMs, way.jitterMs] = !bothWhole ? [1.5, 0.5] : isFar ? [1, 0.1] : [0.3, 0.1];
      this.connect(mesh.self, peer);
    }
  }

  override post(from: MemoryMesh, to: PeerId, action: (to: MemoryMesh) => void): void {
    this.#metered.forNobody(() => super.post(from, to, action));
  }

  override gossip(origin: MemoryMesh, topic: GossipTopic, bytes: Uint8Array): void {
    this.#metered.forNobody(() => this.#gossip(origin, topic, bytes));
  }

  #gossip(origin: MemoryMesh, topic: GossipTopic, bytes: Uint8Array): void {
    const light: [PeerId, Station][] = [];
    for (const [to, station] of this.#all) {
      if (to === origin.self || station.mesh?.running !== true) continue;
      if (!this.#whole.has(to)) light.push([to, station]);
      else this.#later(() => station.host.deliver(() => this.#hear(to, origin.self, topic, bytes)));
    }
    // In one event: a thousand of them are not what is measured.
    this.#later(() => {
      for (const [to, { host }] of light) host.deliver(() => this.#hear(to, origin.self, topic, bytes));
    });
  }

  #later(hear: () => void): void {
    this.timeline.after(1 + this.dice.longTailed(1), hear);
  }

  #hear(to: PeerId, from: PeerId, topic: GossipTopic, bytes: Uint8Array): void {
    const { mesh } = this.of(to);
    if (mesh?.running !== true) return;
    this.seen(to, topic === 'records' ? 'records' : kindOf(bytes), bytes.length, 'in');
    mesh.hearGossip(topic, from, bytes);
  }

  override openStream(from: MemoryMesh, to: PeerId): readonly [MemoryStream, MemoryStream] {
    const ends = super.openStream(from, to);
    const peers = [from.self, to] as const;
    for (const [side, end] of ends.entries()) {
      const write = end.write.bind(end);
      const [self, other] = side === 0 ? peers : [peers[1], peers[0]];
      end.write = (chunk, options) => {
        this.said(self, other, 'stream', chunk.length);
        return write(chunk, options);
      };
    }
    return ends;
  }
}

class CountedMesh extends MemoryMesh {
  readonly #scale: ScaleWire;

  constructor(wire: ScaleWire, init: MeshInit, ports: { mesh: number; lobby: number }) {
    super(wire, init, ports);
    this.#scale = wire;
  }

  override send(to: PeerId, message: Uint8Array): void {
    const kind = kindOf(message);
    this.#scale.said(this.self, to, kind, message.length);
    super.send(to, message);
  }

  override gossip(topic: GossipTopic, message: Uint8Array): void {
    const kind = topic === 'records' ? 'records' : kindOf(message);
    this.#scale.said(this.self, undefined, kind, message.length);
    super.gossip(topic, message);
  }
}
