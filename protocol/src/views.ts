import { z } from 'zod';
import { workingHoursSchema } from './record-schemas.ts';
import { outputFileSchema } from './plan.ts';
import { blobHashSchema, jobIdSchema, peerIdSchema } from './ids.ts';
import { capabilitiesSchema } from './messages.ts';

/**
 * What the local API shows: plain JSON, made from records (the same on every node) and from the pulse (live,
 * labelled so by the name `live`). Server, command line, dashboard and the OpenAPI document share these.
 */

/** The longest time that a collected job can be set to stay: ten years. */
export const RETENTION_DAYS_MAX = 3_650;

export const taskStateSchema = z.enum(['open', 'rendered', 'done', 'failed', 'skipped']);
export const jobStateSchema = z.enum([
  'waiting',
  'queued',
  'active',
  'paused',
  'done',
  'failed',
  'canceled',
  'skipped',
  'deleted',
]);

export const taskCountsSchema = z.object({
  total: z.int(),
  open: z.int(),
  rendered: z.int(),
  done: z.int(),
  failed: z.int(),
  skipped: z.int(),
});

export const jobViewSchema = z.object({
  id: jobIdSchema,
  /** The farm-wide order counter, a short number for people. */
  order: z.int(),
  name: z.string(),
  type: z.string(),
  state: jobStateSchema,
  /** One sentence: why it waits, failed or was skipped. */
  reason: z.string().optional(),
  priority: z.int(),
  notes: z.string(),
  machineLimit: z.int(),
  counts: taskCountsSchema,
  /** Results that only one machine holds. */
  oneCopyOnly: z.int(),
  acknowledged: z.boolean(),
  /** How many machines hold the scene and the plan. */
  holders: z.int(),
  /** What would be left without the machine that submitted it (SPEC R58), and in one sentence. */
  safety: z.object({
    /** Other machines that hold whatever is held by fewest; counted up to two. */
    machines: z.int().min(0).max(2),
    /** Whether fewer than two others hold the scene and the plan. */
    job: z.boolean(),
    resultsOnOne: z.int(),
    resultsOnNone: z.int(),
    sentence: z.string(),
  }),
  /** What only one machine holds, by machine: results, and whether the scene or the plan. */
  onlyOn: z.array(
    z.object({ peer: peerIdSchema, machine: z.string(), results: z.int(), scene: z.boolean() }),
  ),
  submitter: peerIdSchema,
  outputFolder: z.string(),
  after: z.array(jobIdSchema),
  /** Milliseconds since 1970, for display. */
  submittedAt: z.number(),
  /** Latest result or verdict, for display. */
  changedAt: z.number().optional(),
  settings: z.record(z.string(), z.unknown()),
  /** The newest frames that have a thumbnail, newest first, at most four. */
  thumbnails: z.array(z.object({ task: z.int(), blob: blobHashSchema })),
  /** The finished film, once there is one, and the task that made it. */
  film: outputFileSchema.optional(),
  filmTask: z.int().optional(),
  /** Whether frames were redone since the film was made. */
  filmStale: z.boolean(),
  live: z.object({
    running: z.int(),
    /** Forecast of the milliseconds left; absent until it can be said. */
    remainingMs: z.number().optional(),
    /** One sentence on what its first open task waits for, while none of its tasks runs. */
    waits: z.string().optional(),
    /** Where it was submitted: files collected, foreign ones that were kept, and the .blend that it came from. */
    collected: z.int().optional(),
    keptForeign: z.int().optional(),
    scene: z.string().optional(),
    /** What can't be collected on this machine at the moment, or not had again, and why: one sentence. */
    problem: z.string().optional(),
  }),
});
export type JobView = z.infer<typeof jobViewSchema>;

export const attemptViewSchema = z.object({
  /** `attemptKey` form. */
  attempt: z.string(),
  peer: peerIdSchema,
  machine: z.string(),
  state: z.enum(['running', 'rendered', 'done', 'failed', 'lost']),
  code: z.string().optional(),
  message: z.string().optional(),
  lines: z.array(z.string()),
  hasLog: z.boolean(),
  renderMs: z.number().optional(),
  at: z.number().optional(),
});
export type AttemptView = z.infer<typeof attemptViewSchema>;

export const taskViewSchema = z.object({
  index: z.int(),
  /** `frame 7`, `film`. */
  name: z.string(),
  /** The plan's group, `frame`, and the number in it. */
  group: z.string(),
  number: z.int(),
  state: taskStateSchema,
  files: z.array(outputFileSchema),
  thumbnail: blobHashSchema.optional(),
  copies: z.int(),
  renderMs: z.number().optional(),
  /** The machine that made the result. */
  machine: z.string().optional(),
  failures: z.int(),
  stale: z.boolean(),
  live: z.object({
    running: z.boolean(),
    fraction: z.number().optional(),
    remainingMs: z.number().optional(),
    machine: z.string().optional(),
  }),
});
export type TaskView = z.infer<typeof taskViewSchema>;

