import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ZodType } from 'zod';
import type { Clock } from '../../system/interface.ts';
import { SceneError, type SceneErrorCode } from './errors.ts';
import { type BlendHeader, readBlendHeader } from './header.ts';
import type { RemapEntry, SceneTrace } from './interface.ts';
import { sceneLimits } from './limits.ts';
import type { TraceKeeper } from './keeper.ts';
import { TraceProcess } from './process.ts';
import { soundResult, traceResult } from './schema.ts';

/** What tracing needs of the rest of the node. */
export interface SceneTools {
  /** Path or name of the Blender program. */
  blender: string;
  clock: Pick<Clock, 'after'>;
  /** Has a Blender ready; without it one is started for each question. */
  keeper?: TraceKeeper;
}

/** The frames whose sound is wanted: both ends included. */
export interface SoundRequest {
  blend: string;
  frameStart: number;
  frameEnd: number;
  /** `.flac` or `.wav`; written by Blender. */
  output: string;
  scene?: string;
  /** For a scene of a bundle: its remap entries and the folder of its tree. */
  remap?: readonly RemapEntry[];
  directory?: string;
}

const known: readonly SceneErrorCode[] = ['blend-missing', 'blend-garbage', 'no-scene'];

/**
 * Opens the .blend in a Blender of its own, without running its scripts, and says what it needs and what it is.
 * Takes 1–2 s for small scenes, most of it Blender's start where none is ready. Aborting, or the time limit, kills Blender and everything it started.
 * Throws SceneError; rejects with the signal's reason when aborted.
 */
export async function traceScene(
  tools: SceneTools,
  blendPath: string,
  options: { signal?: AbortSignal } = {},
): Promise<SceneTrace> {
  const blend = resolve(blendPath);
  const header = await readBlendHeader(blend);
  const request = { mode: 'trace', blend };
  const answer = await ask(tools, request, traceResult, sceneLimits.traceTimeoutMs, options);
  if (answer.ok) return answer.trace;
  throw refusal(answer, blend, header);
}

/**
 * Mixes the scene's sound over the frame range into `output`, the first frame at time zero.
 * Returns false, and writes nothing, where the scene is silent. Throws like traceScene.
 */
export async function mixSound(
  tools: SceneTools,
  request: SoundRequest,
  options: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const blend = resolve(request.blend);
  const header = await readBlendHeader(blend);
  const message = { ...request, mode: 'sound', blend, output: resolve(request.output) };
  const answer = await ask(tools, message, soundResult, sceneLimits.soundTimeoutMs, options);
  if (answer.ok) return answer.sound.output !== null;
  throw refusal(answer, blend, header);
}

/** One question to one Blender: request and result are files, which work on every system and survive its noise. */
async function ask<T>(
  tools: SceneTools,
  request: object,
  schema: ZodType<T>,
  timeoutMs: number,
  { signal }: { signal?: AbortSignal },
): Promise<T> {
  signal?.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), 'cuadro-trace-'));
  try {
    const [requestPath, resultPath] = [join(directory, 'request.json'), join(directory, 'result.json')];
    await writeFile(requestPath, JSON.stringify(request));
    const log = await putQuestion(tools, { request: requestPath, result: resultPath }, { timeoutMs, signal });
    return await readResult(resultPath, schema, log);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Has the question answered by a Blender that is ready, else by a new one; returns what it printed. */
async function putQuestion(
  tools: SceneTools,
  files: { request: string; result: string },
  options: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<string> {
  const { keeper } = tools;
  const asked = { timeoutMs: options.timeoutMs, ...(options.signal && { signal: options.signal }) };
  for (;;) {
    const blender = await (keeper?.take(tools.blender) ?? TraceProcess.start(tools));
    const { fresh } = blender;
    let answered = false;
    try {
      answered = await blender.ask(files, asked);
    } finally {
      if (answered && keeper !== undefined) keeper.giveBack(blender);
      else await blender.end();
    }
    // One that had read others before may have ended for their sake: only a new one's end tells of this scene.
    if (answered || fresh) return blender.log;
  }
}

async function readResult<T>(path: string, schema: ZodType<T>, log: string): Promise<T> {
  const size = await stat(path).then(
    (status) => status.size,
    () => undefined,
  );
  if (size === undefined || size > sceneLimits.resultBytes) {
    const line = log.trim().split('\n').at(-1) ?? '';
    throw new SceneError(
      'trace-failed',
      `Blender ended without saying what the scene needs (${line}): open the scene in Blender and check that it loads.`,
    );
  }
  return parseResult(await readFile(path, 'utf8'), schema);
}

/** What Blender wrote about a scene. @throws SceneError `trace-failed`. */
export function parseResult<T>(text: string, schema: ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const sentence = 'Blender described the scene in a way that Cuadro cannot read.';
    throw new SceneError('trace-failed', sentence, { cause });
  }
}

function refusal(answer: { code: string; message: string }, blend: string, header: BlendHeader): SceneError {
  const code = known.find((entry) => entry === answer.code) ?? 'trace-failed';
  // Blender repeats the path before what matters.
  const reason = answer.message.split('\n')[0]?.split(': ').at(-1);
  if (code === 'blend-garbage' && header.version[0] >= 5) {
    const version = header.version.join('.');
    return new SceneError(
      'blend-newer-version',
      `${blend} was saved with Blender ${version}, which this machine's Blender cannot read: install Blender ${version} here.`,
    );
  }
  if (code === 'blend-garbage') {
    return new SceneError(
      code,
      `${blend} is damaged and Blender cannot open it (${reason}): save it again, or use a backup (.blend1).`,
    );
  }
  if (code === 'no-scene') return new SceneError(code, `${reason}: choose one of the .blend's scenes.`);
  return new SceneError(
    code,
    `Blender could not read ${blend} to the end (${reason}): open the scene in Blender and check that it plays.`,
  );
}
