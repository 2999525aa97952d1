import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * The scenes that the project makes by script: the sample film and the awkward ones. Nothing is cached: each
 * call writes into the given folder and nowhere else, and gives the same scenes each time.
 */

export const awkwardSceneNames = [
  'plain',
  'compressed',
  'movie-output',
  'exr',
  'multilayer-exr',
  'compositor',
  'sound',
  'strips',
  'linked-library',
  'library-absolute',
  'sequence',
  'udim',
  'packed',
  'non-ascii',
  'absolute-texture',
  'caches',
  'links',
  'films',
  'baked',
  'missing-texture',
  'no-camera',
  'script-driven',
  'denoising',
  'foreign-engine',
  'unbaked',
  'greedy',
  'garbage',
  'truncated',
] as const;

export type AwkwardSceneName = (typeof awkwardSceneNames)[number];
export type SceneName = 'sample' | AwkwardSceneName;

/** Where Blender is, and how long its script may take. */
export interface MakeOptions {
  blender: string;
  signal?: AbortSignal;
}

/**
 * Makes one scene in `directory` and returns the absolute path of its .blend. The sample lies in `directory`
 * itself; an awkward scene NAME in `directory`/NAME/project, what it takes from outside in …/NAME/elsewhere.
 */
export async function makeScene(name: SceneName, directory: string, options: MakeOptions): Promise<string> {
  const blend = (await makeScenes([name], directory, options)).get(name);
  if (blend === undefined) throw new Error(`Blender did not make the scene “${name}”`);
  return blend;
}

/** Makes several scenes; awkward ones share one Blender process. Returns the .blend of each by name. */
export async function makeScenes<Name extends SceneName>(
  names: readonly Name[],
  directory: string,
  options: MakeOptions,
): Promise<Map<Name, string>> {
  await mkdir(directory, { recursive: true });
  const awkward = names.filter((name) => name !== 'sample');
  const made = new Map<Name, string>();
  const runs = [
    ...(awkward.length < names.length ? [['sample.py', ['--out', directory]] as const] : []),
    ...(awkward.length > 0 ? [['awkward.py', [...awkward, '--out', directory]] as const] : []),
  ];
  for (const [script, args] of runs) {
    const output = await runScript(script, args, options);
    for (const line of output.split('\n')) {
      if (!line.startsWith('SCENE ')) continue;
      const { name, blend } = JSON.parse(line.slice('SCENE '.length)) as { name: Name; blend: string };
      made.set(name, blend);
    }
  }
  return made;
}

/** Runs a script of this folder inside Blender and returns what it printed; rejects when it fails. */
export function runScript(script: string, args: readonly string[], options: MakeOptions): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const flags = ['-b', '--factory-startup', '--disable-autoexec', '-noaudio', '--python-exit-code', '7'];
  const child = spawn(options.blender, [...flags, '--python', path, '--', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.signal && { signal: options.signal, killSignal: 'SIGKILL' as const }),
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once('error', reject);
  child.once('close', (code) => {
    if (code === 0) resolve(output);
    else reject(new Error(`${script} failed in Blender (exit code ${code}):\n${output}\n${errors}`));
  });
  return promise;
}
