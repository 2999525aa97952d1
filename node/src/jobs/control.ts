import {
  CuadroError,
  JOB_ENDS,
  REQUEST_RANGES_MAX,
  fieldSubject,
  compareAttempts,
  framesToRanges,
  nextCounter,
  requestKey,
  signDeletion,
  signField,
  signTaskRequest,
  type AttemptId,
  type ChangeView,
  type JobRecord,
  type KnownRecord,
  type NodeRecord,
  type RouteBody,
  type TaskRequest,
} from '@cuadro/protocol';
import { type JobsComponents, machinesSentence } from './interface.ts';
import { membersNow } from './members-now.ts';
import { assertNotRemoved } from './removed.ts';
import { jobChanged, nodeChanged } from './words.ts';

/** Merges a change, and answers once it is durable here and, where one can be reached, on a second machine. */
async function change(
  { driver, copies }: JobsComponents,
  record: KnownRecord,
  message: () => string,
): Promise<ChangeView> {
  await driver.merge([record]);
  // What it became, before others may change it again.
  const became = message();
  const kept = await copies.confirm([record]);
  return { machines: kept.machines, message: `${became} ${machinesSentence(kept)}` };
}

/** The record to change. @throws CuadroError `job-not-found`, `job-deleted`. */
function recordOf(components: JobsComponents, job: string): JobRecord {
  const record = components.driver.queries.jobRecord(job);
  if (record === undefined) throw new CuadroError('job-not-found', { job });
  if (record.deleted !== undefined) throw new CuadroError('job-deleted', { job });
  return record;
}

/** Pauses, resumes, cancels, renames or reorders a job. @throws CuadroError also `job-ended`. */
export async function setJob(
  components: JobsComponents,
  job: string,
  wanted: RouteBody<'setJob'>,
): Promise<ChangeView> {
  const record = recordOf(components, job);
  const state = components.driver.queries.job(job)?.state;
  // A canceled job may be resumed; what is done or failed can only be requeued.
  const revives = state === 'canceled' && wanted.desired === 'active';
  if (wanted.desired !== undefined && state !== undefined && JOB_ENDS.has(state) && !revives) {
    throw new CuadroError('job-ended', { job, status: state });
  }
  const control = signedControl(components, record, wanted);
  return change(components, { ...record, control }, () => jobChanged(wanted));
}

function signedControl(
  components: JobsComponents,
  record: JobRecord,
  wanted: RouteBody<'setJob'>,
): JobRecord['control'] {
  const control: Record<string, unknown> = { ...record.control };
  for (const [name, value] of Object.entries(wanted)) {
    if (value === undefined) continue;
    const known = record.control[name as keyof JobRecord['control']];
    control[name] = signField(
      components.signer,
      'job-control',
      fieldSubject(record.id, name),
      value,
      nextCounter(known),
    );
  }
  return control;
}

/**
 * Renders tasks again. What has a result is redone, and the request names what it discards; what is
 * made of it (the film) is redone too. The rest is retried: its failures are void, and a result that comes
 * meanwhile stays (SPEC R33).
 */
export async function requeue(
  components: JobsComponents,
  job: string,
  tasks: 'failed' | 'all' | string[],
): Promise<ChangeView> {
  const record = recordOf(components, job);
  const { queries } = components.driver;
  const chosen = chosenTasks(components, record, tasks);
  const hasResult = (index: number): boolean =>
    Object.keys(queries.taskRecord(job, index)?.results ?? {}).length > 0;
  const discarded = chosen.filter(hasResult);
  // Also what is only being made of them: a film of a discarded frame must not count, whenever it arrives (SPEC R39).
  const made = queries.dependents(job, discarded);
  const redo = [...new Set([...discarded, ...made])].sort((a, b) => a - b);
  const redone = new Set(redo);
  const asked = new Set(chosen);
  const again = redo.filter((index) => asked.has(index) || hasResult(index)).length;
  const retry = chosen.filter((index) => !redone.has(index));
  // Tasks that were skipped because of a failed one have no failures of their own, and simply become open.
  const requests = [
    ...makeRequests(components, record, 'redo', redo),
    ...makeRequests(components, record, 'retry', retry),
  ];
  const revived = record.control.desired?.value === 'canceled' ? { desired: 'active' as const } : {};
  const changed: JobRecord = {
    ...record,
    control: signedControl(components, record, revived),
    requests: { ...record.requests, ...Object.fromEntries(requests) },
  };
  const parts = [
    again > 0 && `${count(again)} rendered again`,
    retry.length > 0 && `${count(retry.length)} tried again`,
  ].filter((part) => part !== false);
  return change(components, changed, () => `${parts.join(', ')}.`);
}

const count = (tasks: number): string => (tasks === 1 ? '1 task will be' : `${tasks} tasks will be`);

