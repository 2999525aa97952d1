import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Config, FarmView, NodeView } from '@cuadro/protocol';
import { connectNode, type NodeClient } from '../../node/src/cli/client.ts';
import { readNodeFile } from '../../node/src/system/node-file.ts';

/**
 * Several nodes as processes of their own on this machine, in one farm on the loopback interface under a service
 * name of its own, so that it never meets a real farm. For the demo, benches and tests.
 */

const main = fileURLToPath(new URL('../../node/src/cli/main.ts', import.meta.url));
const POLL_MS = 20;

export interface LocalFarmInit {
  /** Data folders, logs and outputs go below it. */
  folder: string;
  nodes: number;
  config?: Partial<Config> | ((index: number) => Partial<Config>);
  /** Command and arguments put before each node's own, by index: a namespace, a limit of cores. */
  wrap?: (index: number) => readonly string[];
  /** Environment of the nodes, over this process's own. */
  env?: NodeJS.ProcessEnv;
}

export interface LocalNode {
  readonly index: number;
  readonly name: string;
  readonly dataFolder: string;
  /** Undefined while it doesn't run. */
  process: ChildProcess | undefined;
  client: NodeClient;
  pid: number;
}

const NAMES = ['belen', 'carmen', 'dolores', 'estrella', 'farruca', 'gitana', 'huelva', 'jerez'];

export class LocalFarm {
  readonly nodes: LocalNode[] = [];
  readonly serviceName = `cuadro-${randomBytes(4).toString('hex')}`.slice(0, 15);
  readonly #init: LocalFarmInit;

  constructor(init: LocalFarmInit) {
    this.#init = init;
  }

  /** Starts all nodes at once and waits until each sees all others in one farm with one coordinator. */
  static async open(init: LocalFarmInit): Promise<LocalFarm> {
    const farm = new LocalFarm(init);
    // A run that is interrupted leaves no node behind.
    process.once('exit', () => {
      for (const { process: child } of farm.living) child?.kill('SIGKILL');
    });
    try {
      await Promise.all(Array.from({ length: init.nodes }, (_, index) => farm.start(index)));
      await farm.whole();
      return farm;
    } catch (error) {
      await farm.close();
      throw error;
    }
  }

  async start(index: number): Promise<LocalNode> {
    const known = this.nodes[index];
    if (known?.process !== undefined) return known;
    const name = NAMES[index] ?? `machine-${index + 1}`;
    const dataFolder = join(this.#init.folder, name);
    if (known === undefined) await this.#configure(index, name, dataFolder);
    const wrap = this.#init.wrap?.(index) ?? [];
    const [file, ...args] = [
      ...wrap,
      ...[process.execPath, main, 'up', '--json', '--port', '0', '--data', dataFolder],
    ] as [string, ...string[]];
    const child = spawn(file, args, {
      env: { ...process.env, ...this.#init.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await firstLine(name, child);
    const pid = readNodeFile(dataFolder)?.pid ?? child.pid ?? 0;
    const node: LocalNode = { index, name, dataFolder, process: child, client: connectNode(dataFolder), pid };
    child.once('close', () => {
      if (node.process === child) node.process = undefined;
    });
    this.nodes[index] = node;
    return node;
  }

  async #configure(index: number, name: string, dataFolder: string): Promise<void> {
    await mkdir(dataFolder, { recursive: true });
    const { config: given } = this.#init;
    const config: Partial<Config> = {
      name,
      serviceName: this.serviceName,
      interfaces: ['lo'],
      listen: ['127.0.0.1'],
      meshPort: 0,
      lobbyPort: 0,
      reserveGiB: 0,
      outputFolder: join(this.#init.folder, 'output', name),
      ...(typeof given === 'function' ? given(index) : given),
    };
    await writeFile(join(dataFolder, 'config.json'), JSON.stringify(config));
  }

  /** Below it each node has a folder of its own, and `output` one for what it collects. */
  get folder(): string {
    return this.#init.folder;
  }

  get living(): LocalNode[] {
    return this.nodes.filter((node) => node?.process !== undefined);
  }

  node(index: number): LocalNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`There is no node ${index}.`);
    return node;
  }

  /** SIGKILL, and resolves when the process is gone. */
  async kill(index: number): Promise<void> {
    const node = this.node(index);
    const child = node.process;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    process.kill(node.pid, 'SIGKILL');
    await gone;
    node.process = undefined;
  }

  /** Asks it to end in order. */
  async stop(index: number): Promise<void> {
    const node = this.node(index);
    const child = node.process;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    process.kill(node.pid, 'SIGTERM');
    await gone;
    node.process = undefined;
  }

  async close(): Promise<void> {
    await Promise.all(this.living.map(({ index }) => this.kill(index)));
  }

  /** The farm as each living node sees it. */
  async views(): Promise<{ node: LocalNode; farm: FarmView; nodes: NodeView[] }[]> {
    return Promise.all(
      this.living.map(async (node) => {
        const [farm, nodes] = await Promise.all([
          node.client.call('farm', {}),
          node.client.call('nodes', {}),
        ]);
        return { node, farm, nodes };
      }),
    );
  }

  /** Waits until all living nodes are one farm, reach each other, and follow one of them; else says how each saw it. */
  async whole(limitMs = 60_000): Promise<LocalNode> {
    let views: Awaited<ReturnType<LocalFarm['views']>> = [];
    const isWhole = async (): Promise<LocalNode | undefined> => {
      views = await this.views().catch(() => []);
      const farms = new Set(views.map(({ farm }) => farm.id));
      const leaders = new Set(views.map(({ farm }) => farm.coordinator));
      const reached = views.every(({ nodes }) => reachableOf(nodes) >= this.living.length);
      if (views.length !== this.living.length || farms.size !== 1 || leaders.size !== 1 || !reached)
        return undefined;
      const [leader] = leaders;
      return views.find(({ nodes }) => nodes.some(({ here, peer }) => here && peer === leader))?.node;
    };
    const what = `${this.living.length} nodes to be one farm`;
    return until(what, isWhole, limitMs).catch((error: unknown) => {
      const seen = views.map(
        ({ node, farm, nodes }) =>
          `${node.name}: farm ${farm.id}, led by ${farm.coordinator}, reaches ${reachableOf(nodes)} of ${nodes.length}`,
      );
      throw new Error(`${String(error)} ${seen.join('; ')}`, { cause: error });
    });
  }

  /** The living node that all living nodes follow, or undefined. */
  async coordinator(): Promise<LocalNode | undefined> {
    const views = await this.views();
    const leaders = new Set(views.map(({ farm }) => farm.coordinator));
    if (leaders.size !== 1) return undefined;
    const [leader] = leaders;
    return views.find(({ nodes }) => nodes.some(({ here, peer }) => here && peer === leader))?.node;
  }
}

const reachableOf = (nodes: readonly NodeView[]): number => nodes.filter(({ live }) => live.reachable).length;

/** Gives what the condition gives once it isn't undefined or false. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 120_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`Not within ${limitMs / 1_000} s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function firstLine(name: string, child: ChildProcess): Promise<void> {
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  if (child.stdout === null) throw new Error('A node is started with a pipe for what it prints.');
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.once('line', () => resolve());
    child.once('close', (code) => reject(new Error(`The node ${name} ended with ${code}: ${errors.trim()}`)));
  });
}
