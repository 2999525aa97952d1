import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import {
  countingResult,
  type FarmRecord,
  heldBy,
  type MemberRecord,
  RecordBytes,
  type Signer,
} from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { copySettings } from '../../../node/src/daemon/network.ts';
import { assembleReplicas } from '../../../node/src/daemon/replicas.ts';
import { admit, foundFarm, ownRecord } from '../../../node/src/farm/founding.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import type { CopiesComponents } from '../../../node/src/replicas/copies-interface.ts';
import { emptyDisk } from '../../../node/src/store/memory-store.ts';
import { configPath, loadConfig, saveConfig } from '../../../node/src/system/config.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { contentOf, temporaryFolder } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { reaches, signerOf, TestFarm } from '../transfer/machines.ts';
import { JOB, type Keeper, madeResult, startKeeper, submittedJob } from './keepers.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NAMES = ['maker', 'lost', 'other'] as const;
const WALL_MS = 1_700_000_000_000;

/** A maker whose only frame is on a machine that is lost and stays a member, and one more that could hold it. */
async function farmWithLost(
  test: TestContext,
  init: Pick<NonNullable<Parameters<typeof startKeeper>[2]>, 'replaceAfterMs' | 'createCopies'> = {},
) {
  const farm = new TestFarm(test, NAMES);
  const disk = emptyDisk();
  let clock = new ManualClock({ wallTimeMs: WALL_MS });
  const start = (name: string, records?: Keeper['records']): Promise<Keeper> =>
    startKeeper(farm, name, {
      members: NAMES,
      copyOptions: { jobCopies: 1 },
      ...(name === 'maker' && { ...init, clock, disk }),
      ...(records !== undefined && { records }),
    });
  const lost = await start('lost');
  const other = await start('other');
  let maker = await start('maker');
  await reaches(maker, lost, other);
  // Submitted by the one that is lost, so that it holds the second copy.
  const job = await submittedJob(lost);
  for (const { records } of [maker, lost, other]) await records.merge([job]);
  await maker.records.merge([await madeResult(maker, 0, [contentOf(1, 1_000)])]);
  const holders = (): string[] => {
    const task = maker.records.taskRecord(JOB, 0);
    return heldBy((task && countingResult(task))?.holders ?? {});
  };
  await maker.records.until(() => holders().length === 2);
  assert.deepEqual(holders(), [maker.peer, lost.peer].sort());
  const isLost = async (): Promise<void> => {
    await lost.stop();
    assert.ok(!maker.mesh.reachable().includes(lost.peer));
  };
  await isLost();
  return {
    passes: (ms: number) => clock.advanceSettled(ms),
    /** The whole machine sleeps: no timer fires meanwhile. */
    sleeps: (ms: number) => clock.stall(ms),
    /** Its node ends, in order or not, and starts again once the wall clock shows so much more. */
    async restarts({ afterMs, isCut = false }: { afterMs: number; isCut?: boolean }): Promise<void> {
      const wallTimeMs = clock.wallTime() + afterMs;
      const local = new Map(disk.local);
      await maker.stop();
      if (isCut) disk.local = local;
      // A monotonic clock begins anywhere.
      clock = new ManualClock({ wallTimeMs, nowMs: 5 });
      maker = await start('maker', maker.records);
      await reaches(maker, other);
    },
    /** It comes back for a moment. */
    async returns(): Promise<void> {
      const back = await start('lost', lost.records);
      await reaches(maker, back);
      await back.stop();
      assert.ok(!maker.mesh.reachable().includes(back.peer));
    },
    isWaitedFor(): void {
      const { results, asked } = maker.copies.state();
      assert.deepEqual([results, asked, holders().includes(other.peer)], [0, 0, false]);
    },
    isReplaced: () => maker.records.until(() => holders().includes(other.peer)),
  };
}

/** A machine's parts as the daemon puts them together, of those that the keeper has. */
const parts = ({ mesh, blobs, store, clock, logger }: CopiesComponents) => ({
  ...{ store, clock, logger, random: createSystemRandom(), bytes: new RecordBytes() },
  // The keeper keeps its whole ones behind the narrow types.
  mesh: mesh as Mesh,
  blobs: blobs as BlobStore,
});

