import { type ChildProcess, execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Config, DoorView, NodeView } from '@cuadro/protocol';
import { until } from '../../e2e/support/wait.ts';
import type { Host } from './hosts.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../../node/src/cli/main.ts', import.meta.url));

/** One real node on a host: started as people do, and asked by the command line, as its API is on its loopback. */
export class LanNode {
  readonly name: string;
  readonly host: Host;
  readonly #dataFolder: string;
  #child: ChildProcess | undefined;

  constructor(host: Host, name: string, dataFolder: string) {
    this.host = host;
    this.name = name;
    this.#dataFolder = dataFolder;
  }

  async start(): Promise<void> {
    const child = this.host.spawn(process.execPath, [main, 'up', '--json', '--data', this.#dataFolder]);
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    await new Promise<void>((resolve, reject) => {
      lines.once('line', () => resolve());
      child.once('close', (code) => reject(new Error(`The node ${this.name} ended with ${code}.`)));
    });
  }

  /** What a command prints as JSON; rejects where it fails. */
  async ask<T>(...words: string[]): Promise<T> {
    const { stdout } = await run('ip', [
      ...['netns', 'exec', this.host.space],
      ...[process.execPath, main, ...words, '--json', '--data', this.#dataFolder],
    ]);
    return JSON.parse(stdout) as T;
  }

  door(): Promise<DoorView> {
    return this.ask<DoorView>('door');
  }

  nodes(): Promise<NodeView[]> {
    return this.ask<NodeView[]>('nodes');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

/** Nodes whose folders go with them. */
export class LanFarm {
  readonly nodes: LanNode[] = [];
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<LanFarm> {
    return new LanFarm(await mkdtemp(join(tmpdir(), 'cuadro-lan-')));
  }

  async add(host: Host, name: string, config: Partial<Config> = {}): Promise<LanNode> {
    const dataFolder = join(this.#folder, name);
    await mkdir(dataFolder);
    const set = {
      name,
      serviceName: 'cuadro-lan-test',
      reserveGiB: 0,
      outputFolder: join(dataFolder, 'out'),
    };
    await writeFile(join(dataFolder, 'config.json'), JSON.stringify({ ...set, ...config }));
    const node = new LanNode(host, name, dataFolder);
    this.nodes.push(node);
    return node;
  }

  /** Waits until these nodes are one farm, and each reaches all others. */
  async whole(nodes: readonly LanNode[] = this.nodes): Promise<string> {
    return until(
      `${nodes.map(({ name }) => name).join(', ')} to be one farm`,
      async () => {
        const doors = await Promise.all(nodes.map((node) => node.door()));
        const farms = new Set(doors.map(({ farm }) => farm?.id));
        const [farm] = farms;
        if (farms.size !== 1 || farm === undefined) return undefined;
        const seen = await Promise.all(nodes.map((node) => node.nodes()));
        return seen.every((views) => views.filter(({ live }) => live.reachable).length >= nodes.length)
          ? farm
          : undefined;
      },
      120_000,
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
