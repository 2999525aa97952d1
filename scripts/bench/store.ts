import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { allocatorEnvironment, SEMI_SPACE_MAX_MB } from '../../node/src/cli/start-again.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded } from './harness.ts';

const FILES = 100_000;
const GIGABYTES = 100;
/** What the full amounts are compared with. */
const FEW_FILES = 1_000;
const FEW_GIGABYTES = 1;

/** The command keeps compiled code as well. */
const compiled = fileURLToPath(new URL('../../.cache/compiled', import.meta.url));
const child = fileURLToPath(new URL('store-child.ts', import.meta.url));

export const bench: Bench = {
  name: 'store',
  measures:
    `highest memory of a process with the file store alone that takes in, restores and checks a scene of ${FILES.toLocaleString('en-US')} small files ` +
    `(--files N), and of one that takes in ${GIGABYTES} GB of sparse files of 1 GB each (--gigabytes N), each of its own content. The ` +
    `baseline is the same with ${FEW_FILES.toLocaleString('en-US')} files and with ${FEW_GIGABYTES} GB; the ratio is the logical data's.`,
  options: ['files', 'gigabytes'],
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const files = Number(context.option('files') ?? FILES);
  const gigabytes = Number(context.option('gigabytes') ?? GIGABYTES);
  const fewGigabytesMB = await peakOf(context, 'logical', FEW_GIGABYTES);
  const gigabytesMB = await peakOf(context, 'logical', gigabytes);
  const fewFilesMB = await peakOf(context, 'files', FEW_FILES);
  const filesMB = await peakOf(context, 'files', files);
  return {
    value: rounded(gigabytesMB, 1),
    unit: 'MB',
    baseline: rounded(fewGigabytesMB, 1),
    ratio: rounded(gigabytesMB / fewGigabytesMB, 2),
    gigabytes,
    files,
    filesMB: rounded(filesMB, 1),
    fewFilesMB: rounded(fewFilesMB, 1),
  };
}

async function peakOf(context: BenchContext, what: 'files' | 'logical', amount: number): Promise<number> {
  const folder = await context.folder('store');
  // With the bounds that a node gives itself.
  const options = [`--max-semi-space-size=${SEMI_SPACE_MAX_MB}`];
  const keeper = context.spawn(process.execPath, [...options, child, what, folder, String(amount)], {
    env: { ...(allocatorEnvironment(process.env) ?? process.env), NODE_COMPILE_CACHE: compiled },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  keeper.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const began = performance.now();
  const [code] = (await once(keeper, 'close')) as [number | null];
  if (code !== 0) throw new CouldNotMeasure(`The store with ${amount} ended with ${code}.`);
  const { peakMB } = JSON.parse(printed) as { peakMB: number };
  const words = what === 'files' ? 'small files' : 'GB of sparse files';
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  context.say(
    `With ${amount.toLocaleString('en-US')} ${words}: at most ${peakMB.toFixed(1)} MB, in ${seconds} s.`,
  );
  return peakMB;
}
