import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Config, DoorView, FarmView, NodeView, SubmittedView, TaskDetail } from '@cuadro/protocol';
import { readNodeFile } from '../../../node/src/system/node-file.ts';
import { type CommandResult, House } from '../../e2e/support/house.ts';
import { until } from '../../e2e/support/wait.ts';
import { type Host, Lan } from './hosts.ts';
import { LanClient } from './lan-client.ts';

const main = fileURLToPath(new URL('../../../node/src/cli/main.ts', import.meta.url));

/** How long a command may follow a job: longer than any job of these tests, on any machine. */
const WATCH_MS = 400_000;

type Reign = FarmView['coordinators'][number];

/** One real node on a host: started as people do, and led by the command line there. */
export class LanNode {
  readonly name: string;
  readonly host: Host;
  readonly dataFolder: string;
  /** For what is asked often; what a person does goes through the command line. */
  readonly client: LanClient;
  /** Commands that were run here: what a person had to do. */
  commands = 0;
  readonly #house: House;
  #child: ChildProcess | undefined;

  constructor(house: House, host: Host, name: string) {
    this.#house = house;
    this.host = host;
    this.name = name;
    this.dataFolder = house.dataFolder(name);
    this.client = new LanClient(host, this.dataFolder);
  }

  async start(): Promise<void> {
    const child = this.host.spawn(process.execPath, [main, 'up', '--json', '--data', this.dataFolder], {
      TMPDIR: this.#house.temporary,
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    await new Promise<void>((resolve, reject) => {
      lines.once('line', () => resolve());
      child.once('close', (code) => reject(new Error(`The node ${this.name} ended with ${code}.`)));
    });
  }

  /** Whether its process runs. */
  get runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Runs a command on the host, to its end. */
  cuadro(...words: string[]): Promise<CommandResult> {
    this.commands++;
    const place = { data: this.dataFolder, wrap: this.host.inside, timeoutMs: WATCH_MS };
    return this.#house.cuadro(words, place);
  }

  /** What a command prints as JSON; rejects where it fails. */
  ask<T>(...words: string[]): Promise<T> {
    this.commands++;
    return this.#house.json<T>(words, { data: this.dataFolder, wrap: this.host.inside });
  }

  submit(blend: string, ...words: string[]): Promise<SubmittedView> {
    return this.ask<SubmittedView>('submit', blend, ...words);
  }

  /** Of its own process, whatever started it. */
  get pid(): number {
    return readNodeFile(this.dataFolder)?.pid ?? 0;
  }

  get apiPort(): number {
    return readNodeFile(this.dataFolder)?.port ?? 0;
  }

  door(): Promise<DoorView> {
    return this.client.call('door', {});
  }

  nodes(): Promise<NodeView[]> {
    return this.client.call('nodes', {});
  }

  farm(): Promise<FarmView> {
    return this.client.call('farm', {});
  }

  /** Who led, as this node saw it; without what only the one that led learns later, such as its first grant. */
  async reigns(): Promise<Pick<Reign, 'name' | 'term' | 'cause' | 'at'>[]> {
    const reigns = await this.ask<Reign[]>('nodes', '--history');
    return reigns.map(({ name, term, cause, at }) => ({ name, term, cause, at }));
  }

  /**
   * Counts from its page of metrics, by their one label: `counts('cuadro_accused_total')`. What the page does not have
   * under this name is no count of none: then a test that wants none would hold for ever.
   */
  async counts(name: string): Promise<Record<string, number>> {
    const page = await this.client.text('metrics', {});
    if (!page.includes(`# TYPE ${name} counter\n`)) throw new RangeError(`No metrics are called ${name}.`);
    const lines = page.matchAll(new RegExp(`^${name}\\{\\w+="([^"]*)"\\} (\\d+)$`, 'gm'));
    return Object.fromEntries([...lines].map(([, label, count]) => [label, Number(count)]));
  }

  /** One task with its attempts. */
  task(job: string, index: number): Promise<TaskDetail> {
    return this.client.call('task', { params: { job, task: `#${index}` } });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.runs) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

/** Nodes whose folders go with them. */
export class LanFarm {
  readonly nodes: LanNode[] = [];
  readonly house: House;

  private constructor(house: House) {
    this.house = house;
  }

  static async open(): Promise<LanFarm> {
    return new LanFarm(await House.open());
  }

  async add(host: Host, name: string, config: Partial<Config> = {}): Promise<LanNode> {
    const node = new LanNode(this.house, host, name);
    await this.house.configure(node.dataFolder, {
      name,
      network: true,
      serviceName: 'cuadro-lan-test',
      outputFolder: join(node.dataFolder, 'out'),
      ...config,
    });
    this.nodes.push(node);
    return node;
  }

  /** Hosts of these names on one network, each with a node that runs, all of them in one farm. */
  async begin(lan: Lan, ...names: readonly string[]): Promise<LanNode[]> {
    return this.beginOn(
      names.map((name) => lan.host({ name, networks: [1] })),
      names,
    );
  }

  /** The same on hosts that are there already. */
  async beginOn(hosts: readonly Host[], names: readonly string[]): Promise<LanNode[]> {
    const nodes = await Promise.all(hosts.map((host, index) => this.add(host, names[index] ?? `${index}`)));
    await Promise.all(nodes.map((node) => node.start()));
    await this.whole(nodes);
    return nodes;
  }

  /** Waits until these nodes are one farm, and each reaches all others. */
  async whole(nodes: readonly LanNode[] = this.nodes): Promise<string> {
    return until(
      `${namesOf(nodes)} to be one farm`,
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

  /** Waits until each of these nodes reaches all others of them, and nobody else. */
  async parted(nodes: readonly LanNode[]): Promise<void> {
    const names = nodes.map(({ name }) => name).sort();
    await until(`${namesOf(nodes)} to reach nobody else`, async () => {
      const seen = await Promise.all(nodes.map((node) => node.nodes()));
      const reached = seen.map((views) =>
        views.filter(({ live, here }) => here || live.reachable).map(({ name }) => name),
      );
      return reached.every((list) => list.sort().join() === names.join());
    });
  }

  /** Waits until all of these nodes follow one of them. */
  async led(nodes: readonly LanNode[] = this.nodes): Promise<LanNode> {
    return until(
      `one of ${namesOf(nodes)} to lead them all`,
      async () => {
        const seen = await Promise.all(nodes.map((node) => node.nodes()));
        const names = new Set(seen.map((views) => views.find(({ coordinator }) => coordinator)?.name));
        const [name] = names;
        return names.size === 1 ? nodes.find((node) => node.name === name) : undefined;
      },
      120_000,
    );
  }

  /** Commands that were run on all hosts. */
  get commands(): number {
    return this.nodes.reduce((sum, { commands }) => sum + commands, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.house.close();
  }
}

/** A network and a farm for one test, both gone after it. */
export async function onLan(work: (lan: Lan, farm: LanFarm) => Promise<void>): Promise<void> {
  const lan = new Lan();
  const farm = await LanFarm.open();
  try {
    await work(lan, farm);
  } finally {
    await farm.close();
    await lan.remove();
  }
}

const namesOf = (nodes: readonly LanNode[]): string => nodes.map(({ name }) => name).join(', ');
