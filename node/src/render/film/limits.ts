import type { FilmQuality } from './interface.ts';

/** Bounds and choices of film-making, each with its reason. */

/** x264's constant rate factor and preset: a growing draft must be quick, a final film is made once. */
export const FILM_QUALITIES: Readonly<
  Record<FilmQuality, { readonly crf: number; readonly preset: string }>
> = {
  draft: { crf: 26, preset: 'ultrafast' },
  good: { crf: 20, preset: 'veryfast' },
  best: { crf: 15, preset: 'medium' },
};
/** Bits of sound per second: transparent for stereo AAC. */
export const SOUND_BITRATE = '192k';
/** Headers of so many frames are read at once: enough to hide a network disk's latency. */
export const HEADERS_AT_ONCE = 16;
/** ffmpeg asked for its version or one film's length answers in 0.1 s; a cold disk takes longer. */
export const PROBE_MS = 60_000;
/**
 * ffmpeg without one frame of progress: one 16k frame takes seconds. Longer than this it hangs (a dead network
 * disk, for example).
 */
export const SILENCE_MS = 10 * 60_000;
/** How long killed processes may hold our pipes before they are left behind. */
export const KILL_WAIT_MS = 5000;
/** Lines of ffmpeg's complaints that are kept, the first and last halves of them. */
export const KEPT_LINES = 200;
/** What a probe may print: a film has two streams. */
export const PROBE_BYTES = 256 * 1024;
/** Frames per second of Blender's widest range, and far beyond any screen. */
export const RATE_MAX = 1000;
/** ffmpeg's own bound on numerator and denominator. */
export const RATE_TERM_MAX = 1_001_000;