function chosenTasks(
  components: JobsComponents,
  record: JobRecord,
  tasks: 'failed' | 'all' | string[],
): number[] {
  const { queries } = components.driver;
  const job = record.id;
  if (typeof tasks !== 'string') {
    const found = queries.findTasks(job, tasks);
    if (found === undefined || found.length === 0)
      throw new CuadroError('task-not-found', { job, task: tasks.join(', ') });
    return [...new Set(found)].sort((a, b) => a - b);
  }
  const chosen: number[] = [];
  for (let index = 0; index < record.spec.tasks; index++) {
    if (tasks === 'all' || queries.taskState(job, index) === 'failed') chosen.push(index);
  }
  if (chosen.length === 0) throw new CuadroError('request-invalid', { why: 'no task of the job failed' });
  return chosen;
}

function makeRequests(
  components: JobsComponents,
  record: JobRecord,
  kind: 'redo' | 'retry',
  tasks: readonly number[],
): [string, TaskRequest][] {
  const seen = Object.values(record.requests).filter((request) => request.kind === kind);
  const level = 1 + seen.reduce((highest, request) => Math.max(highest, request.level), 0);
  const requests: [string, TaskRequest][] = [];
  const newest = kind === 'redo' ? newestAttempt(components, record.id, tasks) : undefined;
  const ranges = framesToRanges(tasks);
  for (let start = 0; start < ranges.length; start += REQUEST_RANGES_MAX) {
    const request = signTaskRequest(components.signer, record.id, {
      kind,
      level,
      tasks: ranges.slice(start, start + REQUEST_RANGES_MAX),
      ...(newest !== undefined && { newest }),
      wallTime: components.clock.wallTime(),
    });
    const part = start / REQUEST_RANGES_MAX;
    requests.push([requestKey({ kind, level, author: request.author, part }), request]);
  }
  return requests;
}

/** The newest attempt among the results of these tasks: what the person who discards them has seen (SPEC R33). */
function newestAttempt(
  { driver }: JobsComponents,
  job: string,
  tasks: readonly number[],
): AttemptId | undefined {
  let newest: AttemptId | undefined;
  for (const task of tasks) {
    for (const { attempt } of Object.values(driver.queries.taskRecord(job, task)?.results ?? {})) {
      if (newest === undefined || compareAttempts(attempt, newest) > 0) newest = attempt;
    }
  }
  return newest;
}

/** Deletes a job for good; collected files stay. */
export async function deleteJob(components: JobsComponents, job: string): Promise<ChangeView> {
  const record = recordOf(components, job);
  const isDone = components.driver.queries.job(job)?.state === 'done';
  const wallTime = components.clock.wallTime();
  const deleted = signDeletion(components.signer, job, { wallTime, ...(isDone && { done: true }) });
  const answer = await change(
    components,
    { ...record, deleted },
    () => 'The job is deleted; collected files stay where they are.',
  );
  await components.blobs.unpinOwner(job);
  return answer;
}

/** Pauses, drains, resumes or tags a machine. Only the machine itself writes what its owner wants (SPEC R37). */
export async function setNode(
  components: JobsComponents,
  peer: string,
  wanted: RouteBody<'setNode'>,
): Promise<ChangeView> {
  const { signer, driver } = components;
  if (wanted.ownerDesired !== undefined && peer !== signer.peer) {
    throw new CuadroError('request-invalid', { why: 'only the machine itself says what its owner wants' });
  }
  if (wanted.leaving?.wanted === true) assertMayLeave(components, peer);
  const record: NodeRecord = driver.queries.nodeRecord(peer) ?? { kind: 'node', peer, fields: {} };
  const fields: Record<string, unknown> = { ...record.fields };
  for (const [name, value] of Object.entries(wanted)) {
    if (value === undefined) continue;
    const known = record.fields[name as keyof NodeRecord['fields']];
    fields[name] = signField(signer, 'node-field', fieldSubject(peer, name), value, nextCounter(known));
  }
  return change(components, { ...record, fields }, () => {
    const after = driver.queries.nodes().find((node) => node.peer === peer);
    return after === undefined ? 'The machine is changed.' : nodeChanged(after, wanted);
  });
}

/** @throws CuadroError `leave-refused` where nobody could take what the machine holds. */
function assertMayLeave({ signer, driver, copies }: JobsComponents, peer: string): void {
  assertNotRemoved({ signer, driver });
  const nodes = driver.queries.nodes();
  const others = nodes.filter((node) => node.peer !== peer && !node.leaving);
  const refuse = (why: string): never => {
    throw new CuadroError('leave-refused', { why });
  };
  // What others say of a machine's leaving counts only where they may remove it (SPEC R161).
  if (peer !== signer.peer && !isArtist(driver.queries, signer.peer))
    refuse('This machine renders for the farm only; an artist removes others from it.');
  if (nodes.length < 2) refuse('This machine is the only one in its farm: there is nobody to leave.');
  if (others.length === 0) refuse('All other machines are leaving, too: one has to stay.');
  if (peer === signer.peer && copies.alone()) {
    refuse(
      'No other machine can be reached now, so nothing that this one holds can go anywhere. Start one, and try again.',
    );
  }
}

function isArtist(queries: JobsComponents['driver']['queries'], peer: string): boolean {
  return membersNow(queries).get(peer)?.role === 'artist';
}
