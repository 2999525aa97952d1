/**
 * The one catalogue of what can go wrong, from which HTTP statuses, exit codes and sentences derive
 * (SPEC R90). Codes are stable: scripts may branch on them.
 */

/** Exit codes of the command line; documented in `cuadro --help` and the user documentation. */
export const EXIT = {
  ok: 0,
  /** Something failed that no other code names. */
  failure: 1,
  /** The command line itself is wrong: an unknown option, a bad frame list. */
  usage: 2,
  /** What was named does not exist: a file, a job, a task, a machine. */
  notFound: 3,
  /** The input is there and is refused: a broken .blend, no camera, a preflight error. */
  refused: 4,
  /** The job ended, and not well: failed or canceled. */
  jobFailed: 5,
  /** No node answers on this machine, or it is another user's. */
  noNode: 6,
  /** The machine is in the way: no Blender, a full disk, a folder that cannot be written, a taken port. */
  machine: 7,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CatalogueEntry {
  status: number;
  exit: ExitCode;
  /** One sentence with the next step; `{name}` is replaced by the error's detail of that name. */
  message: string;
}

const entry = (status: number, exit: ExitCode, message: string): CatalogueEntry => ({
  status,
  exit,
  message,
});

/** Code → status, exit code and sentence. */
export const ERRORS = {
  'frames-invalid': entry(
    400,
    EXIT.usage,
    'The frames "{text}" can\'t be used: {why}. Write them like 1-10, 1-10:2, -5-5 or 1,3,7-9.',
  ),
  'request-invalid': entry(400, EXIT.usage, "The request can't be used: {why}."),
  'settings-invalid': entry(400, EXIT.usage, "The settings of the job type {type} can't be used: {why}."),
  'job-type-unknown': entry(400, EXIT.usage, 'There is no job type "{type}"; known are {known}.'),
  'plan-too-large': entry(
    400,
    EXIT.usage,
    'The job would have {count} tasks; a job holds {limit} at most. Split it into several.',
  ),
  'record-too-large': entry(
    400,
    EXIT.refused,
    'The record {record} would have {bytes} bytes; {limit} are the limit. Ask for less at once, or submit the job anew.',
  ),
  'path-unsafe': entry(400, EXIT.refused, 'The path "{path}" leaves its folder, so it is refused.'),
  'token-missing': entry(
    401,
    EXIT.noNode,
    "This page needs the node's token. Open it with `cuadro dashboard`.",
  ),
  'host-refused': entry(
    403,
    EXIT.noNode,
    'The address "{host}" isn\'t one of this node\'s own; use http://127.0.0.1.',
  ),
  'origin-refused': entry(403, EXIT.noNode, 'Another page ({origin}) tried to use this node; it is refused.'),
  'no-data': entry(
    404,
    EXIT.notFound,
    'No node has kept anything in {path}. Name its data folder with --data.',
  ),
  'not-found': entry(404, EXIT.notFound, 'There is nothing at {path}.'),
  'job-not-found': entry(404, EXIT.notFound, 'There is no job "{job}". `cuadro jobs` lists them.'),
  'job-ambiguous': entry(
    409,
    EXIT.notFound,
    'Several jobs start with "{job}" or are called so: {matches}. Give more of the id, or the number.',
  ),
  'task-not-found': entry(
    404,
    EXIT.notFound,
    'The job {job} has no task "{task}". `cuadro show {job} --tasks` lists them.',
  ),
  'attempt-not-found': entry(
    404,
    EXIT.notFound,
    'This machine has no log of attempt "{attempt}". What went well leaves its log only on the machine that ran it: `cuadro show JOB TASK` names that, and `cuadro logs` there prints it.',
  ),
  'node-not-found': entry(404, EXIT.notFound, 'There is no machine "{node}". `cuadro nodes` lists them.'),
  'node-ambiguous': entry(
    409,
    EXIT.notFound,
    'Several machines are called "{node}" or have ids that start so: {matches}. Give more of the id; `cuadro nodes --json` shows them.',
  ),
  'newcomer-not-found': entry(
    404,
    EXIT.notFound,
    'Nobody at the door is called "{newcomer}". `cuadro door` shows who waits.',
  ),
  'newcomer-ambiguous': entry(
    409,
    EXIT.notFound,
    'Several wait at the door: {newcomers}. Name one by its three words.',
  ),
  'door-empty': entry(404, EXIT.notFound, 'Nobody is at the door. `cuadro door` shows who waits.'),
  'no-other-farm': entry(
    404,
    EXIT.notFound,
    'No other farm was found on this network. `cuadro join ADDRESS` names one that is elsewhere.',
  ),
  'farm-ambiguous': entry(409, EXIT.notFound, 'Several farms were found: {farms}. Name one by its id.'),
  'farm-not-found': entry(
    404,
    EXIT.notFound,
    'No other farm called "{farm}" was found. `cuadro door` shows those that were.',
  ),
  'address-invalid': entry(
    400,
    EXIT.usage,
    'The address "{address}" can\'t be used. Give one that `cuadro door` shows on the other machine, such as 192.168.1.5.',
  ),
  'lobby-unreachable': entry(
    504,
    EXIT.noNode,
    'No node answers at {address}. Check that Cuadro runs there and that its firewall lets the port through.',
  ),
  'door-refused': entry(409, EXIT.refused, '{why}'),
  'leave-refused': entry(409, EXIT.refused, '{why}'),
  'machine-removed': entry(
    409,
    EXIT.refused,
    'This machine was removed from {farm} by {by}; nothing that it is told reaches the farm any more. Start its node with a new data folder to join one again: cuadro up --data FOLDER.',
  ),
  'machine-leaving': entry(
    409,
    EXIT.refused,
    'This machine is leaving {farm}, and a new job could get lost with it. Submit it on another machine, or let this one stay.',
  ),
  'blob-not-found': entry(404, EXIT.notFound, 'This node does not hold the content {hash}.'),
  'blob-unreachable': entry(
    503,
    EXIT.machine,
    "The content {hash} can't be fetched now: {why}. It can be had again when a machine that holds it is back.",
  ),
  'blob-corrupt': entry(
    500,
    EXIT.machine,
    'The stored content {hash} is damaged and was set aside; it is fetched or rendered again.',
  ),
  'job-deleted': entry(409, EXIT.notFound, 'The job {job} was deleted.'),
  'job-ended': entry(409, EXIT.refused, "The job {job} is {status}; that can't be done to it any more."),
  'blend-missing': entry(404, EXIT.notFound, 'There is no file {path}. Check the path.'),
  'blend-not-a-file': entry(400, EXIT.refused, '{path} is not a file. Give a .blend file.'),
  'blend-garbage': entry(400, EXIT.refused, '{why}'),
  'blend-unreadable': entry(400, EXIT.refused, '{why}'),
  'blend-newer': entry(400, EXIT.refused, '{why}'),
  'config-invalid': entry(
    500,
    EXIT.machine,
    "The configuration can't be used: {why}. Mend that file, or delete it to start from the defaults.",
  ),
  'identity-damaged': entry(
    500,
    EXIT.machine,
    "This machine's key {path} can't be used: {why}. Put a copy of it back; without one, move the file away: the machine then comes to its farm as a new one, and is to be let in again.",
  ),
  'preflight-failed': entry(400, EXIT.refused, "The scene can't be rendered as it is: {why}"),
  'no-blender': entry(
    503,
    EXIT.machine,
    'No Blender was found on this machine. Install it, or name it with `cuadro config set blender /path/to/blender`.',
  ),
  'no-ffmpeg': entry(
    503,
    EXIT.machine,
    'No ffmpeg was found on this machine; frames are rendered, but no film can be made. Install ffmpeg.',
  ),
  'output-unwritable': entry(
    400,
    EXIT.machine,
    "The output folder {path} can't be written: {why}. Choose another with {option}.",
  ),
  'store-full': entry(
    507,
    EXIT.machine,
    'The disk of {path} has too little room: {why}. Free some space, or lower the reserve with `cuadro config`.',
  ),
  'store-unwritable': entry(503, EXIT.machine, "The data folder {path} can't be written: {why}."),
  'data-folder-in-use': entry(
    503,
    EXIT.machine,
    'Another node (process {pid}) already uses the data folder {path}. Use that one, or give this one its own with --data.',
  ),
  'no-node': entry(
    503,
    EXIT.noNode,
    'No node runs on this machine (data folder {path}). Start it with `cuadro up`.',
  ),
  'node-stopping': entry(503, EXIT.noNode, 'The node is stopping; try again when it runs.'),
  'port-taken': entry(
    503,
    EXIT.machine,
    'No free port was found from {first} to {last}. Choose one with --port.',
  ),
  'command-not-allowed': entry(
    403,
    EXIT.refused,
    'No machine allows the program "{program}". Its owner allows it with `cuadro config set programs {program}`.',
  ),
  'job-failed': entry(409, EXIT.jobFailed, 'The job {job} {status}: {why}'),
  'node-too-old': entry(
    503,
    EXIT.machine,
    'Cuadro needs Node.js {needed} or newer and runs under {found}. Install it, or run `npm ci` in the project.',
  ),
  aborted: entry(499, EXIT.interrupted, 'Interrupted.'),
  internal: entry(500, EXIT.failure, 'Something went wrong inside the node: {why}. Its log has more.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Values named by an error's sentence; also sent to clients, so never secrets. */
export type ErrorDetails = Record<string, string | number | boolean | undefined>;

/** An error of the catalogue. `code` is stable; `message` is the sentence with its details filled in. */
export class CuadroError extends Error {
  override readonly name = 'CuadroError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(describeError(code, details), options);
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get exitCode(): ExitCode {
    return ERRORS[this.code].exit;
  }
}

/** The catalogue's sentence for a code, with its details filled in. */
export function describeError(code: ErrorCode, details: ErrorDetails): string {
  return ERRORS[code].message.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'));
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
