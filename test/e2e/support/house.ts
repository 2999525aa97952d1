import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Config, JobView, TaskDetail, TaskView } from '../../../protocol/src/index.ts';
import { connectNode, type NodeClient } from '../../../node/src/cli/client.ts';
import { kill, processesWith } from './processes.ts';
import { until } from './wait.ts';

/** A place of its own for one test file: folders, scenes, and real node processes, gone at the end. */

export const run = promisify(execFile);
const main = fileURLToPath(new URL('../../../node/src/cli/main.ts', import.meta.url));
const makeSceneScript = fileURLToPath(new URL('make_scene.py', import.meta.url));
const blender = process.env['CUADRO_BLENDER'] ?? 'blender';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface NodeProcess {
  child: ChildProcess;
  /** The node's own process, also where the child is a tracer around it. */
  pid: number;
  dataFolder: string;
  client: NodeClient;
  address: string;
  ended: Promise<Ended>;
  errors(): string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Ctrl-C, and waits until it has ended. */
  stop(): Promise<Ended>;
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface NodeOptions {
  /** Name of its data folder below the house; the same name again starts the node again. */
  name?: string;
  dataFolder?: string;
  config?: Partial<Config>;
  /** A program with arguments that runs the node's command line. */
  wrap?: readonly string[];
  port?: number;
}

export class House {
  readonly root: string;
  readonly #children = new Set<ChildProcess>();
  readonly #made = new Map<string, Promise<string>>();
  readonly #mounts: string[] = [];
  #count = 0;

  private constructor(root: string) {
    this.root = root;
  }

  static async open(): Promise<House> {
    const house = new House(await mkdtemp(join(tmpdir(), 'cuadro-e2e-')));
    await mkdir(house.output);
    await mkdir(house.temporary);
    // A run that is interrupted leaves no node behind.
    process.once('exit', () => {
      for (const child of house.#children) if (child.pid !== undefined) kill(child.pid);
    });
    return house;
  }

  /** Ends whatever carries this house's folder in its command line or environment. */
  async close(): Promise<void> {
    for (const child of this.#children) if (child.pid !== undefined) kill(child.pid);
    await until('all processes of the test to end', async () => {
      const left = await processesWith(this.root);
      for (const { pid } of left) kill(pid);
      return left.length === 0;
    });
    for (const folder of this.#mounts.reverse()) await run('umount', ['-l', folder]).catch(() => undefined);
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Below it each job gets a folder of its own. */
  get output(): string {
    return join(this.root, 'output');
  }

  /** Where the nodes put what the system calls temporary files. */
  get temporary(): string {
    return join(this.root, 'tmp');
  }

  /** For nodes that render no scene: to try the engines, and to keep a Blender ready, is half of what a start costs. */
  get noEngines(): Pick<Config, 'blender' | 'ffmpeg'> {
    return { blender: join(this.root, 'no-blender'), ffmpeg: join(this.root, 'no-ffmpeg') };
  }

  /** A name that was not used before. */
  fresh(name: string): string {
    return join(this.root, `${name}-${++this.#count}`);
  }

  dataFolder(name = 'data'): string {
    return join(this.root, name);
  }

  /** A small file system of its own in memory; undefined where this user may not mount one. */
  async mount(options: string): Promise<string | undefined> {
    const folder = this.fresh('mount');
    return (await this.mountAt(folder, options)) ? folder : undefined;
  }

  /** The same at a place of its own; false where this user may not mount one. */
  async mountAt(folder: string, options: string): Promise<boolean> {
    await mkdir(folder, { recursive: true });
    try {
      await run('mount', ['-t', 'tmpfs', '-o', options, 'cuadro-test', folder]);
    } catch {
      return false;
    }
    this.#mounts.push(folder);
    return true;
  }

  /** Makes a scene once (`make_scene.py` tells the options); returns its .blend. */
  scene(...options: string[]): Promise<string> {
    const name = ['scene', ...options].join('-').replaceAll('=', '');
    const making = this.#made.get(name) ?? this.#makeScene(join(this.root, name), options);
    this.#made.set(name, making);
    return making;
  }

  async #makeScene(folder: string, options: readonly string[]): Promise<string> {
    await mkdir(folder);
    const blend = join(folder, 'shot.blend');
    await run(blender, [
      ...['-b', '--factory-startup', '-noaudio', '--python-exit-code', '1'],
      ...['--python', makeSceneScript, '--', blend, ...options],
    ]);
    return blend;
  }

  /** Writes what the machine's owner set, as `cuadro config` does. */
  async configure(dataFolder: string, config: Partial<Config> = {}): Promise<void> {
    await mkdir(dataFolder, { recursive: true });
    const set = { name: 'test', outputFolder: this.output, reserveGiB: 0, network: false, ...config };
    await writeFile(join(dataFolder, 'config.json'), JSON.stringify(set));
  }

  /** Starts `cuadro up` as a process of its own and does not wait until it runs. */
  async launch(options: NodeOptions = {}): Promise<Launched> {
    const dataFolder = options.dataFolder ?? this.dataFolder(options.name);
    if (options.dataFolder === undefined) await this.configure(dataFolder, options.config);
    const command = [
      ...[process.execPath, main, 'up', '--data', dataFolder],
      ...['--port', String(options.port ?? 0), '--json'],
    ];
    const [program, ...args] = [...(options.wrap ?? []), ...command] as [string, ...string[]];
    const child = spawn(program, args, {
      env: { ...process.env, TMPDIR: this.temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code, signal) => {
        this.#children.delete(child);
        resolve({ code, signal });
      });
    });
    let first: string | undefined;
    createInterface({ input: child.stdout }).on('line', (line) => {
      // An error is JSON of several lines; a node that runs says so in one.
      if (line.startsWith('{"address"')) first ??= line;
    });
    return { child, dataFolder, ended, errors: () => errors, firstLine: () => first };
  }

  /** A node that runs. */
  async node(options: NodeOptions = {}): Promise<NodeProcess> {
    return awaitNode(await this.launch(options));
  }

  /** Runs a `cuadro` command to its end. */
  async cuadro(
    args: readonly string[],
    place: { data?: string; cwd?: string; timeoutMs?: number; wrap?: readonly string[] } = {},
  ): Promise<CommandResult> {
    const dataFolder = place.data ?? this.dataFolder();
    const command = [...(place.wrap ?? []), process.execPath, main, ...args];
    const [program, ...rest] = command as [string, ...string[]];
    const child = spawn(program, rest, {
      cwd: place.cwd ?? this.root,
      env: { ...process.env, CUADRO_DATA: dataFolder, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: place.timeoutMs ?? 120_000,
      killSignal: 'SIGKILL',
    });
    this.#children.add(child);
    const [out, err]: [string[], string[]] = [[], []];
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    this.#children.delete(child);
    return { code: code ?? -1, stdout: out.join(''), stderr: err.join('') };
  }

  /** A command that must succeed; gives what it printed as JSON. */
  async json<T>(
    args: readonly string[],
    place: { data?: string; wrap?: readonly string[] } = {},
  ): Promise<T> {
    const result = await this.cuadro(args.includes('--json') ? args : [...args, '--json'], place);
    if (result.code !== 0) {
      throw new Error(`cuadro ${args.join(' ')} ended with ${result.code}: ${result.stdout}${result.stderr}`);
    }
    return JSON.parse(result.stdout) as T;
  }
}

export interface Launched {
  child: ChildProcess;
  dataFolder: string;
  ended: Promise<Ended>;
  errors: () => string;
  firstLine: () => string | undefined;
}

/** Waits until a launched node runs; fails with what it said where it ended instead. */
export async function awaitNode(launched: Launched): Promise<NodeProcess> {
  const { child, dataFolder, ended, errors, firstLine } = launched;
  let gone: Ended | undefined;
  void ended.then((how) => (gone = how));
  const line = await until(`the node on ${dataFolder} to run (${errors()})`, () => {
    if (gone !== undefined) throw new Error(`The node ended with ${JSON.stringify(gone)}: ${errors()}`);
    return firstLine();
  });
  const { address } = JSON.parse(line) as { address: string };
  const file = JSON.parse(await readFile(join(dataFolder, 'node.json'), 'utf8')) as { pid: number };
  return {
    child,
    pid: file.pid,
    dataFolder,
    client: connectNode(dataFolder),
    address,
    ended,
    errors,
    async kill() {
      kill(file.pid);
      await ended;
    },
    async stop() {
      kill(file.pid, 'SIGINT');
      return ended;
    },
  };
}

/** What asks a node, wherever it runs. */
type Caller = Pick<NodeClient, 'call'>;

/** The names of the farm's members, as a node of it knows them. */
export const membersOf = async ({ client }: { client: Caller }): Promise<string[]> =>
  (await client.call('door', {})).members.map(({ name }) => name).sort();

/** The job once its state is one of these. */
export function jobIn(
  client: Caller,
  job: string,
  states: readonly JobView['state'][],
  limitMs?: number,
): Promise<JobView> {
  return until(
    `job ${job} to be ${states.join(' or ')}`,
    async () => {
      const view = await client.call('job', { params: { job } });
      return states.includes(view.state) && view;
    },
    limitMs,
  );
}

export async function tasksOf(client: Caller, job: string): Promise<TaskView[]> {
  return (await client.call('tasks', { params: { job } })).tasks;
}

export function taskOf(client: Caller, job: string, task: string): Promise<TaskDetail> {
  return client.call('task', { params: { job, task } });
}

/** Waits until every file of the job's results lies in its folder. */
export async function collected(client: Caller, job: string): Promise<JobView> {
  return until(`the files of job ${job} to be collected`, async () => {
    const view = await client.call('job', { params: { job } });
    const expected = (await tasksOf(client, job)).reduce((sum, { files }) => sum + files.length, 0);
    return (view.live.collected ?? 0) + (view.live.keptForeign ?? 0) >= expected && view;
  });
}
