import { dirname } from 'node:path';
import { EXIT, type Config, type DoorView, type ExitCode, type HereView } from '@cuadro/protocol';
import { loadConfig } from '../../system/config.ts';
import { freeDiskBytes } from '../../system/files.ts';
import type { NodeClient } from '../client.ts';
import { type Context, withOrWithoutNode } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { size } from '../text.ts';

/** `cuadro doctor`: what a machine needs for rendering, and what it has; with `--store`, whether its data is whole. */

/** `bad`: the machine can't take part, or loses something. `poor`: it works, with less than it could. */
export interface Finding {
  readonly subject: string;
  readonly state: 'good' | 'poor' | 'bad';
  readonly sentence: string;
}

export async function doctor(context: Context, options: { store?: boolean } = {}): Promise<ExitCode> {
  if (options.store === true) return doctorOfStore(context);
  const findings = await withOrWithoutNode(context, askNode, () => lookAlone(context));
  tell(context.output, findings);
  return findings.some(({ state }) => state === 'bad') ? EXIT.machine : EXIT.ok;
}

/** A node knows its machine: nothing is tried anew beside its work. */
async function askNode(node: NodeClient): Promise<Finding[]> {
  const [here, door] = await Promise.all([node.call('here', {}), node.call('door', {})]);
  return [
    {
      subject: 'node',
      state: 'good',
      sentence: `It runs at ${here.address}, with the data in ${here.dataFolder}.`,
    },
    ...enginesOf(here),
    storeOf(here),
    ...networkOf(door),
  ];
}

function enginesOf({ blender, ffmpeg }: Pick<HereView, 'blender' | 'ffmpeg'>): Finding[] {
  const found: Finding[] = [];
  if (blender.state === 'probing')
    found.push({ subject: 'Blender', state: 'poor', sentence: 'It is being tried. Ask again in a moment.' });
  else if (blender.state === 'missing')
    found.push({ subject: 'Blender', state: 'bad', sentence: blender.note ?? 'It was not found.' });
  else found.push({ subject: 'Blender', state: 'good', sentence: `${blender.version} at ${blender.path}.` });
  if (blender.confinement !== undefined)
    found.push({ subject: 'confinement', state: 'good', sentence: blender.confinement });
  if (ffmpeg.state === 'missing') found.push(noFilms);
  else if (ffmpeg.state === 'ready')
    found.push({ subject: 'ffmpeg', state: 'good', sentence: `${ffmpeg.version} at ${ffmpeg.path}.` });
  return found;
}

const noFilms: Finding = {
  subject: 'ffmpeg',
  state: 'poor',
  sentence: 'It was not found: frames are rendered, but this machine makes no film. Install ffmpeg.',
};

function storeOf({ store }: HereView): Finding {
  const { usedBytes, quotaBytes, freeDiskBytes } = store;
  const room = `${size(usedBytes)} of ${size(quotaBytes)} used; ${size(freeDiskBytes)} of the disk are free.`;
  return store.accepting
    ? { subject: 'disk', state: 'good', sentence: room }
    : { subject: 'disk', state: 'bad', sentence: `${store.reason ?? 'It takes no work.'} ${room}` };
}

function networkOf({ state, message, alone, members }: DoorView): Finding[] {
  const farm: Finding = { subject: 'farm', state: state === 'member' ? 'good' : 'poor', sentence: message };
  if (members.length > 1 || alone === undefined) return [farm];
  const { interfaces } = alone;
  return [
    farm,
    { subject: 'network', state: 'poor', sentence: alone.message },
    ...interfaces.map(
      ({ name, address, problem }): Finding => ({
        subject: name,
        state: problem === undefined ? 'good' : 'poor',
        sentence: problem === undefined ? `${address}: others are looked for.` : `${address}: ${problem}`,
      }),
    ),
  ];
}

/** Without a node, the engines are tried as its start would. */
async function lookAlone({ dataFolder }: Context): Promise<Finding[]> {
  const config = await loadConfig(dataFolder);
  const { probeEngines } = await import('../../daemon/engine-probe.ts');
  const { blender, ffmpeg } = await probeEngines(config);
  return [
    { subject: 'node', state: 'poor', sentence: 'None runs here; `cuadro up` starts it.' },
    ...enginesOf({
      blender:
        blender.state === 'ready'
          ? { ...blender, confinement: blender.confinement.sentence }
          : { state: 'missing', note: blender.sentence, confinement: blender.confinement.sentence },
      ffmpeg: ffmpeg.state === 'ready' ? ffmpeg : { state: 'missing' },
    }),
    await diskOf(dataFolder, config),
  ];
}

