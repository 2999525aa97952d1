import { rmdir } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  CuadroError,
  describeError,
  type FindingView,
  JOB_TYPES,
  NAME_LENGTH_MAX,
  PlanView,
  makesFiles,
  compileJob,
  encode,
  fieldSubject,
  jobType,
  signField,
  signJobSpec,
  type JobId,
  type JobRecord,
  type LiveEvent,
  type Plan,
  type PreflightView,
  type RouteBody,
  type SubmittedView,
} from '@cuadro/protocol';
import { StoreFullError, StoreUnwritableError } from '../blobs/errors.ts';
import { mountPointOf } from '../system/mounts.ts';
import {
  type JobsComponents,
  localJobKey,
  type LocalJob,
  machinesSentence,
  submissionKey,
  type Submission,
} from './interface.ts';
import { assertStays } from './leaving.ts';
import { prepareOutputFolder } from './output-folder.ts';
import {
  examineScene,
  preflightView,
  storeScene,
  type ExaminedScene,
  type SceneJobComponents,
} from './scene-job.ts';

export interface SubmissionComponents extends JobsComponents, SceneJobComponents {
  /** The configured folder below which jobs get their own. */
  outputBase(): string;
  /** The folder that errors about the store name. */
  dataFolder: string;
  emit(event: LiveEvent): void;
  /** A job that makes files is there, and what this machine alone knows of it stands in the store. */
  accepted(job: JobId): void;
}

type Step = Extract<LiveEvent, { kind: 'submission' }>['step'];
const STEP_WORDS: Record<Step, string> = {
  tracing: 'Reading the scene',
  sound: 'Mixing the sound',
  storing: 'Storing the scene and its files',
  acknowledged: 'Accepted',
  refused: 'Refused',
};
const STEP_FRACTIONS: Record<Step, number> = {
  tracing: 0.1,
  sound: 0.4,
  storing: 0.6,
  acknowledged: 1,
  refused: 1,
};

/** Says what would go wrong, and changes nothing. */
export async function preflightJob(
  components: SubmissionComponents,
  body: RouteBody<'preflight'>,
  options: { signal: AbortSignal },
): Promise<PreflightView> {
  const type = jobType(body.type ?? 'blender-animation', JOB_TYPES);
  if (type.needsScene) {
    const examined = await examineScene(components, body, options);
    compileJob(type, examined.settings);
    return preflightView(examined);
  }
  return { ok: true, findings: programFindings(components, compileJob(type, body.settings ?? {}).plan) };
}

/** Accepts a job: answers once record, plan and bundle are durable (SPEC R60). Nothing is left behind otherwise. */
export async function submitJob(
  components: SubmissionComponents,
  body: RouteBody<'submit'>,
  options: { signal: AbortSignal },
): Promise<SubmittedView> {
  const step = (name: Step): void => {
    if (body.submission === undefined) return;
    const { submission } = body;
    components.emit({
      kind: 'submission',
      submission,
      step: name,
      fraction: STEP_FRACTIONS[name],
      text: STEP_WORDS[name],
    });
  };
  const id = components.random.name(16);
  const undo: Undo = [() => components.blobs.unpinOwner(id)];
  try {
    const accepted = await accept(components, { id, body, step, undo }, options);
    step('acknowledged');
    return accepted;
  } catch (error) {
    step('refused');
    // From its record on the job stands, whatever becomes of the answer: where that isn't durable, the next start takes
    // all of it back.
    if (components.driver.queries.jobRecord(id) === undefined)
      for (const takeBack of undo.reverse()) await takeBack().catch(() => undefined);
    if (error instanceof StoreFullError)
      throw new CuadroError(
        'store-full',
        { path: components.dataFolder, why: error.message.replace(/\.$/, '') },
        { cause: error },
      );
    if (error instanceof StoreUnwritableError)
      throw new CuadroError(
        'store-unwritable',
        { path: components.dataFolder, why: error.message.replace(/\.$/, '') },
        { cause: error },
      );
    throw error;
  }
}

/** What a refusal takes back, the last first. */
type Undo = (() => Promise<unknown>)[];

