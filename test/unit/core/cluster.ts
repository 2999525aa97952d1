import assert from 'node:assert/strict';
import {
  admissionKey,
  attemptKey,
  recordKey,
  signAdmission,
  signField,
  type FarmRecord,
  type KnownRecord,
  type MemberRecord,
  type Message,
  type PeerId,
  type Plan,
} from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import { Heap } from '../../../node/src/core/heap.ts';
import type { Core, CoreEffect, CoreInput, CoreOptions } from '../../../node/src/core/interface.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { capabilities, jobRecord, signer } from './farm.ts';

/**
 * Several cores on one virtual clock and a virtual network: enough to show who leads when connections and nodes
 * come and go. Everything follows from the seed.
 */

/** Peers in the order of their ids. */
export const PEERS: readonly PeerId[] = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'].map(
  (letter) => `12D3KooW${letter.repeat(12)}`,
);

type WithoutNow<T> = T extends unknown ? Omit<T, 'now'> : never;

interface Event {
  at: number;
  order: number;
  run: () => void;
  canceled: boolean;
}

interface Node {
  peer: PeerId;
  core: Core;
  /** What survives a crash. */
  stored: Map<string, KnownRecord>;
  term: number;
  alive: boolean;
  running: Map<string, { cancel: () => void }>;
  wake: (() => void) | undefined;
  connected: Set<PeerId>;
}

const FARM = 'farmfarmfarmfarm';

const farmRecord: FarmRecord = {
  kind: 'farm',
  id: FARM,
  founder: PEERS[0] as PeerId,
  name: { value: 'a farm', counter: 1, peer: PEERS[0] as PeerId },
};

export function memberRecord(peer: PeerId): MemberRecord {
  const founder = signer(PEERS[0] as PeerId);
  return {
    kind: 'member',
    peer,
    name: signField(signer(peer), 'member-name', `${peer}/name`, `machine ${peer.at(-1)}`, 1),
    admissions: {
      [admissionKey({ author: founder.peer, farm: FARM })]: signAdmission(founder, peer, {
        role: 'artist',
        farm: FARM,
        wallTime: 1,
      }),
    },
    removals: {},
  };
}

export class Cluster {
  readonly nodes: Node[] = [];
  now = 1_000;
  /** Milliseconds that one task takes. */
  taskMs = 700;
  /** Milliseconds that a message takes. */
  linkMs = 2;
  /** Until what was told to stop has ended: an engine may be writing, or takes its time to die. */
  stopMs = 0;
  /** All grants that were sent, as `to task`, in order. */
  readonly granted: string[] = [];
  /** Until a connection on which nothing gets through is found dead (SPEC R102). */
  noticeMs = 3_500;
  readonly plans = new Map<string, Plan>();
  readonly #random: ReturnType<typeof createSeededRandom>;
  readonly #cut = new Set<string>();
  readonly #events = new Heap<Event>((a, b) => a.at - b.at || a.order - b.order);
  #order = 0;
  readonly #options: Partial<CoreOptions>;
  readonly #members: readonly KnownRecord[];

  constructor(
    count: number,
    { seed = 1, options = {} }: { seed?: number; options?: Partial<CoreOptions> } = {},
  ) {
    this.#random = createSeededRandom(seed);
    this.#options = options;
    const peers = PEERS.slice(0, count);
    this.#members = [farmRecord, ...peers.map(memberRecord)];
    for (const peer of peers) {
      const stored = new Map(this.#members.map((record) => [recordKey(record), record]));
      this.nodes.push(this.#newNode({ peer, stored, term: 0 }));
    }
  }

  #newNode(kept: Pick<Node, 'peer' | 'stored' | 'term'>): Node {
    const { peer, stored, term } = kept;
    const init = { self: peer, name: peer, term, records: stored.values(), options: this.#options };
    return {
      ...kept,
      core: createCore(init),
      alive: false,
      running: new Map(),
      wake: undefined,
      connected: new Set(),
    };
  }

  node(index: number): Node {
    return this.nodes[index] as Node;
  }

  start(...indices: number[]): this {
    for (const index of indices) {
      const node = this.node(index);
      if (node.alive) continue;
      node.alive = true;
      this.input(node, { kind: 'start' });
      this.input(node, {
        kind: 'worker',
        capabilities: capabilities(),
        slots: 1,
        bundles: [],
        accepting: true,
      });
      for (const other of this.nodes) this.#connect(node, other);
    }
    return this;
  }

  startAll(): this {
    return this.start(...this.nodes.keys());
  }

  /** SIGKILL: connections are reset at once, and redials are refused. */
  kill(index: number): void {
    const node = this.node(index);
    node.alive = false;
    node.wake?.();
    for (const { cancel } of node.running.values()) cancel();
    for (const other of this.nodes) {
      if (!other.connected.delete(node.peer)) continue;
      this.#later(this.#delay(), () => this.#told(other, node.peer, 'lost'));
      this.#later(this.#delay() + 5, () => {
        if (!node.alive) this.#told(other, node.peer, 'refused');
      });
    }
    this.nodes[index] = this.#newNode(node);
  }