async function diskOf(dataFolder: string, { reserveGiB }: Pick<Config, 'reserveGiB'>): Promise<Finding> {
  const freeBytes = await freeBytesOf(dataFolder);
  if (freeBytes === undefined)
    return {
      subject: 'disk',
      state: 'bad',
      sentence: `${dataFolder} can't be reached. Name another folder with --data.`,
    };
  const reserveBytes = reserveGiB * 2 ** 30;
  const room = `${size(freeBytes)} are free for ${dataFolder}`;
  return freeBytes > reserveBytes
    ? { subject: 'disk', state: 'good', sentence: `${room}.` }
    : {
        subject: 'disk',
        state: 'bad',
        sentence: `${room}, and ${size(reserveBytes)} are to stay free, so it takes no work. Make room, or lower reserveGiB.`,
      };
}

/** Of the folder, or where it will be. */
async function freeBytesOf(folder: string): Promise<number | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const freeBytes = await freeDiskBytes(at).catch(() => undefined);
    if (freeBytes !== undefined || dirname(at) === at) return freeBytes;
  }
}

const MARKS = { good: ['✓', 'green'], poor: ['–', 'yellow'], bad: ['✗', 'red'] } as const;

function tell(output: Output, findings: readonly Finding[]): void {
  if (output.json) {
    output.printJson(findings);
    return;
  }
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  for (const { subject, state, sentence } of findings) {
    const [mark, style] = MARKS[state];
    output.print(`${output.style(style, mark)} ${plain(subject).padEnd(width)}  ${plain(sentence)}`);
  }
}

/** Why records may be missing that were here. */
const LACKING = {
  cut: 'Some of the latest writes of the records were lost, as by a power cut or a bad sector: records that were here may be missing.',
  rescued:
    'The database of the records was damaged. What can be read of it stands in its place; the damaged files were put aside.',
  aside:
    'The database of the records was damaged before, and put aside: some that were in it may be missing.',
  gone: 'The records were gone, though files of jobs are here: those that were here may be missing.',
} as const;

/** Names shown of what is damaged or gone; `--json` has all. */
const NAMES_SHOWN = 10;

async function doctorOfStore({ dataFolder, output, line }: Context): Promise<ExitCode> {
  const { checkStore, isClean } = await import('../../daemon/store-check.ts');
  const report = await checkStore(dataFolder, {
    signal: line.signal,
    onProgress: ({ files, of }) => output.draw(`${files} of ${of} files read`),
  });
  const exit = isClean(report) ? EXIT.ok : EXIT.machine;
  if (output.json) {
    output.printJson({ clean: isClean(report), ...report });
    return exit;
  }
  const { records, badRecords, lacks, unknownJobs, badNotes, files, fileBytes, corrupt, missing } = report;
  output.print(`${records} records and ${files} files (${size(fileBytes)}) were read.`);
  if (isClean(report)) {
    output.print('All are whole, and what the records promise of this machine is here.');
    return exit;
  }
  if (badRecords > 0)
    output.print(`${badRecords} stored records can't be read; other machines have them too.`);
  if (lacks !== undefined) output.print(LACKING[lacks]);
  list(output, unknownJobs, [
    'job is unknown of which files are kept here: its record may be missing',
    'jobs are unknown of which files are kept here: their records may be missing',
  ]);
  list(output, badNotes, [
    "note of this machine's own is damaged, and counts as absent",
    "notes of this machine's own are damaged, and count as absent",
  ]);
  list(output, corrupt, ['file is damaged and was put aside', 'files are damaged and were put aside']);
  list(
    output,
    missing.map(({ hash, record }) => `${hash.slice(0, 12)} of ${record}`),
    ['promised file is gone', 'promised files are gone'],
  );
  if (lacks !== undefined)
    output.print(
      'What is missing comes back from the other machines of its farm as they are reached. Until then the node keeps the files of jobs that it does not know, for 30 days in which it runs.',
    );
  output.print(
    'Start the node: it says so to the others, and fetches or renders again what no other machine has.',
  );
  return exit;
}

function list(output: Output, names: readonly string[], [one, many]: readonly [string, string]): void {
  if (names.length === 0) return;
  const more = names.length > NAMES_SHOWN ? [`and ${names.length - NAMES_SHOWN} more`] : [];
  output.print(`${names.length} ${names.length === 1 ? one : many}:`);
  for (const name of [...names.slice(0, NAMES_SHOWN), ...more]) output.print(`  ${plain(name)}`);
}