export const taskDetailSchema = taskViewSchema.extend({
  attempts: z.array(attemptViewSchema),
  /** Names of the machines that hold its result. */
  heldBy: z.array(z.string()),
  /** One sentence on what it waits for, or how it ended. */
  why: z.string(),
});
export type TaskDetail = z.infer<typeof taskDetailSchema>;

export const nodeViewSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  /** Whether it is the node that answers. */
  here: z.boolean(),
  coordinator: z.boolean(),
  desired: z.enum(['active', 'draining', 'paused']),
  ownerDesired: z.enum(['active', 'draining', 'paused']),
  /** It leaves the farm as soon as what only it holds is elsewhere. */
  leaving: z.boolean(),
  slots: z.int(),
  tags: z.array(z.string()),
  hours: workingHoursSchema.optional(),
  live: z.object({
    reachable: z.boolean(),
    running: z.array(z.object({ job: jobIdSchema, task: z.int(), name: z.string(), fraction: z.number() })),
    load: z.number(),
    freeDiskBytes: z.number(),
    capabilities: capabilitiesSchema.optional(),
    /** One sentence on why it isn't rendering; absent while it is. */
    idleReason: z.string().optional(),
  }),
});
export type NodeView = z.infer<typeof nodeViewSchema>;

export const farmViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  members: z.int(),
  coordinator: peerIdSchema.optional(),
  epochTerm: z.int(),
  /** Who led, as the node that answers saw it, oldest first; `leaderlessMs`: for how long nobody led before. */
  coordinators: z.array(
    z.object({
      peer: peerIdSchema,
      name: z.string(),
      term: z.int(),
      /** Milliseconds since 1970, for display. */
      at: z.number(),
      cause: z.enum(['first', 'lost', 'yielded', 'found']),
      leaderlessMs: z.number(),
      /** When it knew what the others hold and could grant; only the node that led knows. */
      collectedAt: z.number().optional(),
      /** When its first grant went out; only the node that led knows. */
      firstGrantAt: z.number().optional(),
    }),
  ),
  jobs: z.record(z.string(), z.int()),
  live: z.object({ running: z.int(), nodes: z.int() }),
});
export type FarmView = z.infer<typeof farmViewSchema>;

/** How far this machine is with leaving its farm (SPEC R161, R162). */
export const departureViewSchema = z.object({
  /** `blocked`: no machine takes what is left, for the reason in `message`; it goes on as soon as one does. */
  state: z.enum(['staying', 'moving', 'blocked', 'left']),
  /** What is still to be moved: results, scenes with their plans, and logs of failed attempts where there are any. */
  left: z.object({ results: z.int(), scenes: z.int(), logs: z.int().optional() }),
  /** One sentence on how it stands. */
  message: z.string(),
});
export type DepartureView = z.infer<typeof departureViewSchema>;

/** What the machines did in the last hours, in bars of equal time; from the records, so the same on every node. */
export const activityViewSchema = z.object({
  /** Milliseconds since 1970 of the first bar's beginning. */
  start: z.number(),
  barMs: z.number(),
  machines: z.array(
    z.object({
      peer: peerIdSchema,
      name: z.string(),
      results: z.int(),
      failures: z.int(),
      /** What it sent to others that did not fit a file's hash (SPEC R138), as far as their diaries go back. */
      misfits: z.int(),
      /** For each bar: milliseconds of rendering that gave a result, of all its slots together. */
      busyMs: z.array(z.number()),
      /** For each bar: failed attempts. */
      failed: z.array(z.int()),
    }),
  ),
});
export type ActivityView = z.infer<typeof activityViewSchema>;

/** This machine: what only its own node knows. */
export const hereViewSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  version: z.string(),
  pid: z.int(),
  address: z.string(),
  dataFolder: z.string(),
  startedAt: z.number(),
  store: z.object({
    usedBytes: z.number(),
    quotaBytes: z.number(),
    freeDiskBytes: z.number(),
    reserveBytes: z.number(),
    accepting: z.boolean(),
    reason: z.string().optional(),
  }),
  /** What it alone holds, and has still to give a copy of to another machine; no network, no copies. */
  copiesToGive: z.object({ results: z.int(), jobs: z.int(), logs: z.int() }).optional(),
  memoryBytes: z.number(),
  loopDelayP99Ms: z.number(),
  blender: z.object({
    state: z.enum(['ready', 'missing', 'probing']),
    path: z.string().optional(),
    version: z.string().optional(),
    /** One sentence on what is missing or how it is confined. */
    note: z.string().optional(),
    confinement: z.string().optional(),
  }),
  ffmpeg: z.object({
    state: z.enum(['ready', 'missing', 'probing']),
    version: z.string().optional(),
    path: z.string().optional(),
  }),
  sessions: z.array(
    z.object({
      pid: z.int(),
      state: z.string(),
      scene: z.string().optional(),
      frames: z.int(),
      loads: z.int(),
      memoryBytes: z.number(),
      devices: z.array(z.string()),
    }),
  ),
});
export type HereView = z.infer<typeof hereViewSchema>;