  /** Nothing gets through between two nodes; each is told as its monitor would notice. */
  cut(a: number, b: number): void {
    this.#cut.add(pair(a, b));
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const node = this.node(one);
      const { peer } = this.node(other);
      if (!node.connected.delete(peer)) continue;
      this.#later(this.noticeMs + this.#delay(), () => this.#told(node, peer, 'lost'));
      this.#later(this.noticeMs + 1_000 + this.#delay(), () => this.#told(node, peer, 'silent'));
    }
  }

  restore(a: number, b: number): void {
    this.#cut.delete(pair(a, b));
    this.#connect(this.node(a), this.node(b));
  }

  /** Cuts the nodes into two groups, or heals all cuts between them. */
  split(group: readonly number[], whole = false): void {
    for (const a of this.nodes.keys()) {
      for (const b of this.nodes.keys()) {
        if (a >= b || group.includes(a) === group.includes(b)) continue;
        if (whole) this.restore(a, b);
        else this.cut(a, b);
      }
    }
  }

  input(node: Node, input: WithoutNow<CoreInput>): void {
    if (!node.alive) return;
    for (const effect of node.core.step({ ...input, now: this.now, wallTime: this.now })) {
      this.#carryOut(node, effect);
    }
  }

  submit(index: number, plan: Plan, changes: Parameters<typeof jobRecord>[1] = {}): string {
    const node = this.node(index);
    const record = jobRecord(plan, { ...changes, author: node.peer });
    this.plans.set(record.id, plan);
    this.input(node, { kind: 'records', from: node.peer, records: [record] });
    return record.id;
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#events.peek(); next !== undefined && next.at <= end; next = this.#events.peek()) {
      this.#events.pop();
      this.now = next.at;
      if (!next.canceled) next.run();
    }
    this.now = end;
  }

  /** Runs until a condition holds, and returns how long that took. */
  until(what: string, condition: () => boolean, limitMs = 60_000): number {
    const begin = this.now;
    while (!condition()) {
      assert.ok(
        this.now - begin < limitMs,
        `not within ${limitMs} ms: ${what}; ${JSON.stringify(this.leaders())}`,
      );
      this.run(5);
    }
    return this.now - begin;
  }

  /** Whom each living node takes for the coordinator. */
  leaders(): (string | undefined)[] {
    return this.nodes.filter(({ alive }) => alive).map(({ core }) => core.epoch?.peer.at(-1));
  }

  /** The one coordinator that all living nodes agree on, or undefined. */
  leader(): number | undefined {
    const living = this.nodes.filter(({ alive }) => alive);
    const peers = new Set(living.map(({ core }) => core.epoch?.peer));
    const [peer] = peers;
    if (peers.size !== 1 || peer === undefined) return undefined;
    const index = this.nodes.findIndex((node) => node.peer === peer);
    return this.node(index).alive && this.node(index).core.isCoordinator ? index : undefined;
  }

  #carryOut(node: Node, effect: CoreEffect): void {
    switch (effect.kind) {
      case 'persist':
        for (const record of effect.records) node.stored.set(recordKey(record), record);
        for (const key of effect.removed) node.stored.delete(key);
        node.term = effect.term ?? node.term;
        return;
      case 'send':
        this.#send(node, effect.to, effect.message);
        return;
      case 'gossip':
        for (const other of this.#reachedFrom(node)) {
          this.#deliver(other, { kind: 'message', from: node.peer, message: effect.message, gossiped: true });
        }
        return;
      case 'publish':
        for (const other of this.#reachedFrom(node)) {
          this.#deliver(other, { kind: 'records', from: node.peer, records: effect.records });
        }
        return;
      case 'run':
        this.#runTask(node, effect);
        return;
      case 'stop-attempt':
        this.#stopTask(node, effect);
        return;
      case 'need-plan': {
        const plan = this.plans.get(effect.job);
        if (plan) this.#later(1, () => this.input(node, { kind: 'plan', job: effect.job, plan }));
        return;
      }
      case 'wake-at':
        node.wake?.();
        node.wake =
          effect.at === undefined
            ? undefined
            : this.#later(Math.max(0, effect.at - this.now), () => this.input(node, { kind: 'wake' }));
        return;
      case 'changed':
    }
  }

  #runTask(node: Node, { grant }: Extract<CoreEffect, { kind: 'run' }>): void {
    const { attempt } = grant;
    const key = attemptKey(attempt);
    const before = [...node.running.keys()].length;
    const cancel = this.#later(this.taskMs * (before + 1), () =>
      this.#endTask(node, key, {
        kind: 'ended',
        attempt,
        outcome: { kind: 'result', files: [], renderMs: this.taskMs, wallTime: this.now },
      }),
    );
    node.running.set(key, { cancel });
  }

  #stopTask(node: Node, { attempt, reason }: Extract<CoreEffect, { kind: 'stop-attempt' }>): void {
    const key = attemptKey(attempt);
    const end = (): void =>
      this.#endTask(node, key, { kind: 'ended', attempt, outcome: { kind: 'stopped', reason } });
    if (this.stopMs === 0) return end();
    node.running.get(key)?.cancel();
    this.#later(this.stopMs, end);
  }

  #endTask(node: Node, key: string, input: WithoutNow<CoreInput>): void {
    const running = node.running.get(key);
    if (running === undefined) return;
    running.cancel();
    node.running.delete(key);
    this.input(node, input);
  }

  #send(from: Node, to: PeerId, message: Message): void {
    const other = this.nodes.find(({ peer }) => peer === to);
    if (other === undefined || !from.connected.has(to)) return;
    if (message.kind === 'grants')
      this.granted.push(...message.grants.map(({ task }) => `${to.at(-1)} ${task}`));
    this.#deliver(other, { kind: 'message', from: from.peer, message }, () => from.connected.has(to));
  }

  /** Ordered by time: one hop has the same delay for all that is sent at once. */
  #deliver(to: Node, input: WithoutNow<CoreInput>, still: () => boolean = () => true): void {
    this.#later(this.linkMs, () => {
      if (still()) this.input(to, input);
    });
  }

  /** Gossip passes over other nodes. */
  #reachedFrom(node: Node): Node[] {
    const reached = new Set<PeerId>([node.peer]);
    for (const peer of reached) {
      for (const next of this.nodes.find((one) => one.peer === peer)?.connected ?? []) reached.add(next);
    }
    return this.nodes.filter(({ peer, alive }) => alive && peer !== node.peer && reached.has(peer));
  }

  #connect(a: Node, b: Node): void {
    if (a === b || !a.alive || !b.alive || a.connected.has(b.peer)) return;
    if (this.#cut.has(pair(this.nodes.indexOf(a), this.nodes.indexOf(b)))) return;
    this.#later(this.#delay(), () => {
      if (!a.alive || !b.alive || a.connected.has(b.peer)) return;
      if (this.#cut.has(pair(this.nodes.indexOf(a), this.nodes.indexOf(b)))) return;
      a.connected.add(b.peer);
      b.connected.add(a.peer);
      this.#told(a, b.peer, 'reachable');
      this.#told(b, a.peer, 'reachable');
      // The exchange of records, as the sync room does it.
      this.#later(this.#delay(), () => {
        this.input(a, { kind: 'records', from: b.peer, records: [...b.stored.values()] });
        this.input(b, { kind: 'records', from: a.peer, records: [...a.stored.values()] });
      });
    });
  }

  #told(node: Node, peer: PeerId, state: 'reachable' | 'lost' | 'refused' | 'silent'): void {
    if ((state === 'reachable') !== node.connected.has(peer)) return;
    this.input(node, { kind: 'peer', peer, state });
  }

  #delay(): number {
    return 1 + Math.floor(this.#random.float() * 8);
  }

  #later(delayMs: number, run: () => void): () => void {
    const event: Event = { at: this.now + delayMs, order: this.#order++, run, canceled: false };
    this.#events.push(event);
    return () => {
      event.canceled = true;
    };
  }
}

const pair = (a: number, b: number): string => (a < b ? `${a}-${b}` : `${b}-${a}`);
