import { createHash } from 'node:crypto';
import type { PeerId } from '@cuadro/protocol';
import type {
  FoundNode,
  GossipTopic,
  Mesh,
  MeshInit,
  MeshStream,
  PeerState,
} from '../../../node/src/mesh/interface.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';

/** An implementation of the mesh, and what the suite needs to try it. */
export interface MeshUnderTest {
  readonly name: string;
  /** With `cuttable`, connections can be reset. */
  network(options?: { readonly cuttable?: boolean }): NetworkUnderTest;
}

export interface NetworkUnderTest {
  mesh(init: MeshInit): Mesh;
  /** Ends the connections between two at once, as a switch that is power-cycled does. */
  reset(a: Mesh, b: Mesh): void;
  /** Where a mesh is to be reached; of a cuttable network, where `reset` finds the connection. */
  addressesOf(mesh: Mesh): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export const FARM = 'abcdefghijklmnop';
export const OTHER_FARM = 'ponmlkjihgfedcba';

/** Everything that a mesh told, in order. */
export interface Told {
  readonly states: { readonly peer: PeerId; readonly state: PeerState }[];
  readonly messages: { readonly from: PeerId; readonly bytes: Uint8Array }[];
  readonly gossip: { readonly topic: GossipTopic; readonly from: PeerId; readonly bytes: Uint8Array }[];
  readonly found: FoundNode[];
}

export interface Node {
  readonly mesh: Mesh;
  readonly peer: PeerId;
  readonly told: Told;
  readonly init: MeshInit;
  /** What it told of one peer, in order. */
  statesOf(peer: PeerId): PeerState[];
}

/** A machine of a network; started by `gather` or by the test. */
export function nodeOn(network: NetworkUnderTest, init: Partial<MeshInit> = {}): Node {
  const full: MeshInit = {
    privateKey: temporaryIdentity().privateKey(),
    listen: ['127.0.0.1'],
    meshPort: 0,
    lobbyPort: 0,
    serviceName: undefined,
    ...init,
  };
  const mesh = network.mesh(full);
  const told: Told = { states: [], messages: [], gossip: [], found: [] };
  mesh.subscribe({
    peer: (peer, state) => told.states.push({ peer, state }),
    message: (from, bytes) => told.messages.push({ from, bytes: Uint8Array.from(bytes) }),
    gossip: (topic, from, bytes) => told.gossip.push({ topic, from, bytes: Uint8Array.from(bytes) }),
    found: (node) => told.found.push(node),
  });
  return {
    mesh,
    peer: mesh.self,
    told,
    init: full,
    statesOf: (peer) => told.states.filter((entry) => entry.peer === peer).map(({ state }) => state),
  };
}

export const membersOf = (...nodes: Node[]): ReadonlySet<PeerId> => new Set(nodes.map(({ peer }) => peer));

/** Starts them as one farm, tells each where the others are, and waits until all are connected. */
export async function gather(network: NetworkUnderTest, ...nodes: Node[]): Promise<void> {
  const members = membersOf(...nodes);
  for (const { mesh } of nodes) mesh.setMembership({ farm: FARM, members });
  for (const { mesh } of nodes) await mesh.start();
  await introduce(network, ...nodes);
  await allReachable(...nodes);
}

export async function introduce(network: NetworkUnderTest, ...nodes: Node[]): Promise<void> {
  for (const { mesh } of nodes) {
    for (const other of nodes) {
      if (other.mesh !== mesh) mesh.addAddresses(other.peer, await network.addressesOf(other.mesh));
    }
  }
}

export async function allReachable(...nodes: Node[]): Promise<void> {
  await until('all reach all', () =>
    nodes.every(({ mesh }) => nodes.every((other) => other.mesh === mesh || reaches(mesh, other.peer))),
  );
}

export const reaches = (mesh: Mesh, peer: PeerId): boolean => mesh.reachable().includes(peer);

/** Polls a condition, letting everything else run in between; fails with `what` after a bound far above all times. */
export async function until(what: string, condition: () => boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not within ${limitMs / 1000} s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Bytes that differ everywhere, made quickly. */
export function bytesOf(count: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = seed | 1;
  for (let index = 0; index < words.length; index += 1) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, count);
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
export const bytesOfText = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** Reads a stream to its end. */
export async function readAll(stream: MeshStream): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of stream.chunks) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** The value below which `share` of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
