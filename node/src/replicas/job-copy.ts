import { type JobRecord, type PeerId, withdrawnBy } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { CopyFetch, HeldFiles } from './held-files.ts';
import { holdingCounter, isJobHeldByTwo, withHolder } from './needs.ts';

export interface JobCopyComponents {
  readonly mesh: { readonly self: PeerId };
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'removed'>;
  readonly files: Pick<HeldFiles, 'fetch' | 'fetchTree' | 'isJobHere'>;
}

interface JobCopyInit {
  readonly fetching: CopyFetch;
  /** Merges what the copy makes known; resolves once that is durable. */
  readonly merge: (record: () => JobRecord) => Promise<void>;
  /** Throws where the job was deleted meanwhile. */
  readonly assertWanted: () => void;
}

/**
 * Has all of a job here (SPEC R57): its plan and its bundle durable and pinned, then its record with this machine's own
 * entries, under the counters that are given back.
 */
export async function holdJob(
  { mesh, queries, files }: JobCopyComponents,
  record: JobRecord,
  { fetching, merge, assertWanted }: JobCopyInit,
): Promise<{ counter: number; bundleCounter?: number }> {
  const { plan, bundle } = record.spec;
  const fetch = async (): Promise<void> => {
    await files.fetch(record.id, [{ hash: plan }], fetching);
    if (bundle !== undefined) await files.fetchTree(record.id, bundle, fetching);
  };
  await fetch();
  assertWanted();
  const known = queries.jobRecord(record.id);
  const counter = holdingCounter(mesh.self, [record.holders.plan, known?.holders.plan]);
  const bundleCounter = holdingCounter(mesh.self, [record.holders.bundle, known?.holders.bundle]);
  const kept: JobRecord = {
    ...record,
    holders: {
      ...record.holders,
      plan: withHolder(record.holders.plan, mesh.self, counter),
      ...(bundle !== undefined && {
        bundle: withHolder(record.holders.bundle, mesh.self, bundleCounter),
      }),
    },
  };
  await merge(() => ({
    ...kept,
    acknowledged: kept.acknowledged || isJobHeldByTwo(kept, queries.jobRecord(record.id), queries.removed()),
  }));
  await assertStill({
    areHere: () => files.isJobHere(record.id, record.spec),
    assertWanted,
    fetch,
    withdraw: () =>
      merge(() => ({
        ...kept,
        holders: {
          plan: withdrawnBy(kept.holders.plan, mesh.self),
          bundle: bundle === undefined ? kept.holders.bundle : withdrawnBy(kept.holders.bundle, mesh.self),
        },
      })),
  });
  return { counter, ...(bundle !== undefined && { bundleCounter }) };
}

/**
 * Before the record named them here, a file could turn out damaged, or lose its pin as one that nothing names, and
 * nobody who looks for what this machine promises would have found it (SPEC R139).
 */
export async function assertStill(held: {
  areHere: () => Promise<boolean>;
  assertWanted: () => void;
  fetch: () => Promise<void>;
  withdraw: () => Promise<void>;
}): Promise<void> {
  if (await held.areHere()) return;
  held.assertWanted();
  try {
    await held.fetch();
  } catch (error) {
    await held.withdraw();
    throw error;
  }
}
