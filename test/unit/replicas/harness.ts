import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import {
  encode,
  mergeRecords,
  recordKey,
  type KnownRecord,
  type PeerId,
  type Verify,
} from '@cuadro/protocol';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { createMemoryNetwork, type MemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import type { RecordSync } from '../../../node/src/replicas/interface.ts';
import { createRecordSync } from '../../../node/src/replicas/sync.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';

export const FARM = 'aaaaaaaaaaaaaaaa';

const silent = (): void => undefined;
export const quiet: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message, fields) => {
    throw new Error(`${message} ${JSON.stringify(fields)}`);
  },
  child: () => quiet,
};

/** A node as far as its records go: merges as the core does, tombstones absorb, what is stored is told. */
export class Replica {
  readonly held = new Map<string, KnownRecord>();
  readonly mesh: Mesh;
  readonly sync: RecordSync;
  /** What was delivered, for tests of what passes the door. */
  readonly delivered: KnownRecord[] = [];

  constructor(lab: Lab, seed: number, verify: Verify) {
    const { clock } = lab;
    this.mesh = lab.network.mesh({
      privateKey: new Uint8Array(32).fill(seed),
      listen: ['127.0.0.1'],
      meshPort: 0,
      lobbyPort: 0,
      serviceName: undefined,
    });
    this.sync = createRecordSync({
      clock,
      mesh: this.mesh,
      random: createSeededRandom(seed),
      logger: quiet,
      verify,
      records: { get: (key) => this.held.get(key), all: () => this.held.values() },
      deliver: async (_from, records) => {
        this.delivered.push(...records);
        await nextTurn();
        this.take(records);
      },
    });
  }

  get peer(): PeerId {
    return this.mesh.self;
  }

  /** Merges and stores; gives back what changed, as it is now. */
  take(records: readonly KnownRecord[]): KnownRecord[] {
    const put = new Map<string, KnownRecord>();
    const removed = new Set<string>();
    for (const record of records) {
      const key = recordKey(record);
      if (record.kind === 'task' && this.#isDeleted(record.job)) continue;
      const before = this.held.get(key);
      const merged = before === undefined ? record : mergeRecords(before, record);
      if (merged === before) continue;
      this.held.set(key, merged);
      put.set(key, merged);
      if (merged.kind !== 'job' || merged.deleted === undefined) continue;
      for (const other of this.held.keys()) {
        if (!other.startsWith(`task/${merged.id}/`)) continue;
        this.held.delete(other);
        put.delete(other);
        removed.add(other);
      }
    }
    this.sync.persisted([...put.values()], [...removed]);
    return [...put.values()];
  }

  /** A change of this node's own: stored, and gossiped. */
  change(records: readonly KnownRecord[]): void {
    this.sync.publish(this.take(records));
  }

  /** Every record by key and hash of its canonical bytes: what two replicas must have in common. */
  content(): string[] {
    return [...this.held]
      .map(([key, record]) => `${key} ${hash('sha256', encode(record)).slice(0, 16)}`)
      .sort();
  }

  #isDeleted(job: string): boolean {
    const record = this.held.get(`job/${job}`);
    return record?.kind === 'job' && record.deleted !== undefined;
  }
}

/** Some replicas on a network in memory. */
export class Lab {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork = createMemoryNetwork({ clock: this.clock });
  readonly replicas: Replica[] = [];

  /** Starts replicas that all know each other. `fill` puts records in before; `verify` is for signatures. */
  static async of(
    count: number,
    options: { verify?: Verify; fill?: (replica: Replica, index: number) => void } = {},
  ): Promise<Lab> {
    const lab = new Lab();
    for (let i = 0; i < count; i++) {
      const replica = new Replica(lab, i + 1, options.verify ?? (() => true));
      options.fill?.(replica, i);
      lab.replicas.push(replica);
    }
    const members = new Set(lab.replicas.map(({ peer }) => peer));
    for (const replica of lab.replicas) {
      await replica.sync.start();
      await replica.mesh.start();
    }
    for (const { mesh } of lab.replicas) {
      mesh.setMembership({ farm: FARM, members });
      for (const other of lab.replicas) mesh.addAddresses(other.peer, other.mesh.status().meshAddresses);
    }
    // Each pair exchanges once when it meets; tests begin after that.
    const pairs = (count * (count - 1)) / 2;
    await lab.until(
      () => lab.opened() >= pairs && lab.replicas.every(({ sync }) => sync.root() !== undefined),
    );
    return lab;
  }

  /** Exchanges that ended at those who opened them. */
  opened(): number {
    const ended = this.replicas.map(({ sync }) => {
      const { served: _served, ...outcomes } = sync.status().exchanges;
      return Object.values(outcomes).reduce((sum, count) => sum + count, 0);
    });
    return ended.reduce((sum, count) => sum + count, 0);
  }

  at(index: number): Replica {
    const replica = this.replicas[index];
    assert.ok(replica);
    return replica;
  }

  /** Turns of the loop until it holds, without time going on. */
  async until(holds: () => boolean, turns = 20_000): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      if (holds()) return;
      await nextTurn();
    }
    assert.ok(holds(), 'Waited in vain.');
  }

  /** Lets time go on in steps, with turns of the loop in each. */
  async pass(totalMs: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < totalMs; passed += stepMs) {
      await this.clock.advanceSettled(stepMs);
      for (let turn = 0; turn < 20; turn++) await nextTurn();
    }
  }

  /** Every second each tells the others its root, as beacons and pulses do. */
  async beacons(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const { sync, peer } of this.replicas) {
        const root = sync.root();
        for (const other of this.replicas) {
          if (other.peer !== peer && root !== undefined && other.mesh.reachable().includes(peer)) {
            other.sync.heardRoot(peer, root);
          }
        }
      }
      await this.pass(1_000);
    }
  }

  async stop(): Promise<void> {
    for (const { sync, mesh } of this.replicas) {
      await sync.stop();
      await mesh.stop();
    }
    assert.equal(this.clock.pendingTimers, 0, 'Timers are left behind.');
  }
}

/** Objects to the first few records that the two do not have in common. */
export function assertSame(one: Replica, other: Replica): void {
  const [left, right] = [new Set(one.content()), new Set(other.content())];
  const apart = [
    ...[...left].filter((entry) => !right.has(entry)),
    ...[...right].filter((entry) => !left.has(entry)),
  ].sort();
  assert.deepEqual(apart.slice(0, 6), [], `${apart.length} differences`);
  assert.equal(one.sync.root(), other.sync.root());
}

export async function withLab(
  count: number,
  options: Parameters<typeof Lab.of>[1],
  use: (lab: Lab) => Promise<void>,
): Promise<void> {
  const lab = await Lab.of(count, options);
  try {
    await use(lab);
  } finally {
    await lab.stop();
  }
}
