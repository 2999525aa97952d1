import { compareCanonical } from './codec.ts';
import { mergeDiaryEntries } from './diary.ts';
import {
  looksLikeField,
  mergeField,
  mergeHolders,
  mergeMaps,
  mergeUnknown,
  type Field,
  type Holders,
} from './fields.ts';
import { compareAttempts, type PeerId } from './ids.ts';
import {
  emptyTask,
  recordKey,
  type FailedOutcome,
  type Failure,
  type JobRecord,
  type KnownRecord,
  type TaskRecord,
  type TaskResult,
} from './records.ts';

/**
 * The merge of records: commutative, associative, idempotent (SPEC R20). It returns `a` itself where `b` adds
 * nothing, so that `merged !== a` says whether anything changed.
 */
export function mergeRecords<R extends KnownRecord>(a: R, b: R): R {
  if (a === b) return a;
  if (!haveOneKey(a, b)) throw new TypeError('Records of different keys do not merge.');
  switch (a.kind) {
    case 'farm':
      return mergeByRules(a, b, { name: mergeOptionalField, mergedInto: mergeOptionalField });
    case 'member':
      return mergeByRules(a, b, MEMBER_RULES);
    case 'node':
      return mergeByRules(a, b, {
        fields: (x: Record<string, unknown>, y: Record<string, unknown>) => mergeNodeFields(a.peer, x, y),
      });
    case 'job':
      return mergeJobs(a, b as JobRecord) as R;
    case 'task':
      return mergeTasks(a, b as TaskRecord) as R;
    case 'diary':
      return mergeByRules(a, b, { entries: mergeDiaryEntries });
  }
}

/** Of tasks, which are nearly all, without the two keys being made. */
function haveOneKey(a: KnownRecord, b: KnownRecord): boolean {
  if (a.kind === 'task' && b.kind === 'task') return a.job === b.job && a.index === b.index;
  return recordKey(a) === recordKey(b);
}

type Rule = (a: never, b: never) => unknown;
type Rules = Record<string, Rule>;

/** Merges property by property: by its rule where there is one, as an unknown value otherwise (SPEC R26). */
function mergeByRules<T extends object>(a: T, b: T, rules: Rules): T {
  const mine = a as Record<string, unknown>;
  let merged = mine;
  for (const key of Object.keys(b)) {
    const theirs = (b as Record<string, unknown>)[key];
    const ours = Object.hasOwn(a, key) ? mine[key] : undefined;
    // Most of what two versions of a record say is the same.
    if (theirs === undefined || theirs === ours) continue;
    // A newer version may say `constructor`: a name that every object has is no rule of ours.
    const known = Object.hasOwn(rules, key) ? rules[key] : undefined;
    const rule: (a: unknown, b: unknown) => unknown = (known as never) ?? mergeUnknown;
    const result = ours === undefined ? theirs : rule(ours, theirs);
    if (result === ours) continue;
    if (merged === mine) merged = { ...mine };
    merged[key] = result;
  }
  return merged as T;
}

function mergeOptionalField(a: Field<unknown>, b: Field<unknown>): Field<unknown> {
  return mergeField(a, b);
}

