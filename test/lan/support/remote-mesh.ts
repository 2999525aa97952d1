import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FarmId, PeerId } from '@cuadro/protocol';
import type { FoundNode, MeshStatus, PeerState } from '../../../node/src/mesh/interface.ts';
import { identityOf } from '../../../node/src/system/identity.ts';
import { until } from '../../e2e/support/wait.ts';
import type { Host } from './hosts.ts';

export interface ProcessInit {
  readonly seed: string;
  readonly farm: FarmId;
  readonly members: readonly PeerId[];
  readonly serviceName: string | undefined;
}

export type Command =
  | { readonly do: 'send'; readonly to: PeerId; readonly text: string }
  | { readonly do: 'gossip'; readonly text: string }
  | { readonly do: 'add'; readonly peer: PeerId; readonly addresses: readonly string[] }
  /** So many streams at once, each of so many bytes. */
  | { readonly do: 'bulk'; readonly to: PeerId; readonly streams: number; readonly bytes: number }
  /** So many messages of so many bytes, one in each interval; `Pulse` tells what each says. */
  | {
      readonly do: 'pulses';
      readonly to: PeerId;
      readonly everyMs: number;
      readonly count: number;
      readonly bytes: number;
    }
  | { readonly do: 'search' | 'status' };

export type Event =
  | { readonly kind: 'peer'; readonly peer: PeerId; readonly state: PeerState }
  | { readonly kind: 'found'; readonly node: FoundNode }
  | { readonly kind: 'message' | 'gossip'; readonly from: PeerId; readonly text: string }
  | {
      readonly kind: 'pulse';
      readonly from: PeerId;
      readonly pulse: Pulse;
      readonly atMs: number;
      /** For how long the process that heard it had stood still until then. */
      readonly stoodMs: number;
    }
  | { readonly kind: 'status'; readonly status: MeshStatus }
  /** All that one `bulk` command sent has arrived, and for how long its process stood still meanwhile; or why not. */
  | { readonly kind: 'bulk'; readonly tookMs: number; readonly stoodMs: number; readonly error?: string };

export interface Pulse {
  /** When it was to be sent, by the clock that all processes of this machine share. */
  readonly dueMs: number;
  /** What had been sent before and had not arrived at another machine yet when it was sent. */
  readonly aheadBytes: number;
  /** For how long its process had stood still until then. */
  readonly stoodMs: number;
}

const SCRIPT = join(import.meta.dirname, 'mesh-process.ts');

/** The key of a named machine of a test, the same in each of its runs. */
export const seedOf = (name: string): Uint8Array => createHash('sha256').update(`test ${name}`).digest();
export const peerOf = (name: string): PeerId => identityOf(seedOf(name)).peer;

/** A mesh in a process of its own on a host of a test. */
export class RemoteMesh {
  readonly peer: PeerId;
  readonly events: Event[] = [];
  readonly #child: ReturnType<Host['spawn']>;

  constructor(host: Host, name: string, init: Omit<ProcessInit, 'seed'>) {
    this.peer = peerOf(name);
    const seed = Buffer.from(seedOf(name)).toString('hex');
    this.#child = host.spawn(process.execPath, [SCRIPT, JSON.stringify({ ...init, seed })]);
    if (this.#child.stdout === null) throw new Error('The process has no standard output.');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as Event);
    });
  }

  /** Resolves when it listens and knows its members. */
  async started(): Promise<MeshStatus> {
    return until('the mesh has started', () => this.#lastStatus());
  }

  do(command: Command): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  async status(): Promise<MeshStatus> {
    const count = this.events.filter(({ kind }) => kind === 'status').length;
    this.do({ do: 'status' });
    return until('it tells its status', () => {
      const statuses = this.events.filter((event) => event.kind === 'status');
      return statuses.length > count ? statuses.at(-1)?.status : undefined;
    });
  }

  statesOf(peer: PeerId): PeerState[] {
    return this.events
      .filter((event) => event.kind === 'peer')
      .flatMap((event) => (event.peer === peer ? [event.state] : []));
  }

  reaches(peer: PeerId): boolean {
    return this.statesOf(peer).at(-1) === 'reachable';
  }

  /** The latest announcement that it heard of a peer. */
  found(peer: PeerId): FoundNode | undefined {
    return this.events.filter((event) => event.kind === 'found').findLast(({ node }) => node.peer === peer)
      ?.node;
  }

  heard(kind: 'message' | 'gossip', text: string): boolean {
    return this.events.some((event) => event.kind === kind && event.text === text);
  }

  /** What it sent as bulk; fails where that did not arrive. */
  async bulkDone(limitMs: number): Promise<{ tookMs: number; stoodMs: number }> {
    const done = await until(
      'the bulk has arrived',
      () => this.events.find((event) => event.kind === 'bulk'),
      limitMs,
    );
    if (done.error !== undefined) throw new Error(`The bulk did not arrive: ${done.error}`);
    return done;
  }

  /** No goodbye, no close: the process is gone. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #lastStatus(): MeshStatus | undefined {
    return this.events.filter((event) => event.kind === 'status').at(-1)?.status;
  }
}
