import { z } from 'zod';
import { doorViewSchema } from './door-views.ts';
import { blobHashSchema, jobIdSchema } from './ids.ts';
import {
  JOB_DEPENDENCIES_MAX,
  NAME_LENGTH_MAX,
  NOTES_LENGTH_MAX,
  PRIORITY_MAX,
  SENTENCE_LENGTH_MAX,
  TAGS_MAX,
} from './limits.ts';
import { leavingSchema, workingHoursSchema } from './record-schemas.ts';
import { nightViewSchema } from './night-views.ts';
import { swarmViewSchema } from './swarm-views.ts';
import {
  activityViewSchema,
  changeViewSchema,
  configSchema,
  departureViewSchema,
  farmViewSchema,
  fetchedViewSchema,
  hereViewSchema,
  jobViewSchema,
  nodeViewSchema,
  preflightViewSchema,
  RETENTION_DAYS_MAX,
  retentionViewSchema,
  submittedViewSchema,
  taskDetailSchema,
  taskStateSchema,
  taskViewSchema,
} from './views.ts';

/**
 * The one table of routes from which the server, the command line, the dashboard and the client for others
 * derive (SPEC R91). Everything stands below `/api/v1`, on loopback only, and needs the node's token.
 */

export const API_PREFIX = '/api/v1';
/** The first port tried for the dashboard; a taken one moves to the next (DESIGN.md section 9). */
export const DEFAULT_PORT = 7700;
/** The longest time that can be told as one night: a long weekend, and what the diaries hold of it. */
export const NIGHT_HOURS_MAX = 96;
/** How many ports after the first are tried. */
export const PORT_ATTEMPTS = 20;

export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the prefix, with `:name` parameters. */
  path: string;
  summary: string;
  params: P;
  query: Q;
  body: B;
  response: R;
  /** The answer is bytes or a stream of its own kind, not the JSON of `response`. */
  raw?: 'stream';
}

const none = z.object({});
const route = <
  P extends z.ZodType = typeof none,
  Q extends z.ZodType = typeof none,
  B extends z.ZodType = z.ZodUndefined,
  R extends z.ZodType = z.ZodUndefined,
>(
  method: Route['method'],
  path: string,
  summary: string,
  parts: { params?: P; query?: Q; body?: B; response?: R; raw?: 'stream' } = {},
) => ({
  method,
  path,
  summary,
  params: (parts.params ?? none) as P,
  query: (parts.query ?? none) as Q,
  body: (parts.body ?? z.undefined()) as B,
  response: (parts.response ?? z.undefined()) as R,
  ...(parts.raw && { raw: parts.raw }),
});

/** A job's id, or a beginning of it that only one job has. */
const jobParam = z.object({ job: z.string().min(1).max(64) });
/** A task by index, or as a person writes it: `7`, `frame 7`, `film`, `#12`. */
const taskParam = jobParam.extend({ task: z.string().min(1).max(80) });

/** A machine by its name, its peer id or a beginning of that, or `here`. */
const nodeParam = z.object({ node: z.string().min(1).max(200) });

/** A newcomer by its three words, its peer id or its name. */
const newcomerBody = z.object({ newcomer: z.string().min(1).max(NAME_LENGTH_MAX).optional() });

export const submitBodySchema = z.object({
  type: z.string().min(1).max(NAME_LENGTH_MAX).default('blender-animation'),
  /** Absolute path of the .blend on this machine, where the type needs a scene. */
  path: z.string().min(1).max(4_096).optional(),
  name: z.string().min(1).max(NAME_LENGTH_MAX).optional(),
  settings: z.record(z.string(), z.unknown()).default({}),
  priority: z.int().min(0).max(PRIORITY_MAX).optional(),
  paused: z.boolean().optional(),
  after: z.array(z.string()).max(JOB_DEPENDENCIES_MAX).default([]),
  /** Absolute; a folder of the job's own below the configured one by default. */
  outputFolder: z.string().min(1).max(4_096).optional(),
  overwrite: z.boolean().optional(),
  notes: z.string().max(NOTES_LENGTH_MAX).optional(),
  machineLimit: z.int().min(0).optional(),
  /** Chosen by the client, echoed by `submission` events, so that it can show progress. */
  submission: z.string().max(64).optional(),
});
export type SubmitBody = z.input<typeof submitBodySchema>;

