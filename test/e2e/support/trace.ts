/** Reads what `strace -f -yy` recorded, and judges whether promises were kept before they were given. Pure. */

export interface SystemCall {
  name: string;
  /** The whole text of its arguments, descriptors with their paths. */
  text: string;
  /** Line of the recording at which it began. */
  begin: number;
  /** Line at which it had returned; Infinity where the recording ended before. */
  end: number;
  failed: boolean;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/s;
const BEGUN = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/s;

/** Calls in the order in which they began. */
export function parseTrace(recording: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, SystemCall>();
  recording.split('\n').forEach((line, number) => {
    const begun = BEGUN.exec(line);
    if (begun !== null) {
      const [, thread, name, text] = begun as unknown as [string, string, string, string];
      const call = { name, text, begin: number, end: Number.POSITIVE_INFINITY, failed: false };
      open.set(thread, call);
      calls.push(call);
      return;
    }
    const resumed = RESUMED.exec(line);
    if (resumed !== null) {
      const call = open.get(resumed[1] as string);
      if (call === undefined) return;
      call.text += resumed[3] ?? '';
      call.end = number;
      call.failed = Number(resumed[4]) < 0;
      return;
    }
    const whole = WHOLE.exec(line);
    if (whole === null) return;
    const [, , name, text, result] = whole as unknown as [string, string, string, string, string];
    calls.push({ name, text, begin: number, end: number, failed: Number(result) < 0 });
  });
  return calls;
}

const isWrite = ({ name }: SystemCall): boolean => ['write', 'writev', 'pwrite64', 'sendto'].includes(name);
const isSync = ({ name }: SystemCall): boolean => ['fsync', 'fdatasync'].includes(name);

/** The first bytes sent to a client that hold all these texts (as strace prints them). */
export function firstSent(calls: readonly SystemCall[], ...texts: string[]): SystemCall | undefined {
  return calls.find(
    (call) => isWrite(call) && /^\d+<TCP/.test(call.text) && texts.every((text) => call.text.includes(text)),
  );
}

/** What makes something durable, step by step; each step begins after the one before has returned. */
export interface Chain {
  what: string;
  steps: { what: string; is(call: SystemCall): boolean }[];
}

const isWriteTo =
  (path: string) =>
  (call: SystemCall): boolean =>
    isWrite(call) && call.text.slice(0, path.length + 20).includes(`<${path}>`);

const renameTo = (calls: readonly SystemCall[], hash: string): SystemCall | undefined =>
  calls.find(({ name, text }) => name.startsWith('rename') && text.includes(`/${hash}"`));

const temporaryOf = (rename: SystemCall | undefined): string | undefined =>
  /"([^"]+)"/.exec(rename?.text ?? '')?.[1];

/** How many writes brought a file that arrived in pieces; 0 where it came otherwise. */
export function piecesWritten(calls: readonly SystemCall[], hash: string): number {
  const part = temporaryOf(renameTo(calls, hash));
  if (part?.endsWith(`/incoming/${hash}.part`) !== true) return 0;
  return calls.filter((call) => !call.failed && isWriteTo(part)(call)).length;
}

/** A stored file: written and synced under another name, renamed, and the folder synced. */
export function blobChains(calls: readonly SystemCall[], hash: string): Chain[] {
  const rename = renameTo(calls, hash);
  const temporary = temporaryOf(rename) ?? 'a temporary file';
  // What is written behind a sync, or has not returned by then, may be on no disk: the sync has to follow all of it.
  const written = calls
    .filter((call) => isWriteTo(temporary)(call) && call.begin < (rename as SystemCall).begin)
    .reduce((last, { end }) => Math.max(last, end), -1);
  const folder = `/blobs/${hash.slice(0, 2)}>`;
  const pins = '/pins.journal>';
  return [
    {
      what: `the file ${hash.slice(0, 8)}`,
      steps: [
        {
          what: 'fsync of its content',
          is: (call) => isSync(call) && call.text.includes(`<${temporary}>`) && call.begin > written,
        },
        { what: 'its rename', is: (call) => call === rename },
        { what: 'fsync of its folder', is: (call) => isSync(call) && call.text.endsWith(folder) },
      ],
    },
    {
      what: `the pin of ${hash.slice(0, 8)}`,
      steps: [
        {
          what: 'its write',
          is: (call) => isWrite(call) && call.text.includes(pins) && call.text.includes(hash),
        },
        { what: 'its fdatasync', is: (call) => isSync(call) && call.text.endsWith(pins) },
      ],
    },
  ];
}

/** A record in LevelDB's log, found by texts in it. */
export function recordChain(what: string, ...texts: string[]): Chain {
  const log = /\/records\/\d+\.log>/;
  return {
    what,
    steps: [
      {
        what: 'its write',
        is: (call) => isWrite(call) && log.test(call.text) && texts.every((text) => call.text.includes(text)),
      },
      { what: "fdatasync of LevelDB's log", is: (call) => isSync(call) && log.test(call.text) },
    ],
  };
}

/** The calls that made each chain durable before `promise` began, and what was missing. */
export function judge(
  calls: readonly SystemCall[],
  promise: SystemCall,
  chains: readonly Chain[],
): { relied: SystemCall[]; broken: string[] } {
  const relied: SystemCall[] = [];
  const broken: string[] = [];
  for (const { what, steps } of chains) {
    let after = -1;
    for (const step of steps) {
      const found = calls.find(
        (call) => !call.failed && call.begin > after && call.end < promise.begin && step.is(call),
      );
      if (found === undefined) {
        broken.push(`${what}: ${step.what} had not returned before the promise`);
        break;
      }
      relied.push(found);
      after = found.end;
    }
  }
  return { relied, broken };
}
