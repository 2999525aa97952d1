import type { PeerId } from '@cuadro/protocol';
import type { GossipTopic } from '../../node/src/mesh/interface.ts';
import type { MemoryMesh } from '../../node/src/mesh/memory-member.ts';
import type { Dice } from './dice.ts';
import type { SimWire } from './wire.ts';

/** A message that somebody gossiped. */
interface Said {
  readonly self: PeerId;
  /** Of two messages the later said has the higher number. */
  readonly number: number;
  readonly topic: GossipTopic;
  readonly bytes: Uint8Array;
  /** Who has heard it, and when. */
  readonly heard: Map<PeerId, number>;
}

/** So often each node tells a few others what it heard lately, by name alone. */
const HEARTBEAT_MS = 1_000;
/** It names what it heard within three heartbeats. */
const NAMED_MS = 3 * HEARTBEAT_MS;
/** To so many at a time, chosen at random: `Dlazy` of the real mesh. */
const NAMED_TO = 3;

/**
 * Gossip as the real mesh brings it. The origin sends it to all that it is connected to, and those whom it is not get it
 * by way of others. Whoever has it already names it to others once a second, and who lacks it asks for it: so a slow way
 * from its origin holds it up for about a second only, wherever the ways from others are quick. What the topic's mesh
 * passes on at once is left out: it has two neighbours for each node, and none need lead past the slow way.
 */
export class Gossip {
  readonly #wire: SimWire;
  /** Of its own: a run in which nobody misses anything is the same as without. */
  readonly #dice: Dice;
  /** What may still be named by somebody. */
  readonly #recent = new Set<Said>();
  #number = 0;
  /** By process: the highest number that it heard, of each origin and topic. */
  readonly #latest = new WeakMap<MemoryMesh, Map<string, number>>();

  constructor(wire: SimWire) {
    this.#wire = wire;
    this.#dice = wire.dice.fork('gossip');
  }

  /** Each node that any path leads to hears it once, soon; over a way that is cut it comes when that heals. */
  say(origin: MemoryMesh, topic: GossipTopic, bytes: Uint8Array): void {
    const { self } = origin;
    const { dice, timeline, traffic, gossipLoss, gossipReplay } = this.#wire;
    const number = ++this.#number;
    const said: Said = { self, number, topic, bytes, heard: new Map([[self, timeline.now]]) };
    this.#recent.add(said);
    const reached = new Map<PeerId, number>([[self, 0]]);
    for (const [from, at] of reached) {
      for (const [to, { host }] of this.#wire.stations()) {
        if (reached.has(to) || to === from) continue;
        const pair = this.#wire.pair(from, to);
        const { session } = pair;
        if (session?.isOpen(from) !== true) continue;
        const way = pair.way(from);
        const hear = (): void => this.#hear(said, to);
        if (way.isCut) {
          if (from === self) way.held.push({ session, to, run: hear });
          continue;
        }
        if (gossipLoss > 0 && dice.chance(gossipLoss)) continue;
        const arrival = at + way.latency(dice);
        reached.set(to, arrival);
        traffic.gossiped += 1;
        timeline.after(arrival, () => {
          if (!host.isSuspended) host.deliver(hear);
        });
        if (gossipReplay > 0 && dice.chance(gossipReplay)) {
          const { life } = host;
          // A node that was restarted has forgotten what it heard.
          timeline.after(dice.between(500, 20_000), () =>
            host.deliver(() => {
              const { mesh } = this.#wire.of(to);
              if (host.life === life || mesh?.running !== true) return;
              traffic.replayed += 1;
              mesh.hearGossip(topic, self, bytes);
            }),
          );
        }
      }
    }
  }

  /** The heartbeat of a node, for as long as it runs. */
  begin(mesh: MemoryMesh): void {
    this.#beatAfter(this.#dice.between(0, HEARTBEAT_MS), mesh);
  }

  #beatAfter(delayMs: number, mesh: MemoryMesh): void {
    this.#wire.timeline.after(delayMs, () => {
      const { mesh: latest, host } = this.#wire.of(mesh.self);
      if (latest !== mesh || !mesh.running) return;
      if (!host.isStalled) this.#name(mesh.self);
      this.#beatAfter(HEARTBEAT_MS, mesh);
    });
  }

  #name(from: PeerId): void {
    const { now } = this.#wire.timeline;
    const named: Said[] = [];
    for (const said of this.#recent) {
      const times = [...said.heard.values()];
      if (times.every((at) => now - at > NAMED_MS)) this.#recent.delete(said);
      else if (now - (said.heard.get(from) ?? Number.NEGATIVE_INFINITY) <= NAMED_MS) named.push(said);
    }
    const lacking = [...this.#wire.stations()].map(([to]) => to).filter((to) => this.#canAsk(from, to));
    for (let told = 0; told < NAMED_TO && lacking.length > 0; told++) {
      const [to] = lacking.splice(this.#dice.whole(0, lacking.length - 1), 1);
      if (to === undefined) return;
      for (const said of named) if (!said.heard.has(to)) this.#fetch(said, from, to);
    }
  }

  /** Whether what `from` names reaches `to`, and the question for it comes back. */
  #canAsk(from: PeerId, to: PeerId): boolean {
    const pair = this.#wire.pair(from, to);
    const isOpen = pair.session?.isOpen(from) === true && pair.session.isOpen(to);
    return from !== to && isOpen && !pair.way(from).isCut && !pair.way(to).isCut;
  }

  /** The name goes there, the question back, and the message there. */
  #fetch(said: Said, from: PeerId, to: PeerId): void {
    const { timeline, traffic, gossipLoss } = this.#wire;
    const pair = this.#wire.pair(from, to);
    const { session } = pair;
    if (gossipLoss > 0 && this.#dice.chance(gossipLoss)) return;
    const [there, back] = [pair.way(from), pair.way(to)];
    const takesMs = there.latency(this.#dice) + back.latency(this.#dice) + there.latency(this.#dice);
    timeline.after(takesMs, () => {
      const { host } = this.#wire.of(to);
      const isStalled = host.isStalled || this.#wire.of(from).host.isStalled;
      // It may have come by another way meanwhile, and what stands still neither asks nor answers.
      if (isStalled || said.heard.has(to) || !this.#canAsk(from, to) || pair.session !== session) return;
      traffic.gossiped += 1;
      host.deliver(() => this.#hear(said, to));
    });
  }

  #hear(said: Said, to: PeerId): void {
    const { mesh } = this.#wire.of(to);
    // Taken from members only, and once.
    if (mesh?.running !== true || said.heard.has(to) || !mesh.isMember(said.self)) return;
    said.heard.set(to, this.#wire.timeline.now);
    this.#recent.add(said);
    if (this.#isOvertaken(mesh, said)) this.#wire.traffic.disordered += 1;
    mesh.hearGossip(said.topic, said.self, said.bytes);
  }

  /** Whether a process has heard what the same origin said later on the same topic. */
  #isOvertaken(mesh: MemoryMesh, { self, topic, number }: Said): boolean {
    const latest = this.#latest.get(mesh) ?? new Map<string, number>();
    this.#latest.set(mesh, latest);
    const key = `${self} ${topic}`;
    const isOvertaken = number < (latest.get(key) ?? 0);
    if (!isOvertaken) latest.set(key, number);
    return isOvertaken;
  }
}
