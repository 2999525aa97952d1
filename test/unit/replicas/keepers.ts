import type { TestContext } from 'node:test';
import {
  attemptKey,
  effectiveTask,
  emptyTask,
  encode,
  heldBy,
  mergeRecords,
  recordKey,
  RecordBytes,
  signField,
  signJobSpec,
  taskKey,
  type AttemptId,
  type Bundle,
  type Failure,
  type JobRecord,
  type KnownRecord,
  type Leaving,
  type NodeRecord,
  type OutputFile,
  type PeerId,
  type TaskRecord,
} from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { createCopies, type Copies, type CopiesComponents } from '../../../node/src/replicas/copies.ts';
import type { CopyOptions } from '../../../node/src/replicas/copy-limits.ts';
import { createDeparture, type Departure } from '../../../node/src/replicas/departure.ts';
import { RecordDoor } from '../../../node/src/replicas/door.ts';
import { createMemoryStore, emptyDisk, type MemoryDisk } from '../../../node/src/store/memory-store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import {
  type Machine,
  type MachineInit,
  peerOf,
  signerOf,
  silent,
  type TestFarm,
} from '../transfer/machines.ts';

/** The records of one machine, merged as the brain merges them, and told when they change. */
export class TestRecords {
  readonly #records = new Map<string, KnownRecord>();
  readonly #waiting = new Set<() => void>();
  /** Groups that were merged. */
  merges = 0;
  /** Set: whatever is merged waits for it, and is not there before. */
  gate: Promise<void> | undefined;
  /** Who had records held here. */
  readonly learned: PeerId[] = [];
  /** Whom the farm removed. */
  readonly gone = new Set<PeerId>();
  onChanged: (records: readonly KnownRecord[]) => void = () => undefined;

  readonly jobRecord = (id: string): JobRecord | undefined => this.#records.get(`job/${id}`) as JobRecord;

  readonly jobIds = (): string[] =>
    [...this.#records.values()].flatMap((record) => (record.kind === 'job' ? [record.id] : []));

  readonly removed = (): ReadonlySet<PeerId> => this.gone;

  readonly taskRecord = (job: string, index: number): TaskRecord | undefined => {
    const record = this.#records.get(taskKey(job, index)) as TaskRecord | undefined;
    const known = this.jobRecord(job);
    return known && effectiveTask(known, record, index);
  };

  async merge(records: readonly KnownRecord[]): Promise<void> {
    this.merges++;
    await this.gate;
    for (const record of records) {
      const key = recordKey(record);
      const known = this.#records.get(key);
      this.#records.set(key, known === undefined ? record : mergeRecords(known, record));
    }
    this.onChanged(records);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves once it holds of these records. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
  }
}

/** A machine with records, that keeps copies. */
export interface Keeper extends Machine {
  readonly records: TestRecords;
  readonly copies: Copies;
  /** Everyone in the farm, as this machine knows it. */
  readonly members: Set<PeerId>;
  /** Who is about to leave it, as this machine knows. */
  readonly leaving: Set<PeerId>;
}

export async function startKeeper(
  farm: TestFarm,
  name: string,
  init: MachineInit & {
    members?: readonly string[];
    records?: TestRecords;
    copyOptions?: Partial<CopyOptions>;
    repairBytesPerSecond?: () => number;
    replaceAfterMs?: () => number;
    /** Makes its copies in another way, as the daemon does. */
    createCopies?: (components: CopiesComponents) => Copies;
    /** Where its own notes lie: the same for one that starts again. */
    disk?: MemoryDisk;
  } = {},
): Promise<Keeper> {
  const records = init.records ?? new TestRecords();
  let copies: Copies | undefined;
  const members = new Set((init.members ?? []).map(peerOf));
  const leaving = new Set<PeerId>();
  const machine = await farm.start(name, {
    ...init,
    more: async ({ mesh, blobs, transfer, clock }) => {
      const bytes = new RecordBytes();
      const store = createMemoryStore(init.disk ?? emptyDisk());
      await store.start();
      const door = new RecordDoor({ verify: createVerifier(), bytes, held: () => undefined });
      const components: CopiesComponents = {
        mesh,
        blobs,
        transfer,
        clock,
        queries: records,
        members: () => members,
        leaving: () => leaving,
        store,
        replaceAfterMs: init.replaceAfterMs ?? (() => 86_400_000),
        repairBytesPerSecond: init.repairBytesPerSecond ?? (() => Number.POSITIVE_INFINITY),
        bytesOf: (record) => bytes.of(record),
        read: (record) => {
          const read = door.read(record);
          return read.kind === 'record' ? read.record : undefined;
        },
        merge: (_from, merged) => records.merge(merged),
        learned: (from) => records.learned.push(from),
        logger: silent,
      };
      copies = init.createCopies?.(components) ?? createCopies(components, init.copyOptions);
      records.onChanged = (changed) => copies?.changed(changesOf(changed));
      await copies.start();
      return () => (copies as Copies).stop();
    },
  });
  return { ...machine, records, copies: copies as unknown as Copies, members, leaving };
}

function changesOf(records: readonly KnownRecord[]): Parameters<Copies['changed']>[0] {
  const jobs: string[] = [];
  const removed: string[] = [];
  const tasks: { job: string; indices: number[] }[] = [];
  for (const record of records) {
    if (record.kind === 'job') (record.deleted === undefined ? jobs : removed).push(record.id);
    if (record.kind === 'task') tasks.push({ job: record.job, indices: [record.index] });
  }
  return { jobs, removed, tasks };
}

export const JOB = 'jobjobjobjobjobj';
export const attemptOf = (sequence: number, name = 'maker'): AttemptId => ({
  epoch: { term: 1, peer: peerOf(name) },
  sequence,
});

/** A job of this submitter, whose content lies in its store, pinned. */
export async function submittedJob(
  submitter: { name: string; peer: PeerId; blobs: BlobStore },
  init: { id?: string; tasks?: number; files?: readonly Uint8Array[] } = {},
): Promise<JobRecord> {
  const { id = JOB, tasks = 10, files } = init;
  const plan = await submitter.blobs.putBytes(encode({ plan: id }), { pin: id });
  let bundle: string | undefined;
  if (files !== undefined) {
    const infos = await submitter.blobs.putMany(
      files.map((bytes) => ({ bytes })),
      { pin: id },
    );
    const tree: Bundle = {
      version: 1,
      main: '0',
      files: infos.map(({ hash, sizeBytes }, i) => ({ path: String(i), blob: hash, sizeBytes })),
      remap: [],
    };
    bundle = (await submitter.blobs.putBytes(encode(tree), { pin: id })).hash;
  }
  const held = { [submitter.peer]: { held: true, counter: 1 } };
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signerOf(submitter.name), {
      id,
      name: 'a shot',
      type: 'blender-animation',
      settings: {},
      plan: plan.hash,
      ...(bundle !== undefined && { bundle }),
      tasks,
      order: 1,
      after: [],
      outputFolder: '',
      wallTime: 0,
    }),
    control: {},
    requests: {},
    holders: { plan: held, bundle: bundle === undefined ? {} : held },
    acknowledged: false,
  };
}

