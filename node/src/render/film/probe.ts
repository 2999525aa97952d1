import { z } from 'zod';
import type { Clock } from '../../system/interface.ts';
import type { FilmJob } from './arguments.ts';
import { FilmError, type FilmResult } from './interface.ts';
import { PROBE_BYTES, PROBE_MS } from './limits.ts';
import { runTool } from './run.ts';

const probeSchema = z.object({
  streams: z.array(
    z.object({
      codec_type: z.string(),
      width: z.number().optional(),
      height: z.number().optional(),
      nb_read_packets: z.coerce.number().optional(),
      duration: z.coerce.number().optional(),
    }),
  ),
});

/** What ffprobe wrote about a film. @throws FilmError `film-failed`. */
export function parseStreams(output: string): z.infer<typeof probeSchema>['streams'] {
  try {
    return probeSchema.parse(JSON.parse(output)).streams;
  } catch (cause) {
    throw new FilmError('film-failed', 'ffprobe described the film in a way that Cuadro cannot read.', {
      cause,
    });
  }
}

/** Reads the film back: as many pictures as frames, as long as their rate says, and sound where it was asked. */
export async function checkFilm(
  components: { readonly clock: Clock },
  probePath: string,
  { film, rate, request }: FilmJob,
  signal: AbortSignal | undefined,
): Promise<Omit<FilmResult, 'path' | 'sizeBytes'>> {
  let output = '';
  const entries = 'stream=codec_type,width,height,nb_read_packets,duration';
  const args = ['-v', 'error', '-count_packets', '-show_entries', entries, '-of', 'json', film];
  const ending = await runTool(components, probePath, args, {
    signal,
    silenceMs: PROBE_MS,
    onOutput: (text) => {
      if (output.length < PROBE_BYTES) output += text;
    },
  });
  if (ending.kind !== 'exited' || ending.code !== 0) {
    throw new FilmError('film-failed', 'ffprobe could not read the film that ffmpeg wrote.', {
      lines: ending.kind === 'exited' ? ending.complaints.slice(0, 8) : [],
    });
  }
  const streams = parseStreams(output);
  const video = streams.find(({ codec_type }) => codec_type === 'video');
  const frames = request.frames.length;
  const durationMs = ((frames * rate.denominator) / rate.numerator) * 1000;
  const found = video?.nb_read_packets ?? 0;
  if (found !== frames) {
    throw new FilmError(
      'film-wrong-length',
      `The film has ${found} pictures, though ${frames} frames went in.`,
    );
  }
  const foundMs = (video?.duration ?? 0) * 1000;
  if (Math.abs(foundMs - durationMs) > durationMs / frames / 2 + 1) {
    const [is, should] = [foundMs, durationMs].map((ms) => (ms / 1000).toFixed(2));
    throw new FilmError('film-wrong-length', `The film lasts ${is} s, though its frames last ${should} s.`);
  }
  const hasSound = streams.some(({ codec_type }) => codec_type === 'audio');
  if (request.sound !== undefined && !hasSound) {
    throw new FilmError('film-failed', `The film has no sound, though ${request.sound} was given.`);
  }
  return { durationMs, frames, width: video?.width ?? 0, height: video?.height ?? 0, hasSound };
}