export const ROUTES = {
  farm: route('GET', '/farm', 'The farm', { response: farmViewSchema }),
  here: route('GET', '/here', 'This machine', { response: hereViewSchema }),
  config: route('GET', '/config', "What this machine's owner set", { response: configSchema }),
  setConfig: route('PATCH', '/config', "Change what this machine's owner set", {
    body: configSchema.partial(),
    response: configSchema,
  }),
  stop: route('POST', '/here/stop', 'End this node in order', { response: changeViewSchema }),
  departure: route('GET', '/here/departure', 'How far this machine is with leaving the farm', {
    response: departureViewSchema,
  }),
  leaveNow: route('POST', '/here/leave', 'Leave the farm at once, and lose what only this machine holds', {
    response: changeViewSchema,
  }),
  jobs: route('GET', '/jobs', 'All jobs, in the order in which they run', {
    response: z.array(jobViewSchema),
  }),
  job: route('GET', '/jobs/:job', 'One job', { params: jobParam, response: jobViewSchema }),
  submit: route('POST', '/jobs', 'Submit a job', { body: submitBodySchema, response: submittedViewSchema }),
  preflight: route('POST', '/preflight', 'Say what would go wrong with a job', {
    body: submitBodySchema,
    response: preflightViewSchema,
  }),
  setJob: route('PATCH', '/jobs/:job', 'Pause, resume, cancel, rename or reorder a job', {
    params: jobParam,
    body: z.object({
      desired: z.enum(['active', 'paused', 'canceled']).optional(),
      priority: z.int().min(0).max(PRIORITY_MAX).optional(),
      name: z.string().min(1).max(NAME_LENGTH_MAX).optional(),
      notes: z.string().max(NOTES_LENGTH_MAX).optional(),
      machineLimit: z.int().min(0).optional(),
      failureShare: z.number().min(0).max(1).optional(),
    }),
    response: changeViewSchema,
  }),
  requeue: route(
    'POST',
    '/jobs/:job/requeue',
    'Render tasks again: failed ones are retried, done ones discarded and redone',
    {
      params: jobParam,
      body: z.object({
        /** `failed`, `all`, or tasks as a person writes them: `7`, `3-9`, `film`. */
        tasks: z.union([
          z.literal('failed'),
          z.literal('all'),
          z.array(z.string().max(80)).min(1).max(10_000),
        ]),
      }),
      response: changeViewSchema,
    },
  ),
  deleteJob: route('DELETE', '/jobs/:job', 'Delete a job; collected files stay', {
    params: jobParam,
    response: changeViewSchema,
  }),
  tasks: route('GET', '/jobs/:job/tasks', "A job's tasks", {
    params: jobParam,
    query: z.object({
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(5_000).default(1_000),
      state: taskStateSchema.optional(),
    }),
    response: z.object({ total: z.int(), tasks: z.array(taskViewSchema) }),
  }),
  task: route('GET', '/jobs/:job/tasks/:task', 'One task with its attempts, and why it is as it is', {
    params: taskParam,
    response: taskDetailSchema,
  }),
  log: route('GET', '/jobs/:job/tasks/:task/log', 'The log of an attempt (the latest by default)', {
    params: taskParam,
    query: z.object({ attempt: z.string().max(120).optional() }),
    raw: 'stream',
  }),
  fetchJob: route('POST', '/jobs/:job/fetch', "Write a job's finished files to a folder of this machine", {
    params: jobParam,
    body: z.object({
      to: z.string().min(1).max(4_096),
      overwrite: z.boolean().optional(),
      /** Chosen by the client, echoed by `fetch` events, so that it can show progress. */
      fetch: z.string().max(64).optional(),
    }),
    response: fetchedViewSchema,
  }),
  retention: route('GET', '/retention', 'What would be freed of jobs from here that are done and collected', {
    query: z.object({ days: z.coerce.number().min(0).max(RETENTION_DAYS_MAX).optional() }),
    response: retentionViewSchema,
  }),
  tidy: route('POST', '/retention', 'Delete jobs from here that were done and collected so many days ago', {
    body: z.object({ days: z.number().min(0).max(RETENTION_DAYS_MAX) }),
    response: retentionViewSchema,
  }),
  nodes: route('GET', '/nodes', 'The machines', { response: z.array(nodeViewSchema) }),
  node: route('GET', '/nodes/:node', 'One machine, by its name or key; `here` names this one', {
    params: nodeParam,
    // Counted for one machine only, since all failed attempts of all jobs are looked through for it.
    response: nodeViewSchema.extend({
      logsOnlyThere: z
        .int()
        .optional()
        .describe('Logs of failed attempts that no other member holds, as the answering machine knows'),
    }),
  }),
  setNode: route(
    'PATCH',
    '/nodes/:node',
    'Pause, drain or resume a machine, tag it, or let it leave the farm; `here` names this one',
    {
      params: nodeParam,
      body: z.object({
        desired: z.enum(['active', 'draining', 'paused']).optional(),
        /** By the owner, on the machine itself only. */
        ownerDesired: z.enum(['active', 'draining', 'paused']).optional(),
        tags: z.array(z.string().max(NAME_LENGTH_MAX)).max(TAGS_MAX).optional(),
        hours: workingHoursSchema.optional(),
        slots: z.int().min(0).max(64).optional(),
        /** Whether it is to leave the farm, once what only it holds is elsewhere. */
        leaving: leavingSchema.optional(),
      }),
      response: changeViewSchema,
    },
  ),
  activity: route('GET', '/activity', 'What the machines did in the last hours', {
    query: z.object({ hours: z.coerce.number().int().min(1).max(48).default(12) }),
    response: activityViewSchema,
  }),
  night: route('GET', '/night', 'What happened in the last hours: jobs, machines, and what needs a person', {
    query: z.object({ hours: z.coerce.number().min(0.1).max(NIGHT_HOURS_MAX).default(12) }),
    response: nightViewSchema,
  }),
  swarm: route(
    'GET',
    '/swarm',
    'How scenes and frames travel: who has what, what comes from whom, what waits',
    {
      response: swarmViewSchema,
    },
  ),
  door: route('GET', '/door', "The farm's door: who is in, who wants in, what else is around", {
    response: doorViewSchema,
  }),
  openDoor: route('POST', '/door/open', 'Let newcomers of the local network in by themselves for a while', {
    body: z.object({ forMs: z.int().min(1_000).max(86_400_000).default(900_000) }),
    response: changeViewSchema,
  }),
  closeDoor: route('POST', '/door/close', 'Let nobody in without being asked', {
    response: changeViewSchema,
  }),
  admit: route('POST', '/door/admit', 'Admit a newcomer; the only one that waits by default', {
    body: newcomerBody,
    response: changeViewSchema,
  }),
  refuse: route('POST', '/door/refuse', 'Send a newcomer away', {
    body: newcomerBody,
    response: changeViewSchema,
  }),
  removeMember: route('POST', '/door/remove', 'Remove a machine from the farm for good', {
    body: z.object({
      /** Its name, its peer id, or a beginning of that. */
      member: z.string().min(1).max(NAME_LENGTH_MAX),
      reason: z.string().max(SENTENCE_LENGTH_MAX).default(''),
    }),
    response: changeViewSchema,
  }),
  mergeFarm: route('POST', '/door/merge', 'Merge this farm with another; the only one found by default', {
    body: z.object({ farm: z.string().min(1).max(NAME_LENGTH_MAX).optional() }),
    response: changeViewSchema,
  }),
  joinAddress: route('POST', '/door/join', 'Join the farm of the machine at an address', {
    body: z.object({ address: z.string().min(1).max(300) }),
    response: changeViewSchema,
  }),
  foundFarm: route('POST', '/door/found', "Found a farm of this machine's own, where it has none", {
    response: changeViewSchema,
  }),
  blob: route('GET', '/blobs/:hash', 'A stored file; `name` gives its type and download name', {
    params: z.object({ hash: blobHashSchema }),
    query: z.object({
      name: z.string().max(400).optional(),
      download: z.string().optional(),
      /** What it belongs to: so a machine that doesn't hold it knows at once where it is. */
      job: jobIdSchema.optional(),
      task: z.coerce.number().int().min(0).optional(),
    }),
    raw: 'stream',
  }),
  events: route('GET', '/events', 'Live events (text/event-stream), resumable by Last-Event-ID', {
    raw: 'stream',
  }),
  metrics: route('GET', '/metrics', 'Counters in the Prometheus text format', { raw: 'stream' }),
  openapi: route('GET', '/openapi.json', 'This table as an OpenAPI document', { raw: 'stream' }),
} as const;

export type RouteName = keyof typeof ROUTES;
export type RouteParams<N extends RouteName> = z.input<(typeof ROUTES)[N]['params']>;
export type RouteQuery<N extends RouteName> = z.input<(typeof ROUTES)[N]['query']>;
export type RouteBody<N extends RouteName> = z.input<(typeof ROUTES)[N]['body']>;
export type RouteResponse<N extends RouteName> = z.output<(typeof ROUTES)[N]['response']>;

/** An error as the API answers it; `message` is the catalogue's sentence. */
export const errorBodySchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) }),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;

/** The path of a route with its parameters filled in and the query added. */
export function routePath(
  name: RouteName,
  params: Record<string, string> = {},
  query: Record<string, unknown> = {},
): string {
  const path = ROUTES[name].path.replace(/:(\w+)/g, (_, key: string) =>
    encodeURIComponent(params[key] ?? ''),
  );
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
  return `${API_PREFIX}${path}${text === '' ? '' : `?${text}`}`;
}
