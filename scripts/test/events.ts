/**
 * A reporter for node:test that runs inside each test file's process and writes its events as JSON lines to file
 * descriptor 3, so that the runner sees them at once and apart from what the tests print.
 */
import { readFileSync, writeSync } from 'node:fs';
import { inspect } from 'node:util';

/** What the runner learns of a test file while it runs. */
export type FileEvent =
  | { kind: 'start'; name: string }
  | {
      kind: 'end';
      name: string;
      /** Depth of the test in its suites, from 0. */
      nesting: number;
      isSuite: boolean;
      outcome: 'pass' | 'fail' | 'cancelled' | 'skipped' | 'todo';
      /** Why it was skipped, when a reason was given. */
      reason: string;
      ms: number;
      line: number;
      error: string;
    }
  /** What a test told of itself, such as a figure that it measured. */
  | { kind: 'told'; text: string }
  | { kind: 'note'; text: string }
  /** Processor time that the file took, with all that it started and that ended before it. */
  | { kind: 'cpu'; ms: number };

const EVENTS = 3;

interface ReportedError {
  failureType?: string;
  cause?: unknown;
}

interface ReportedTest {
  name: string;
  nesting: number;
  line?: number;
  skip?: string | boolean;
  todo?: string | boolean;
  details: { duration_ms: number; type?: string; error?: ReportedError };
}

interface ReportedDiagnostic {
  message: string;
  line?: number;
  column?: number;
}

interface Reported {
  type: string;
  data: unknown;
}

function send(event: FileEvent): void {
  writeSync(EVENTS, `${JSON.stringify(event)}\n`);
}

function tell({ message, line, column }: ReportedDiagnostic): void {
  // What node itself tells of the run has the very beginning of the file as its place, where no test can stand.
  if (line !== 1 || column !== 1) send({ kind: 'told', text: message });
}

function endOf(type: string, test: ReportedTest): FileEvent {
  const error = test.details.error;
  let outcome: 'pass' | 'fail' | 'cancelled' | 'skipped' | 'todo' = type === 'test:pass' ? 'pass' : 'fail';
  if (test.skip !== undefined && test.skip !== false) outcome = 'skipped';
  else if (test.todo !== undefined && test.todo !== false) outcome = 'todo';
  else if (error?.failureType === 'cancelledByParent' || error?.failureType === 'testAborted')
    outcome = 'cancelled';
  const cause = error?.failureType === 'subtestsFailed' ? '' : (error?.cause ?? error ?? '');
  return {
    kind: 'end',
    name: test.name,
    nesting: test.nesting,
    isSuite: test.details.type === 'suite',
    outcome,
    reason: typeof test.skip === 'string' ? test.skip : typeof test.todo === 'string' ? test.todo : '',
    ms: test.details.duration_ms,
    line: test.line ?? 1,
    error: cause === '' ? '' : typeof cause === 'string' ? cause : inspect(cause, { depth: 4 }),
  };
}

/** A clock tick of `/proc/PID/stat`, whatever the kernel's own is (proc(5)). */
const TICK_MS = 10;
/** Where user and system time stand behind the name, of the process and of the children that it waited for. */
const TIMES = [11, 15] as const;

function processorMs(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ticks.slice(...TIMES).reduce((sum, text) => sum + Number(text), 0) * TICK_MS;
  } catch {
    return undefined;
  }
}

export default async function* report(source: AsyncIterable<Reported>): AsyncGenerator<string> {
  // Asked to end by the runner, a file that does not come to its end says what keeps it.
  process.on('SIGTERM', () => {
    const resources = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');
    send({
      kind: 'note',
      text: `still open: ${[...new Set(resources)].join(', ') || 'nothing that Node lists'}`,
    });
    process.exit(143);
  });
  process.on('exit', () => {
    const ms = processorMs();
    if (ms !== undefined) send({ kind: 'cpu', ms });
  });
  for await (const { type, data } of source) {
    if (type === 'test:dequeue') send({ kind: 'start', name: (data as ReportedTest).name });
    else if (type === 'test:diagnostic') tell(data as ReportedDiagnostic);
    else if (type === 'test:pass' || type === 'test:fail') send(endOf(type, data as ReportedTest));
  }
  yield '';
}