/** A map whose values are all fields, known or not. */
function mergeFields(a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> {
  return mergeMaps(a, b, mergeUnknown);
}

/**
 * A machine's fields: of `ownerDesired` what the machine itself wrote beats whatever others wrote, by any counter, so
 * that nobody else's word takes the place of its owner's (SPEC R37).
 */
function mergeNodeFields(
  peer: PeerId,
  a: Record<string, unknown>,
  b: Record<string, unknown>,
): Record<string, unknown> {
  const isOwners = (value: unknown) => looksLikeField(value) && value.peer === peer;
  return mergeMaps(a, b, (x, y, name) => {
    if (name === 'ownerDesired' && isOwners(x) !== isOwners(y)) return isOwners(x) ? x : y;
    return mergeUnknown(x, y);
  });
}

/** The greater by canonical bytes: for what is written once and should be equal anyway. */
function mergeFixed<T>(a: T, b: T): T {
  if (a === b) return a;
  return compareCanonical(a, b) >= 0 ? a : b;
}

function mergeFixedMap<T>(a: Record<string, T>, b: Record<string, T>): Record<string, T> {
  return mergeMaps(a, b, mergeFixed);
}

const MEMBER_RULES: Rules = { name: mergeOptionalField, admissions: mergeFixedMap, removals: mergeFixedMap };

const JOB_RULES: Rules = {
  spec: mergeFixed,
  control: mergeFields,
  requests: mergeFixedMap,
  holders: (a: JobRecord['holders'], b: JobRecord['holders']) =>
    mergeByRules(a, b, { bundle: mergeHolders, plan: mergeHolders }),
  acknowledged: (a: boolean, b: boolean) => a || b,
  deleted: mergeFixed,
};

function mergeJobs(a: JobRecord, b: JobRecord): JobRecord {
  return mergeByRules(a, b, JOB_RULES);
}

/** Results of one attempt: the higher rank wins, holders join; the rest is equal or falls to a fixed order. */
function mergeResults(a: TaskResult, b: TaskResult): TaskResult {
  return mergeByRules(a, b, {
    state: (x: string, y: string) => (x === 'done' || y === 'done' ? 'done' : 'rendered'),
    holders: mergeHolders,
    attempt: mergeFixed,
    files: mergeFixed,
  });
}

/**
 * Failures of one attempt: the greater bytes stand whole, whoever holds the log, and holders join (SPEC R132). So what
 * the machine itself says is never mixed with the coordinator's word that it vanished.
 */
function mergeFailures(a: Failure, b: Failure): Failure {
  if (a === b) return a;
  const holders = mergeOptionalHolders(a.holders, b.holders);
  const stands = compareCanonical(withoutHolders(a), withoutHolders(b)) >= 0 ? a : b;
  return holders === undefined || holders === stands.holders ? stands : { ...stands, holders };
}

function mergeOptionalHolders(a: Holders | undefined, b: Holders | undefined): Holders | undefined {
  return a === undefined || b === undefined ? (a ?? b) : mergeHolders(a, b);
}

function withoutHolders({ holders: _holders, ...failure }: Failure): Omit<Failure, 'holders'> {
  return failure;
}

/** The older attempt's verdict stands; of one attempt's, the greater bytes. */
function mergeFailed(a: FailedOutcome, b: FailedOutcome): FailedOutcome {
  const order = compareAttempts(b.attempt, a.attempt) || compareCanonical(a, b);
  return order >= 0 ? a : b;
}

const TASK_RULES: Rules = {
  results: (a: TaskRecord['results'], b: TaskRecord['results']) => mergeMaps(a, b, mergeResults),
  failed: mergeFailed,
  failures: (a: TaskRecord['failures'], b: TaskRecord['failures']) => mergeMaps(a, b, mergeFailures),
};

/** A higher redo wins whole; at the same redo a higher retry voids failures; results always join (SPEC R32). */
function mergeTasks(a: TaskRecord, b: TaskRecord): TaskRecord {
  if (a.redo !== b.redo) return a.redo > b.redo ? a : b;
  if (a.retry === b.retry) return mergeByRules(a, b, TASK_RULES);
  const [higher, lower] = a.retry > b.retry ? [a, b] : [b, a];
  return mergeByRules(higher, atRetry(lower, higher.retry), TASK_RULES);
}

/** The record raised to a retry level: failures of lower levels are void, results stay. */
export function atRetry(task: TaskRecord, retry: number): TaskRecord {
  if (task.retry >= retry) return task;
  const { failed: _void, ...rest } = task;
  return { ...rest, retry, failures: {} };
}

/** The record raised to the levels that the job's requests demand (SPEC R33). */
export function atLevels(task: TaskRecord, redo: number, retry: number): TaskRecord {
  return atRetry(task.redo >= redo ? task : emptyTask(task.job, task.index, redo, retry), retry);
}