async function accept(
  components: SubmissionComponents,
  asked: { id: string; body: RouteBody<'submit'>; step: (name: Step) => void; undo: Undo },
  { signal }: { signal: AbortSignal },
): Promise<SubmittedView> {
  const { id, body, step, undo } = asked;
  assertStays(components);
  const type = jobType(body.type ?? 'blender-animation', JOB_TYPES);
  const after = (body.after ?? []).map((job) => requireJob(components, job));
  let examined: ExaminedScene | undefined;
  if (type.needsScene) {
    step('tracing');
    examined = await examineScene(components, body, { signal });
    refuseErrors(examined);
  }
  let compiled = compileJob(type, examined?.settings ?? body.settings ?? {});
  // A plan that is too large is refused before anything is stored.
  const tasks = new PlanView(compiled.plan).taskCount;
  const name = body.name ?? (examined ? nameOfScene(examined) : type.title);
  const { folder, isNew } = makesFiles(compiled.plan)
    ? await prepareOutputFolder(components, {
        base: components.outputBase(),
        name,
        wanted: body.outputFolder,
      })
    : { folder: '', isNew: false };
  // Only where it is still empty: whatever was put into it meanwhile is somebody's.
  if (isNew) undo.push(() => rmdir(folder));
  // What only this machine knows comes first: a job without it could not be collected rightly.
  const scene = examined && body.path;
  const mountPoint = folder === '' ? undefined : await mountPointOf(folder);
  const local: LocalJob = {
    folder,
    overwrite: body.overwrite ?? false,
    ...(mountPoint !== undefined && { mountPoint }),
    ...(scene !== undefined && { scene }),
  };
  const submission: Submission = isNew ? { newFolder: folder } : {};
  const { store } = components;
  await store.setLocal({ [localJobKey(id)]: local, [submissionKey(id)]: submission });
  undo.push(() => store.setLocal({ [localJobKey(id)]: undefined, [submissionKey(id)]: undefined }));
  let bundle: string | undefined;
  if (examined) {
    const stored = await storeScene(components, examined, { pin: id, signal, onStep: step });
    bundle = stored.bundle;
    compiled = compileJob(type, stored.settings);
  }
  const plan = await components.blobs.putBytes(encode(compiled.plan), { pin: id });
  signal.throwIfAborted();
  const { settings } = compiled;
  const draft = { id, name, type: type.name, tasks, settings, plan: plan.hash, bundle, after, folder, body };
  // Storing takes a while. From here on the job is known in the same turn, and a machine that is to leave gives it away.
  assertStays(components);
  // The order number is taken and merged in one turn, so that of jobs submitted at once each gets its own.
  await components.driver.merge([jobRecord(components, draft)]);
  if (folder !== '') components.accepted(id);
  const kept = await components.copies.acknowledge(id);
  // Nobody waits for this: where it is lost, the next start finds the job accepted.
  store.setLocal({ [submissionKey(id)]: undefined }).catch(() => undefined);
  const job = components.driver.queries.job(id);
  if (job === undefined) throw new CuadroError('internal', { why: 'the accepted job is not there' });
  return {
    job,
    findings: [...(examined?.findings ?? []), ...programFindings(components, compiled.plan)],
    machines: kept.machines,
    message: machinesSentence(kept),
  };
}

/** A job is named after its file; file names may be longer than names of jobs. */
function nameOfScene({ trace }: ExaminedScene): string {
  return basename(trace.blend, '.blend').slice(0, NAME_LENGTH_MAX);
}

/** A program that nobody allows yet keeps its job waiting, which is better told at once. */
function programFindings(components: SubmissionComponents, plan: Plan): FindingView[] {
  const allowed = new Set(
    components.driver.queries.nodes().flatMap(({ live }) => live.capabilities?.programs ?? []),
  );
  const programs = new Set(plan.groups.flatMap(({ requires }) => requires.program ?? []));
  return [...programs]
    .filter((program) => !allowed.has(program))
    .map((program) => ({
      code: 'command-not-allowed',
      severity: 'warning' as const,
      message: describeError('command-not-allowed', { program }),
      subject: program,
    }));
}

function refuseErrors(examined: ExaminedScene): void {
  const errors = examined.findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  throw new CuadroError('preflight-failed', { why: errors.map(({ message }) => message).join(' ') });
}

function requireJob(components: JobsComponents, id: string): string {
  const { queries } = components.driver;
  if (queries.jobRecord(id) !== undefined) return id;
  const matches = queries.jobIds().filter((job) => job.startsWith(id));
  if (matches.length === 1) return matches[0] as string;
  if (matches.length > 1) throw new CuadroError('job-ambiguous', { job: id, matches: matches.join(', ') });
  throw new CuadroError('job-not-found', { job: id });
}

interface JobDraft {
  id: string;
  name: string;
  type: string;
  tasks: number;
  settings: Record<string, unknown>;
  plan: string;
  bundle: string | undefined;
  after: string[];
  folder: string;
  body: RouteBody<'submit'>;
}

function jobRecord(components: SubmissionComponents, draft: JobDraft): JobRecord {
  const { signer, clock, driver } = components;
  const { id, body } = draft;
  const control = {
    ...(body.priority !== undefined && { priority: body.priority }),
    ...(body.paused === true && { desired: 'paused' as const }),
    ...(body.notes !== undefined && { notes: body.notes }),
    ...(body.machineLimit !== undefined && { machineLimit: body.machineLimit }),
  };
  const fields = Object.entries(control).map(([name, value]) => [
    name,
    signField(signer, 'job-control', fieldSubject(id, name), value, 1),
  ]);
  const held = { [signer.peer]: { held: true, counter: 1 } };
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: draft.name,
      type: draft.type,
      settings: draft.settings,
      plan: draft.plan,
      ...(draft.bundle !== undefined && { bundle: draft.bundle }),
      tasks: draft.tasks,
      order: driver.queries.nextOrder(),
      after: draft.after,
      outputFolder: draft.folder,
      wallTime: clock.wallTime(),
    }),
    control: Object.fromEntries(fields) as JobRecord['control'],
    requests: {},
    holders: { bundle: draft.bundle === undefined ? {} : held, plan: held },
    // Otherwise as soon as a second machine holds it (SPEC R60).
    acknowledged: components.copies.alone(),
  };
}
