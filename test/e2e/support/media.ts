import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { run } from './house.ts';

/** Reads a picture to its last pixel; rejects where it is cut or damaged. */
export async function decodePicture(path: string): Promise<{ width: number; height: number }> {
  // A fresh read each time: the cache would remember an earlier file of the same name.
  sharp.cache(false);
  const { info } = await sharp(path, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height };
}

/** What a picture shows, as a hash of its decoded pixels. */
export async function picturePixels(path: string): Promise<string> {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const hash = createHash('sha256').update(data).digest('hex');
  return `${info.width}x${info.height}x${info.channels} ${hash}`;
}

export interface FilmFacts {
  frames: number;
  rate: string;
  width: number;
  height: number;
  audio: boolean;
  /** Seconds of the picture. */
  duration: number;
}

/** Counts a film's frames by decoding them. */
export async function probeFilm(path: string): Promise<FilmFacts> {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-of', 'json'],
    ...['-show_entries', 'stream=codec_type,nb_read_frames,r_frame_rate,width,height,duration', path],
  ]);
  const { streams } = JSON.parse(stdout) as { streams: Record<string, string | number>[] };
  const video = streams.find((stream) => stream['codec_type'] === 'video');
  if (video === undefined) throw new Error(`${path} has no picture`);
  return {
    frames: Number(video['nb_read_frames']),
    rate: String(video['r_frame_rate']),
    width: Number(video['width']),
    height: Number(video['height']),
    audio: streams.some((stream) => stream['codec_type'] === 'audio'),
    duration: Number(video['duration']),
  };
}

/** Names of all files below a folder, sorted; an absent folder has none. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** `shot_0001.png` … for frames 1 to `count`. */
export function frameNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `shot_${String(i + 1).padStart(4, '0')}.png`);
}
