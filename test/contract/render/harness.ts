/** Real Blender sessions for tests: tiny scenes made once per run, folders that vanish afterwards. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type BlenderSessionsInit, createBlenderSessions } from '../../../node/src/render/blender/pool.ts';
import type {
  BlenderSessions,
  FrameRequest,
  FrameResult,
  FrameSettings,
  RenderOptions,
} from '../../../node/src/render/interface.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

export const run = promisify(execFile);

const makeTiny = fileURLToPath(new URL('../../fixtures/blender/make_tiny.py', import.meta.url));

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export interface Bench {
  readonly root: string;
  readonly sessionsDirectory: string;
  /** Makes (once) a scene with these options; returns its folder, which holds `scene.blend`. */
  scene(...options: string[]): Promise<string>;
  /** Started sessions that `close` stops. */
  sessions(init?: Partial<BlenderSessionsInit>): Promise<BlenderSessions>;
  /** A request for `scene(...options)` with a fresh output folder. */
  request(frame: number, options?: string[], settings?: Partial<FrameSettings>): Promise<FrameRequest>;
  options(extra?: Partial<RenderOptions>): RenderOptions;
  render(sessions: BlenderSessions, request: FrameRequest): Promise<FrameResult>;
  close(): Promise<void>;
}

export async function createBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'cuadro-render-test-'));
  const scenes = join(root, 'scenes');
  const sessionsDirectory = join(root, 'sessions');
  await mkdir(scenes);
  const made = new Map<string, Promise<string>>();
  const pools: BlenderSessions[] = [];
  let count = 0;
  const scene = (...options: string[]) => {
    const name = options.join('+') || 'plain';
    const directory = join(scenes, name);
    const making = made.get(name) ?? makeScene(directory, options);
    made.set(name, making);
    return making;
  };
  const bench: Bench = {
    root,
    sessionsDirectory,
    scene,
    async sessions(init = {}) {
      const pool = createBlenderSessions(
        { clock: createSystemClock(), random: createSystemRandom(), logger: silentLogger },
        {
          sessionsDirectory: join(sessionsDirectory, String(pools.length)),
          readableDirectories: [scenes],
          ...init,
        },
      );
      pools.push(pool);
      await pool.start();
      return pool;
    },
    async request(frame, options = [], settings = {}) {
      const directory = await scene(...options);
      const outputDirectory = join(root, `out-${++count}`);
      await mkdir(outputDirectory);
      const tree = { directory, blendFile: 'scene.blend', key: options.join('+') || 'plain', remap: [] };
      return { scene: tree, frame, settings: { allowScripts: false, ...settings }, outputDirectory };
    },
    options: (extra = {}) => ({
      signal: new AbortController().signal,
      logFile: join(root, `log-${++count}.txt`),
      ...extra,
    }),
    render: (sessions, request) => sessions.render(request, bench.options()),
    async close() {
      await Promise.all(pools.map((pool) => pool.stop()));
      await rm(root, { recursive: true, force: true });
    },
  };
  return bench;
}

async function makeScene(directory: string, options: readonly string[]): Promise<string> {
  await mkdir(directory, { recursive: true });
  const output = join(directory, 'scene.blend');
  await run('blender', [
    '-b',
    '--factory-startup',
    '--python-exit-code',
    '1',
    '--python',
    makeTiny,
    '--',
    output,
    ...options,
  ]);
  return directory;
}

/** Ids of all live processes that carry `text` in their command line or environment. */
export async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const parts = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${name}/${file}`, 'latin1').catch(() => '')),
    );
    if (parts.some((part) => part.includes(text))) found.push(Number(name));
  }
  return found;
}

/** The innermost Blender of a session: the one process that runs the program itself. */
export async function blenderProcess(text: string): Promise<number> {
  for (const pid of await processesWith(text)) {
    const command = await readFile(`/proc/${pid}/comm`, 'latin1').catch(() => '');
    if (command.trim() === 'blender') return pid;
  }
  throw new Error('No Blender is running.');
}

/** Waits for a condition, never for a time; fails when it does not come within `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not met within ${limitMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