export const findingSchema = z.object({
  code: z.string(),
  severity: z.enum(['error', 'warning', 'note']),
  message: z.string(),
  subject: z.string().optional(),
});
export type FindingView = z.infer<typeof findingSchema>;

/** What is known of a scene before it is submitted. */
export const sceneViewSchema = z.object({
  path: z.string(),
  scenes: z.array(z.string()),
  scene: z.string(),
  cameras: z.array(z.string()),
  camera: z.string().optional(),
  frames: z.object({ start: z.int(), end: z.int(), step: z.int() }),
  rate: z.object({ numerator: z.number(), denominator: z.number() }),
  width: z.int(),
  height: z.int(),
  engine: z.string(),
  format: z.string(),
  movie: z.boolean(),
  files: z.int(),
  sizeBytes: z.number(),
  missing: z.array(z.string()),
});
export type SceneView = z.infer<typeof sceneViewSchema>;

export const preflightViewSchema = z.object({
  ok: z.boolean(),
  findings: z.array(findingSchema),
  scene: sceneViewSchema.optional(),
});
export type PreflightView = z.infer<typeof preflightViewSchema>;

/** The answer to a change: what it became, and how many machines hold it. */
export const changeViewSchema = z.object({ machines: z.int(), message: z.string() });
export type ChangeView = z.infer<typeof changeViewSchema>;

export const submittedViewSchema = z.object({
  job: jobViewSchema,
  findings: z.array(findingSchema),
  machines: z.int(),
  message: z.string(),
});
export type SubmittedView = z.infer<typeof submittedViewSchema>;

export const fetchedViewSchema = z.object({
  folder: z.string(),
  written: z.int(),
  alreadyThere: z.int(),
  keptForeign: z.array(z.string()),
  /** Files that can't be had now, why the first of them can't, and the machines that hold them and don't answer. */
  missing: z.array(z.string()),
  problem: z.string().optional(),
  away: z.array(z.string()),
});
export type FetchedView = z.infer<typeof fetchedViewSchema>;

/** What goes of the jobs that this machine submitted once they are done and collected, and what that frees here. */
export const retentionViewSchema = z.object({
  days: z.number(),
  jobs: z.array(
    z.object({
      job: jobIdSchema,
      order: z.int(),
      name: z.string(),
      /** What it alone keeps in this machine's store. */
      sizeBytes: z.number(),
      goes: z.boolean(),
      /** One sentence on why it stays. */
      why: z.string().optional(),
    }),
  ),
  freesBytes: z.number(),
});
export type RetentionView = z.infer<typeof retentionViewSchema>;

/** What a machine's owner may set; stored in the data folder's config file. */
export const configSchema = z.object({
  name: z.string().min(1).max(200).describe('Name of this machine, as others see it'),
  slots: z.int().min(1).max(64).describe('Tasks at the same time; one Blender uses all cores'),
  blender: z.string().max(4_096).describe('Blender program; empty finds it on the PATH'),
  ffmpeg: z.string().max(4_096).describe('ffmpeg program; empty finds it on the PATH'),
  programs: z.array(z.string().max(1_024)).max(256).describe('Programs that command jobs may run here'),
  allowScripts: z.boolean().describe('Whether scenes may run their own Python here'),
  confine: z.boolean().describe('Run Blender without network and with one writable folder'),
  quotaGiB: z.number().min(0).describe('The most that stored scenes and frames may take, in GiB'),
  keepDays: z
    .number()
    .min(0)
    .max(RETENTION_DAYS_MAX)
    .describe('Days until a job from here that is done and collected is deleted; 0 keeps it'),
  repairMiBps: z
    .number()
    .min(0)
    .max(100_000)
    .describe(
      'The most that copies in place of lost ones take, in MiB/s; a quarter while it renders; 0: all',
    ),
  replaceHours: z
    .number()
    .min(1)
    .max(8_760)
    .describe('Hours out of reach until copies on another machine are replaced by new ones'),
  reserveGiB: z.number().min(0).describe('Disk always left free, in GiB'),
  outputFolder: z.string().max(4_096).describe('Where jobs get their own folders of frames'),
  port: z.int().min(0).max(65_535).describe('Port of the dashboard'),
  network: z.boolean().describe('Look for other machines on the local network, and be found by them'),
  serviceName: z
    .string()
    .regex(/^[a-z0-9-]{1,15}$/)
    .describe('Name of the announcements; nodes of different names never meet'),
  interfaces: z.array(z.string().max(64)).max(32).describe('Network interfaces to use; empty for all'),
  listen: z.array(z.string().max(64)).min(1).max(16).describe('IP addresses at which others may connect'),
  meshPort: z.int().min(0).max(65_535).describe('Port for the members of the farm'),
  lobbyPort: z.int().min(0).max(65_535).describe('Port for newcomers'),
});
export type Config = z.infer<typeof configSchema>;
