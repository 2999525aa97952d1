import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { defaultTransferOptions } from '../../node/src/blobs/transfer/limits.ts';
import { BEACON_LATE_MS, defaultOptions as core, PULSE_BYTES } from '../../node/src/core/options.ts';
import { ALLOWANCE_BYTES_MIN, defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { until } from '../e2e/support/wait.ts';
import { type Host, Lan, onHosts } from './support/hosts.ts';
import { type Event, peerOf, RemoteMesh } from './support/remote-mesh.ts';

const FARM = 'abcdefghijklmnop';
const NAMES = ['a', 'b'] as const;
const LINK_MEGABITS = 20;
/** Each way, as many as one machine has answered by another at a time. */
const STREAMS = Math.min(defaultTransferOptions.lanesPerPeer, defaultTransferOptions.uploads);
/** What a line carries in 20 s, all streams together: so much on each. */
const streamBytes = (megabits: number): number => Math.floor((megabits * 1e6 * 20) / 8 / STREAMS);
/**
 * What may stand before a pulse that goes by the same connection as bulk, as the time in which the line carries it: R165
 * allows half, and the rest is what the sender errs by where the processes stand still. It is judged by the bytes, as a
 * busy machine is later with a pulse than its line.
 */
const AHEAD_MS_MAX = 400;
const bytesIn = (ms: number, megabits: number): number => (megabits * 1_000 * ms) / 8;
/** Beyond the bulk's end, headers and the time to find out that no second connection can be had included. */
const PULSES = 60;
/**
 * Of the line, what the bulk must have used, but for the time for which a process stood still: the rest is headers,
 * pulses, and TCP's own search.
 */
const FULL_SHARE = 0.7;
/** Patience with a test that hangs: how soon it ends says how busy this machine is. */
const BULK_WITHIN_MS = 120_000;
/** Before so many pulses each way bulk must have stood, or there was nothing to judge: without a bound all are late. */
const PULSES_BEHIND_MIN = 10;

/**
 * By how much a message may come later than the one before it, before somebody is suspected for it: the silence that
 * each detector bears, less the interval in which it is used to hear.
 */
const BORNE_MS = Math.min(
  // Three pulses missed: whoever is asked then says that it has lost the coordinator.
  core.pulseIntervalMs * core.pulsesMissedMax - core.pulseIntervalMs,
  // Two beacons missed: named in the pulse, and heard by way of others.
  BEACON_LATE_MS - core.beaconIntervalMs,
  core.leaseMs - core.beaconIntervalMs,
  // The connection itself is given up.
  defaultMeshLimits.silenceMs - defaultMeshLimits.beatMs,
);

type Arrival = Extract<Event, { kind: 'pulse' }>;

/** How long nothing was heard before each pulse, less that for which either process stood still meanwhile. */
const silences = (pulses: readonly Arrival[]): number[] =>
  pulses.slice(1).map((one, index) => {
    const before = pulses[index] ?? one;
    const stoodMs = one.stoodMs - before.stoodMs + one.pulse.stoodMs - before.pulse.stoodMs;
    return one.atMs - before.atMs - stoodMs;
  });

describe('a slow line that is full of bulk both ways', () => {
  let lan: Lan;
  let hosts: Host[];
  let meshes: RemoteMesh[];
  beforeEach(async () => {
    lan = new Lan();
    hosts = NAMES.map((name) => lan.host({ name, networks: [1] }));
    const init = { farm: FARM, members: NAMES.map(peerOf), serviceName: 'cuadro-narrow' };
    meshes = hosts.map((host, index) => new RemoteMesh(host, NAMES[index] ?? '', init));
    const [a, b] = meshes as [RemoteMesh, RemoteMesh];
    await until('both meet', () => a.reaches(b.peer) && b.reaches(a.peer));
    // Each may have dialled the other at once.
    await until('one connection is left', () => connections().length === 1);
  });
  afterEach(() => lan.remove());

  const connections = (): string[] => (hosts[0] as Host).connectionsOn(1);
  const other = (mesh: RemoteMesh): RemoteMesh => meshes.find((one) => one !== mesh) as RemoteMesh;
  const arrivals = (mesh: RemoteMesh): Arrival[] => mesh.events.filter((event) => event.kind === 'pulse');

  /** Bulk both ways, and pulses of the largest size meanwhile; gives the connections that there were with it. */
  async function fill(t: TestContext, where: string, megabits = LINK_MEGABITS): Promise<string[]> {
    for (const host of hosts) host.limit('eth0', megabits);
    const bytes = streamBytes(megabits);
    for (const mesh of meshes) {
      const to = other(mesh).peer;
      mesh.do({ do: 'pulses', to, everyMs: core.pulseIntervalMs, count: PULSES, bytes: PULSE_BYTES });
      mesh.do({ do: 'bulk', to, streams: STREAMS, bytes });
    }
    const done = await Promise.all(meshes.map((mesh) => mesh.bulkDone(BULK_WITHIN_MS)));
    const during = connections();
    await until('all pulses have arrived', () => meshes.every((mesh) => arrivals(mesh).length === PULSES));
    const slowest = Math.max(...done.map(({ tookMs }) => tookMs));
    // For some of that neither did anything; the longer one alone is sure.
    const stoodMs = Math.max(...done.map((one) => one.stoodMs));
    const shareIn = (ms: number): number => (STREAMS * bytes * 8) / 1_000 / ms / megabits;
    tellFigure(
      t,
      `${where}: percent of the line that the bulk used, the slower way`,
      shareIn(slowest) * 100,
      '',
    );
    const share = shareIn(slowest - stoodMs);
    tellFigure(t, `${where}: the same, but for the time for which a process stood still`, share * 100, '');
    assert.ok(share > FULL_SHARE, `the bulk used ${share} of the line, which was not full`);
    for (const mesh of meshes) {
      const behind = arrivals(mesh).filter(({ pulse }) => pulse.aheadBytes >= ALLOWANCE_BYTES_MIN).length;
      assert.ok(behind >= PULSES_BEHIND_MIN, `bulk stood before ${behind} pulses: the line was not full`);
    }
    return during;
  }

  function checkPulses(t: TestContext, where: string): void {
    const delays = meshes
      .flatMap((mesh) => arrivals(mesh).map(({ pulse, atMs }) => atMs - pulse.dueMs))
      .sort((a, b) => a - b);
    const at = (share: number): number => delays[Math.ceil(delays.length * share) - 1] as number;
    tellFigure(t, `${where}: delay of a pulse, p50`, at(0.5));
    tellFigure(t, `${where}: delay of a pulse, p99`, at(0.99));
    tellFigure(t, `${where}: delay of a pulse, the longest`, at(1));
    const silence = Math.max(...meshes.flatMap((mesh) => silences(arrivals(mesh))));
    const stoodMs = Math.max(...meshes.map((mesh) => arrivals(mesh).at(-1)?.stoodMs ?? 0));
    tellFigure(t, `${where}: the processes stood still, all told, the longer one`, stoodMs);
    tellFigure(t, `${where}: the longest silence between two pulses, less that`, silence);
    const laterMs = silence - core.pulseIntervalMs;
    assert.ok(
      laterMs < BORNE_MS,
      `a pulse was ${laterMs} ms later than the one before; ${BORNE_MS} are borne`,
    );
    for (const mesh of meshes) assert.deepEqual(mesh.statesOf(other(mesh).peer), ['reachable']);
  }

  it('delays no pulse, which goes by a connection of its own', onHosts, async (t: TestContext) => {
    const [session] = connections();
    const during = await fill(t, 'a full line, bulk apart');
    checkPulses(t, 'a full line, bulk apart');
    assert.ok(during.length > 1, 'bulk had a connection of its own');
    assert.ok(session !== undefined && during.includes(session), 'and that of the pulses still stands');
  });

  for (const megabits of [LINK_MEGABITS, LINK_MEGABITS / 2]) {
    it(
      `R165: keeps pulses prompt at ${megabits} Mbit/s where no second connection can be had`,
      onHosts,
      async (t: TestContext) => {
        const before = connections();
        for (const host of hosts) host.letNoneIn(1);
        const where = `a full line of ${megabits} Mbit/s, bulk on the same connection`;
        const during = await fill(t, where, megabits);
        assert.deepEqual(during, before, 'all went by the one connection');
        checkPulses(t, where);
        const mostBytes = Math.max(...meshes.flatMap(arrivals).map(({ pulse }) => pulse.aheadBytes));
        const aheadMs = mostBytes / bytesIn(1, megabits);
        tellFigure(t, `${where}: what stood before a pulse, the most, as time of the line`, aheadMs);
        assert.ok(
          aheadMs < AHEAD_MS_MAX,
          `${mostBytes} bytes stood before a pulse, ${aheadMs} ms of the line`,
        );
      },
    );
  }
});