/** The keeper's records, and those of the farm of these machines. */
function studio({ queries, clock }: CopiesComponents): CoreQueries {
  const [founder, ...others] = NAMES.map(signerOf) as [Signer, ...Signer[]];
  const components = { clock, random: createSystemRandom(), signer: founder };
  const [farm, first] = foundFarm(components, { farm: 'studio', machine: NAMES[0] }) as [
    FarmRecord,
    MemberRecord,
  ];
  const members = [first, ...others.map((signer) => admit(components, farm, ownRecord(signer, 'other')))];
  return disguised(queries as CoreQueries, {
    farmRecord: () => farm,
    memberRecords: () => members,
    nodeRecord: () => undefined,
    nodes: () => [],
  });
}

describe('R195: a machine that is out of reach for long', () => {
  it('is waited for until a day has passed, and then replaced', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(24 * HOUR_MS - MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(11 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is replaced after a day in all, over restarts of the one that waits for it', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(12 * HOUR_MS);
    await farm.restarts({ afterMs: 0 });
    await farm.passes(12 * HOUR_MS - 11 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(22 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is replaced after a night in which the other was off as well', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(5 * HOUR_MS);
    await farm.restarts({ afterMs: 16 * HOUR_MS });
    await farm.passes(3 * HOUR_MS - 11 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(22 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is replaced after what the owner has set by then', async (test) => {
    let replaceAfterMs = 48 * HOUR_MS;
    const farm = await farmWithLost(test, { replaceAfterMs: () => replaceAfterMs });
    await farm.passes(30 * HOUR_MS);
    farm.isWaitedFor();
    replaceAfterMs = 32 * HOUR_MS;
    await farm.passes(2 * HOUR_MS - MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(11 * MINUTE_MS);
    await farm.isReplaced();
  });

  it("is replaced after what stands in its owner's configuration file, and by what is set there later", async (test) => {
    const folder = temporaryFolder();
    test.after(folder.remove);
    await writeFile(configPath(folder.path), '{ "replaceHours": 40 }');
    const live = { current: await loadConfig(folder.path) };
    const farm = await farmWithLost(test, {
      createCopies: (components) => {
        const base = { ...parts(components), ...copySettings(live) };
        const { copies } = assembleReplicas(
          base.mesh,
          base,
          studio(components),
          () => ({ deliver: components.merge }),
          () => undefined,
        );
        return copies;
      },
    });
    await farm.passes(30 * HOUR_MS);
    farm.isWaitedFor();
    live.current = await saveConfig({ random: createSystemRandom() }, folder.path, { replaceHours: 32 });
    await farm.passes(2 * HOUR_MS - MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(11 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is not replaced by a wall clock that jumps, nor by a long rest: a third of the time has to be watched', async (test) => {
    const farm = await farmWithLost(test);
    await farm.restarts({ afterMs: 1_000 * HOUR_MS });
    await farm.restarts({ afterMs: 1_000 * HOUR_MS });
    await farm.passes(8 * HOUR_MS - 11 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(22 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is counted on from where it was by a node whose wall clock was set back', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(20 * HOUR_MS);
    await farm.restarts({ afterMs: -1_000 * HOUR_MS });
    await farm.passes(4 * HOUR_MS - 11 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(22 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('has the time until the next look to be back after a start or a sleep of the other', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(20 * HOUR_MS);
    await farm.restarts({ afterMs: 16 * HOUR_MS });
    await farm.passes(9 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.returns();
    await farm.passes(20 * HOUR_MS);
    farm.sleeps(16 * HOUR_MS);
    await farm.passes(9 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(11 * MINUTE_MS);
    await farm.isReplaced();
  });

  it('is counted from nothing once it was reached, also after a power cut right then', async (test) => {
    const farm = await farmWithLost(test);
    await farm.passes(23 * HOUR_MS);
    await farm.returns();
    await farm.restarts({ afterMs: 0, isCut: true });
    await farm.passes(24 * HOUR_MS - 11 * MINUTE_MS);
    farm.isWaitedFor();
    await farm.passes(22 * MINUTE_MS);
    await farm.isReplaced();
  });
});
