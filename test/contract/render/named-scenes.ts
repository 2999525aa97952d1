/** Scenes that differ in where they write, and what Blender itself makes of them: names, and every byte. */

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './harness.ts';

const makeNames = fileURLToPath(new URL('../../fixtures/blender/make_names.py', import.meta.url));
/** Blender prints some ten lines for each step of each frame. */
const PRINTED_BYTES_MAX = 2 ** 27;

export interface NamedScene {
  name: string;
  /** The output path as the scene writes it, below a folder of the scene's own name. */
  path: string;
  frames: readonly number[];
  /** Whether Blender adds the format's extension; it does unless told otherwise. */
  extension?: boolean;
  format?: string;
  /** Pixels of a side; 8 where left out. */
  size?: number;
  /** How the two views of a stereo image are written. */
  views?: 'INDIVIDUAL' | 'STEREO_3D' | 'MULTIVIEW';
  /** File Output nodes: base path, path of the slot, format. */
  nodes?: readonly (readonly [base: string, slot: string, format: string])[];
}

/** Makes `names.blend` in the folder, and has Blender's own command line render all frames there. */
export async function renderByBlender(folder: string, scenes: readonly NamedScene[]): Promise<void> {
  const table = join(folder, 'table.json');
  await writeFile(table, JSON.stringify(scenes));
  // A minus counts back from behind the scene's end, which is 0.
  const asked = (frame: number): number => (frame < 0 ? frame - 1 : frame);
  await run(
    'blender',
    [
      ...['-b', '--factory-startup', '-noaudio', '--python-exit-code', '1', '--python', makeNames],
      ...scenes.flatMap(({ name, frames }) => ['-S', name, '-f', frames.map(asked).join(',')]),
      ...['--', table, join(folder, 'names.blend')],
    ],
    { maxBuffer: PRINTED_BYTES_MAX },
  );
}

/** The seconds that Cycles notes in EXR files, and the time at which a DPX or Cineon file was written. */
const TIMES = /\d\d:\d\d\.\d\d|\d{4}:\d\d:\d\d[:\0]+\d\d:\d\d:\d\dUTC/g;

/** Every file below a folder: its name, and its bytes but for times. */
export async function contentsBelow(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return contentsOf(paths.map((path) => ({ name: path.slice(folder.length + 1), path })));
}

export async function contentsOf(
  files: readonly { name: string; path: string }[],
): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const { name, path } of files) {
    if (contents.has(name)) throw new Error(`${name} was written twice`);
    contents.set(name, (await readFile(path, 'latin1')).replace(TIMES, 'a time'));
  }
  return contents;
}

/** The folder below `folder` that a scene's frames stand in. */
export function framesFolder(folder: string, { path }: NamedScene): string {
  const parts = path.split(/[\\/]+/);
  return join(folder, ...parts.slice(0, -1));
}
