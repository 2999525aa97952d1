import { dirname, extname, isAbsolute, join } from 'node:path';
import type { Clock } from '../../system/interface.ts';
import { findProgram } from '../command/find-program.ts';
import type { FfmpegCapabilities } from './interface.ts';
import { PROBE_BYTES, PROBE_MS } from './limits.ts';
import { runTool } from './run.ts';

interface Options {
  readonly signal?: AbortSignal;
  /** Name or path of ffmpeg; ffprobe is looked for beside it first. */
  readonly ffmpeg?: string;
}

/** What the installed ffmpeg can do. Never rejects for a missing one; with the signal's reason when aborted. */
export async function ffmpegCapabilities(
  components: { readonly clock: Clock },
  { signal, ffmpeg = 'ffmpeg' }: Options = {},
): Promise<FfmpegCapabilities> {
  const path = await findProgram(ffmpeg);
  if (path === undefined) {
    const where = isAbsolute(ffmpeg) ? `at ${ffmpeg}` : 'on this machine';
    return missing(
      `No ffmpeg was found ${where}: frames are rendered, but no film can be made. Install ffmpeg.`,
    );
  }
  const probePath =
    (await findProgram(join(dirname(path), `ffprobe${extname(path)}`))) ?? (await findProgram('ffprobe'));
  if (probePath === undefined) {
    return missing(
      `ffmpeg is at ${path}, but ffprobe, which checks films, is not. Install the whole of ffmpeg.`,
    );
  }
  const ask = async (...args: string[]): Promise<string | undefined> => {
    let output = '';
    const ending = await runTool(components, path, ['-hide_banner', ...args], {
      signal,
      silenceMs: PROBE_MS,
      onOutput: (text) => {
        if (output.length < PROBE_BYTES) output += text;
      },
    });
    return ending.kind === 'exited' && ending.code === 0 ? output : undefined;
  };
  const version = /^ffmpeg version (\S+)/m.exec((await ask('-version')) ?? '')?.[1];
  const encoders = await ask('-encoders');
  const decoders = await ask('-decoders');
  if (version === undefined || encoders === undefined || decoders === undefined) {
    return missing(`The ffmpeg at ${path} does not run. Install it anew.`);
  }
  const has = (list: string, name: string) => new RegExp(`^ [A-Z.]{6} ${name} `, 'm').test(list);
  return {
    state: 'ready',
    path,
    probePath,
    version,
    encoders: { h264: has(encoders, 'libx264'), aac: has(encoders, 'aac') },
    decoders: {
      exr: has(decoders, 'exr'),
      dpx: has(decoders, 'dpx'),
      jpeg2000: has(decoders, 'jpeg2000'),
    },
  };
}

function missing(sentence: string): FfmpegCapabilities {
  return { state: 'no-ffmpeg', sentence };
}
