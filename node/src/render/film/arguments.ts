import type { FramesInCommon } from './frames.ts';
import type { FilmRequest } from './interface.ts';
import { FILM_QUALITIES, SOUND_BITRATE } from './limits.ts';
import type { WholeRate } from './rate.ts';

export interface FilmJob {
  /** ffmpeg's pattern of the numbered frames, counted from 0. */
  readonly pattern: string;
  readonly film: string;
  readonly rate: WholeRate;
  readonly common: FramesInCommon;
  readonly request: FilmRequest;
}

/** The whole command line. Pure. */
export function ffmpegArguments({ pattern, film, rate, common, request }: FilmJob): string[] {
  const { crf, preset } = FILM_QUALITIES[request.quality ?? 'good'];
  const seconds = (request.frames.length * rate.denominator) / rate.numerator;
  const { format, layer } = common.header;
  const linear = format === 'exr';
  return [
    ...['-v', 'error', '-nostdin', '-xerror', '-progress', 'pipe:3', '-stats_period', '0.2', '-y'],
    ...['-protocol_whitelist', 'file,pipe'],
    ...['-f', 'image2', '-framerate', `${rate.numerator}/${rate.denominator}`, '-start_number', '0'],
    ...(linear ? ['-apply_trc', 'iec61966_2_1'] : []),
    ...(linear && layer !== undefined && layer !== '' ? ['-layer', layer] : []),
    // Strict, but for TIFF: there ffmpeg takes a tag that it doesn't know for an error.
    ...(format === 'tiff' ? [] : ['-err_detect', 'explode']),
    ...['-i', pattern],
    ...(request.sound === undefined ? [] : ['-protocol_whitelist', 'file', '-i', request.sound]),
    ...['-map', '0:v:0', '-vf', pictureFilter(common)],
    ...['-c:v', 'libx264', '-preset', preset, '-crf', `${crf}`],
    // Without the tags players guess, and guess differently by size.
    ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709', '-color_range', 'tv'],
    ...(request.sound === undefined ? ['-an'] : soundArguments(seconds)),
    // The film must be seekable while it loads in a browser.
    ...['-movflags', '+faststart', '-f', 'mp4', film],
  ];
}

/** Transparent pixels on black, an even size, and BT.709 as video has it. */
function pictureFilter({ header, alpha }: FramesInCommon): string {
  // Blender's EXR files are premultiplied already: their colours are those on black.
  const flatten =
    alpha && header.format !== 'exr' ? ['format=gbrap', 'premultiply=inplace=1', 'format=gbrp'] : [];
  return [
    ...flatten,
    'pad=ceil(iw/2)*2:ceil(ih/2)*2',
    'scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int',
    'format=yuv420p',
    'setsar=1',
  ].join(',');
}

/** The film's length rules: what is longer is cut, what is shorter is followed by silence. */
function soundArguments(seconds: number): string[] {
  const length = seconds.toFixed(6);
  return [
    ...['-map', '1:a:0', '-af', `apad=whole_dur=${length},atrim=end=${length}`],
    ...['-c:a', 'aac', '-b:a', SOUND_BITRATE],
  ];
}