/** The record of a result that a machine has just made, its files in its store. */
export async function madeResult(
  maker: { name: string; peer: PeerId; blobs: BlobStore },
  index: number,
  contents: readonly Uint8Array[] = [],
): Promise<TaskRecord> {
  const infos = await maker.blobs.putMany(
    contents.map((bytes) => ({ bytes })),
    { pin: JOB },
  );
  const files = infos.map(
    ({ hash, sizeBytes }, i): OutputFile => ({
      name: `${index}-${i}.png`,
      blob: hash,
      sizeBytes,
      role: 'image',
    }),
  );
  const attempt = attemptOf(index + 1, maker.name);
  return {
    ...emptyTask(JOB, index),
    results: {
      [attemptKey(attempt)]: {
        attempt,
        peer: maker.peer,
        state: 'rendered',
        files,
        holders: { [maker.peer]: { held: true, counter: 1 } },
        renderMs: 1,
        wallTime: 0,
      },
    },
  };
}

/** The record of an attempt that has just failed at a machine, its log in its store. */
export async function failedWithLog(
  maker: { name: string; peer: PeerId; blobs: BlobStore },
  index: number,
  log: Uint8Array,
): Promise<{ task: TaskRecord; hash: string }> {
  const { hash } = await maker.blobs.putBytes(log, { pin: JOB });
  const failure: Failure = {
    attempt: attemptOf(index + 1, maker.name),
    peer: maker.peer,
    cause: 'failed',
    code: 'blender-crashed',
    message: 'Blender crashed.',
    lines: [],
    log: hash,
    holders: { [maker.peer]: { held: true, counter: 1 } },
    wallTime: 0,
  };
  return { task: { ...emptyTask(JOB, index), failures: { [attemptKey(failure.attempt)]: failure } }, hash };
}

/** Who holds the log of a task's only failed attempt, as a machine knows it. */
export function logHolders({ records }: Keeper, index: number): PeerId[] {
  const [failure] = Object.values(records.taskRecord(JOB, index)?.failures ?? {});
  return heldBy(failure?.holders ?? {});
}

const wish: Leaving = { wanted: true, reason: 'sold' };

/** A machine that can leave its farm. */
export interface Leaver extends Keeper {
  departure: Departure;
  /** It is to leave, as it knows itself; others learn it where it tells them. */
  wants(): void;
  /** Resolves with why it left, once it has. */
  left: Promise<string>;
  hasLeft(): boolean;
}

/** Makes a machine able to leave; whoever it tells of it has its record, and knows it so. */
export function leaverOf(test: TestContext, keeper: Keeper): Leaver {
  const gone = Promise.withResolvers<string>();
  let hasLeft = false;
  const field = signField(signerOf(keeper.name), 'node-field', `${keeper.peer}/leaving`, wish, 1);
  const record: NodeRecord = { kind: 'node', peer: keeper.peer, fields: { leaving: field } };
  const departure = createDeparture(
    {
      copies: keeper.copies,
      sync: { syncWith: () => Promise.resolve({ kind: 'equal' }) },
      wanted: () => (keeper.leaving.has(keeper.peer) ? wish : undefined),
      ownRecord: () => record,
      isMember: () => !hasLeft,
      leave: async (reason) => {
        hasLeft = true;
        gone.resolve(reason);
        return true;
      },
      clock: createSystemClock(),
      logger: silent,
    },
    { lookEveryMs: 5, stuckMs: 100 },
  );
  test.after(() => departure.stop());
  return {
    ...keeper,
    departure,
    wants: () => {
      keeper.leaving.add(keeper.peer);
      keeper.copies.membersChanged();
      departure.changed();
    },
    left: gone.promise,
    hasLeft: () => hasLeft,
  };
}
