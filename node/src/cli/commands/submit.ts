import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { CuadroError, EXIT, type ExitCode, parseFrames, type SubmitBody } from '@cuadro/protocol';
import type { NodeClient } from '../client.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { plain } from '../output.ts';
import { count, jobTitle, printFindings } from '../text.ts';
import { watch } from './watch.ts';

export interface SubmitOptions {
  type: string;
  frames?: string;
  name?: string;
  output?: string;
  overwrite?: boolean;
  priority?: number;
  paused?: boolean;
  set: string[];
  samples?: number;
  percent?: number;
  camera?: string;
  scene?: string;
  format?: string;
  allowScripts?: boolean;
  /** False by `--no-denoise`; true says nothing. */
  denoise: boolean;
  film: boolean;
  after: string[];
  coarseToFine?: boolean;
  notes?: string;
  machines?: number;
  tags?: string[];
  watch?: boolean;
}

export async function submit(
  context: Context,
  operands: readonly string[],
  options: SubmitOptions,
): Promise<ExitCode> {
  const body = submitBody(context, operands, options);
  const client = context.client();
  const submitted = await submitWithSteps(context, client, body);
  const { job } = submitted;
  const { output } = context;
  if (options.watch === true) {
    if (!output.json) printSubmitted(context, submitted);
    else output.printJsonLine(submitted);
    return watch(context, job.id);
  }
  if (output.json) output.printJson(submitted);
  else printSubmitted(context, submitted);
  return EXIT.ok;
}

export async function preflight(context: Context, file: string, options: SubmitOptions): Promise<ExitCode> {
  const body = submitBody(context, [file], options);
  const { output } = context;
  const result = await context.client().call('preflight', { body, signal: context.line.signal });
  if (output.json) output.printJson(result);
  else {
    printFindings(output, result.findings);
    const { scene } = result;
    if (scene !== undefined) {
      const { start, end } = scene.frames;
      output.print(
        `${plain(scene.scene)}: frames ${start}-${end}, ${scene.width}×${scene.height}, ${scene.engine}, ${scene.format}, ${count(scene.files, 'file')}`,
      );
    }
    if (result.ok)
      output.print(result.findings.length === 0 ? 'Nothing stands in the way.' : 'It can be rendered.');
  }
  return result.ok ? EXIT.ok : EXIT.refused;
}

function submitBody(context: Context, operands: readonly string[], options: SubmitOptions): SubmitBody {
  if (options.frames !== undefined) parseFrames(options.frames);
  const isCommand = options.type === 'command';
  const [first, ...rest] = operands;
  if (isCommand && first === undefined) {
    throw new UsageError('Name the program: cuadro submit --type command -- PROGRAM ARGS…');
  }
  if (!isCommand && rest.length > 0) {
    throw new UsageError(`One job renders one file; "${rest[0]}" is too many.`);
  }
  if (options.type === 'blender-animation' && first === undefined) {
    throw new UsageError('Name the scene: cuadro submit FILE.blend');
  }
  const path = isCommand || first === undefined ? undefined : blendPath(context, first);
  return definedOf({
    type: options.type,
    path,
    name: options.name,
    settings: {
      ...(isCommand && { program: first, args: rest }),
      ...settingsOf(options),
    },
    priority: options.priority,
    paused: options.paused,
    after: options.after,
    outputFolder: options.output === undefined ? undefined : context.absolute(options.output),
    overwrite: options.overwrite,
    notes: options.notes,
    machineLimit: options.machines,
  });
}

/** What is plainly not there is said at once, also where no node runs. */
function blendPath(context: Context, text: string): string {
  const path = context.absolute(text);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new CuadroError('blend-missing', { path });
  if (!stats.isFile()) throw new CuadroError('blend-not-a-file', { path });
  return path;
}

function settingsOf(options: SubmitOptions): Record<string, unknown> {
  return definedOf({
    frames: options.frames,
    samples: options.samples,
    resolutionPercent: options.percent,
    camera: options.camera,
    scene: options.scene,
    format: options.format,
    allowScripts: options.allowScripts,
    denoise: options.denoise ? undefined : false,
    film: options.film ? undefined : false,
    order: options.coarseToFine === true ? 'coarse-to-fine' : undefined,
    tags: options.tags,
    ...Object.fromEntries(options.set.map(parseSetting)),
  });
}

/** `key=value`; the value is JSON where it reads as such (numbers, true, lists), else the text itself. */
export function parseSetting(text: string): [key: string, value: unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is no setting; write it like --set key=value.`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value)];
  } catch {
    return [text.slice(0, at), value];
  }
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function definedOf<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as Defined<T>;
}

/** Shows the steps of a submission, which may copy gigabytes, while waiting for its answer. */
async function submitWithSteps(context: Context, client: NodeClient, body: SubmitBody) {
  const { output, line } = context;
  if (!output.live) return client.call('submit', { body, signal: line.signal });
  const submission = randomUUID();
  const ended = new AbortController();
  const opened = Promise.withResolvers<void>();
  const steps = showSteps(context, client, submission, ended.signal, () => opened.resolve());
  // Steps are a courtesy: a submission never fails for want of them.
  void steps.catch(() => undefined).finally(() => opened.resolve());
  try {
    await opened.promise;
    return await client.call('submit', { body: { ...body, submission }, signal: line.signal });
  } finally {
    ended.abort();
    output.clear();
  }
}

async function showSteps(
  { output }: Context,
  client: NodeClient,
  submission: string,
  signal: AbortSignal,
  onOpen: () => void,
): Promise<void> {
  for await (const { event } of client.events(signal)) {
    if (event.kind === 'reset') onOpen();
    if (event.kind !== 'submission' || event.submission !== submission) continue;
    const share = event.fraction > 0 && event.fraction < 1 ? ` ${Math.round(event.fraction * 100)} %` : '';
    output.draw(`${plain(event.text)}${share}`);
  }
}

function printSubmitted({ output }: Context, submitted: Awaited<ReturnType<typeof submitWithSteps>>): void {
  const { job, findings, message } = submitted;
  printFindings(output, findings);
  output.print(
    `Submitted ${output.style('bold', jobTitle(job))} (${job.id}): ${count(job.counts.total, 'task')}.`,
  );
  if (job.outputFolder !== '') output.print(`Files go to ${plain(job.outputFolder)}`);
  output.print(message);
}
