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
  let codecs = '';
  // One question for all: its version stands in the banner, and each start of it takes a tenth of a second.
  const ending = await runTool(components, path, ['-codecs'], {
    signal,
    silenceMs: PROBE_MS,
    onOutput: (text) => {
      if (codecs.length < PROBE_BYTES) codecs += text;
    },
  });
  const answer = ending.kind === 'exited' && ending.code === 0 ? ending.complaints.join('\n') : '';
  const version = /^ffmpeg version (\S+)/m.exec(answer)?.[1];
  if (version === undefined) return missing(`The ffmpeg at ${path} does not run. Install it anew.`);
  return {
    state: 'ready',
    path,
    probePath,
    version,
    encoders: {
      h264: can('encode', codecs, 'h264', 'libx264'),
      aac: can('encode', codecs, 'aac'),
    },
    decoders: {
      exr: can('decode', codecs, 'exr'),
      dpx: can('decode', codecs, 'dpx'),
      jpeg2000: can('decode', codecs, 'jpeg2000'),
    },
  };
}

/**
 * Whether a list of codecs has what encodes or decodes one, by name: ` DEV.LS h264  H.264 / AVC (decoders: h264 )
 * (encoders: libx264 h264_qsv )`. Where nothing bears another name than the codec's own, the names are left out.
 */
function can(what: 'encode' | 'decode', codecs: string, codec: string, by = codec): boolean {
  const flags = what === 'encode' ? '[D.]E' : 'D[E.]';
  const line = new RegExp(`^ ${flags}[A-Z.]{4} ${codec} .*$`, 'm').exec(codecs)?.[0];
  if (line === undefined) return false;
  const names = new RegExp(`\\(${what}rs: ([^)]*)\\)`).exec(line)?.[1];
  return names === undefined ? by === codec : names.split(' ').includes(by);
}

function missing(sentence: string): FfmpegCapabilities {
  return { state: 'no-ffmpeg', sentence };
}
