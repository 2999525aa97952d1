import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Hosts on local networks, made of network namespaces on this machine: a switch (a bridge in a namespace of its own)
 * for each network, and a cable (a veth pair) for each host on it. Nothing of it touches the machine's own network,
 * and removing the namespaces removes all of it.
 */

const PREFIX = 'cuadro-test-';
/** The programs that make networks, and the package of each. */
const TOOLS = { ip: 'iproute2', bridge: 'iproute2', nft: 'nftables' };
/** A locally administered hardware address that no host here has. */
const NOBODYS_CARD = '02:00:00:00:00:01';

/** Why no hosts can be made here, in a sentence; undefined where they can. */
export function whyNoHosts(): string | undefined {
  if (process.platform !== 'linux') return 'Network namespaces are Linux’s.';
  if (process.getuid?.() !== 0) return 'Network namespaces need root.';
  for (const [tool, packaged] of Object.entries(TOOLS))
    if (!['/usr/sbin', '/sbin', '/usr/bin', '/bin'].some((folder) => existsSync(`${folder}/${tool}`)))
      return `The program ${tool} (${packaged}) is missing.`;
  const probe = `${PREFIX}${process.pid}-probe`;
  try {
    run('ip', 'netns', 'add', probe);
    try {
      run('ip', 'netns', 'exec', probe, 'nft', 'add', 'table', 'bridge', 'probe');
    } catch {
      return 'This kernel has no nftables, by which networks are cut.';
    } finally {
      run('ip', 'netns', 'del', probe);
    }
    return undefined;
  } catch {
    return 'This machine does not let network namespaces be made (a container without the capability?).';
  }
}

/** Options of a test that needs hosts: skipped with the reason where there can be none. */
export const onHosts = { skip: whyNoHosts() ?? false };

export interface HostInit {
  readonly name: string;
  /** The networks that it is on, by number; its interfaces are eth0, eth1… in this order. */
  readonly networks: readonly number[];
  /** The network that its default route leads to; none by default. */
  readonly defaultRoute?: number;
  /** What stands before every command on the host, such as another clock (`clocks.ts`). */
  readonly wrap?: readonly string[];
}

/** A set of hosts and networks, gone with `remove`. */
export class Lan {
  readonly #id = `${PREFIX}${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
  readonly #hosts: Host[] = [];
  readonly #networks = new Set<number>();

  constructor() {
    removeLeftovers();
    run('ip', 'netns', 'add', this.#switch);
    run('ip', '-n', this.#switch, 'link', 'set', 'lo', 'up');
  }

  get #switch(): string {
    return `${this.#id}-switch`;
  }

  host(init: HostInit): Host {
    const space = `${this.#id}-${init.name}`;
    run('ip', 'netns', 'add', space);
    run('ip', '-n', space, 'link', 'set', 'lo', 'up');
    const host = new Host(space, this.#switch, this.#hosts.length + 1, init.wrap);
    this.#hosts.push(host);
    for (const network of init.networks) this.plug(host, network);
    if (init.defaultRoute !== undefined)
      run('ip', '-n', space, 'route', 'add', 'default', 'via', `10.77.${init.defaultRoute}.254`);
    return host;
  }

  /** A cable from a host's next interface to a network. */
  plug(host: Host, network: number): void {
    if (!this.#networks.has(network)) {
      this.#networks.add(network);
      run('ip', '-n', this.#switch, 'link', 'add', `br${network}`, 'type', 'bridge', 'mcast_snooping', '0');
      run('ip', '-n', this.#switch, 'link', 'set', `br${network}`, 'up');
    }
    host.plug(network);
  }

  /** Parts a network in two: these hosts on one side, all others on the other, and the switch drops what is between. */
  part(network: number, hosts: readonly Host[]): void {
    const here = `{ ${hosts.map((host) => host.portOn(network)).join(', ')} }`;
    filter(this.#switch, 'bridge', 'hook forward', [
      `iifname ${here} oifname != ${here} drop`,
      `iifname != ${here} oifname ${here} drop`,
    ]);
  }

  /** Joins the two sides of a network again. */
  join(): void {
    filter(this.#switch, 'bridge', 'hook forward', []);
  }

  /** Makes the one link between two hosts of a network sick, or well again: all that they send each other is lost. */
  sicken(network: number, a: Host, b: Host, isSick: boolean): void {
    a.misaddress(network, b.addressOn(network), isSick);
    b.misaddress(network, a.addressOn(network), isSick);
  }

  /** Ends what runs on the hosts, and removes them. */
  async remove(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.killAll()));
    for (const { space } of this.#hosts) run('ip', 'netns', 'del', space);
    run('ip', 'netns', 'del', this.#switch);
  }
}

export class Host {
  readonly space: string;
  readonly #switch: string;
  readonly #index: number;
  readonly #wrap: readonly string[];
  #interfaces = 0;
  /** Network → the interface that was plugged into it last. */
  readonly #plugged = new Map<number, string>();
  readonly #processes = new Set<ChildProcess>();

  constructor(space: string, switchSpace: string, index: number, wrap: readonly string[] = []) {
    this.space = space;
    this.#switch = switchSpace;
    this.#index = index;
    this.#wrap = wrap;
  }

  /** What stands before a command that is to run on this host. */
  get inside(): readonly string[] {
    return ['ip', 'netns', 'exec', this.space, ...this.#wrap];
  }

  addressOn(network: number): string {
    return `10.77.${network}.${this.#index}`;
  }

  /** A program that runs on this host; its standard input and output are pipes. */
  spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const [program, ...rest] = [...this.inside, command, ...args] as [string, ...string[]];
    const child = spawn(program, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    this.#processes.add(child);
    child.on('exit', () => this.#processes.delete(child));
    return child;
  }

  plug(network: number): void {
    const name = `eth${this.#interfaces}`;
    this.#interfaces += 1;
    this.#plugged.set(network, name);
    this.#connect(name, network);
  }

  /** Its interface on a network goes and comes anew in a moment, as that of a card or a tunnel does after a sleep. */
  renew(network: number): void {
    const name = this.#interfaceOn(network);
    run('ip', '-n', this.space, 'link', 'del', name);
    this.#connect(name, network);
  }

  #connect(name: string, network: number): void {
    const port = this.#port(name);
    const cable = ['link', 'add', name, 'type', 'veth', 'peer', 'name', port, 'netns', this.#switch];
    run('ip', '-n', this.space, ...cable);
    run('ip', '-n', this.#switch, 'link', 'set', port, 'master', `br${network}`, 'up');
    run('ip', '-n', this.space, 'address', 'add', `${this.addressOn(network)}/24`, 'dev', name);
    run('ip', '-n', this.space, 'link', 'set', name, 'up');
  }

  /** The switch's end of the cable that was plugged into a network last. */
  portOn(network: number): string {
    return this.#port(this.#interfaceOn(network));
  }

  /** Loses so many of a hundred packets that arrive, by chance; none at 0. */
  lose(network: number, percent: number): void {
    this.#filterArriving(network, percent === 0 ? [] : [`numgen random mod 100 < ${percent} drop`]);
  }

  /** Loses all that arrives, while the others hear it; or no longer. */
  deafen(network: number, isDeaf: boolean): void {
    this.#filterArriving(network, isDeaf ? ['drop'] : []);
  }

  /** Loses all that it sends, while it hears the others; or no longer. */
  mute(network: number, isMute: boolean): void {
    const hook = `hook ingress device "${this.portOn(network)}"`;
    filter(this.#switch, 'netdev', hook, isMute ? ['drop'] : []);
  }

  /** Loses what asks for a connection with it, as behind a router that lets none in; those that stand go on. */
  letNoneIn(network: number): void {
    this.#filterArriving(network, ['tcp flags & (syn | ack) == syn drop']);
  }

  /** The TCP connections of an address of this host with other hosts, as `here there`. */
  connectionsOn(network: number): string[] {
    const lines = run('ip', 'netns', 'exec', this.space, 'ss', '-Htn', 'state', 'established').split('\n');
    const ends = lines.map((line) => line.trim().split(/\s+/).slice(2).join(' '));
    return ends.filter((one) => one.startsWith(`${this.addressOn(network)}:`)).sort();
  }

  /** Its processes, whatever started them. */
  get processes(): number[] {
    return run('ip', 'netns', 'pids', this.space).split('\n').map(Number).filter(Boolean);
  }

  /** Stops all that runs on the host where it stands, as a machine that is suspended; or lets it run on. */
  suspend(isSuspended: boolean): void {
    const signalled = new Set<number>();
    // What one of them was about to start may come to be meanwhile.
    for (;;) {
      const fresh = this.processes.filter((pid) => !signalled.has(pid));
      if (fresh.length === 0) return;
      for (const pid of fresh) {
        signalled.add(pid);
        try {
          process.kill(pid, isSuspended ? 'SIGSTOP' : 'SIGCONT');
        } catch {
          // It has ended by itself.
        }
      }
    }
  }

  /** Sends what is for an address to a card that nobody has, so that it is lost in silence; or no longer. */
  misaddress(network: number, address: string, isWrong: boolean): void {
    const to = ['dev', this.#interfaceOn(network)];
    if (!isWrong) run('ip', '-n', this.space, 'neighbour', 'del', address, ...to);
    else
      run(
        'ip',
        '-n',
        this.space,
        'neighbour',
        'replace',
        address,
        'lladdr',
        NOBODYS_CARD,
        ...to,
        'nud',
        'permanent',
      );
  }

  /** Switches an interface off or on, as a laptop's wireless: the host itself knows, and keeps its address. */
  link(name: string, isOn: boolean): void {
    run('ip', '-n', this.space, 'link', 'set', name, isOn ? 'up' : 'down');
  }

  /** Takes an interface and its address away, as a laptop that leaves a network. */
  unplug(name: string): void {
    run('ip', '-n', this.space, 'link', 'del', name);
  }

  /** Pulls the cable at the switch's end, or puts it back: the host itself is not told. */
  cable(name: string, isIn: boolean): void {
    run('bridge', '-n', this.#switch, 'link', 'set', 'dev', this.#port(name), 'state', isIn ? '3' : '0');
  }

  /** Whether the switch passes multicast on to this host, as some access points do not. */
  multicast(name: string, isOn: boolean): void {
    const flood = isOn ? 'on' : 'off';
    run('bridge', '-n', this.#switch, 'link', 'set', 'dev', this.#port(name), 'mcast_flood', flood);
  }

  /** Limits what the host may send. */
  limit(name: string, megabitsPerSecond: number): void {
    const filter = ['rate', `${megabitsPerSecond}mbit`, 'burst', '64kb', 'latency', '20ms'];
    run('ip', 'netns', 'exec', this.space, 'tc', 'qdisc', 'replace', 'dev', name, 'root', 'tbf', ...filter);
  }

  /** Limits what the host may receive: the switch's end of the cable sends no faster. */
  limitIncoming(name: string, megabitsPerSecond: number): void {
    const filter = ['rate', `${megabitsPerSecond}mbit`, 'burst', '64kb', 'latency', '20ms'];
    const port = this.#port(name);
    run('ip', 'netns', 'exec', this.#switch, 'tc', 'qdisc', 'replace', 'dev', port, 'root', 'tbf', ...filter);
  }

  async killAll(): Promise<void> {
    await Promise.all(
      [...this.#processes].map(
        (child) =>
          new Promise((ended) => {
            child.on('exit', ended);
            child.kill('SIGKILL');
          }),
      ),
    );
  }

  #filterArriving(network: number, rules: readonly string[]): void {
    filter(this.space, 'netdev', `hook ingress device "${this.#interfaceOn(network)}"`, rules);
  }

  #interfaceOn(network: number): string {
    const name = this.#plugged.get(network);
    if (name === undefined) throw new RangeError(`The host ${this.space} is not on network ${network}.`);
    return name;
  }

  /** The switch's end of a cable; a name of an interface has 15 characters at most. */
  #port(name: string): string {
    return `p${this.#index}${name}`;
  }
}

/** Namespaces of test runs whose process is gone. */
function removeLeftovers(): void {
  const spaces = run('ip', 'netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  for (const space of spaces) {
    const pid = Number(/^cuadro-test-(\d+)-/.exec(space)?.[1]);
    if (pid > 0 && !existsSync(`/proc/${pid}`)) run('ip', 'netns', 'del', space);
  }
}

/** Drops what these rules name in a namespace, in place of what was dropped at this hook before. */
function filter(space: string, family: 'bridge' | 'netdev', hook: string, rules: readonly string[]): void {
  // Each device has a table of its own: several hosts' ends of cables lie in the switch's namespace.
  const table = `${family} cuadro-${/"(.*)"/.exec(hook)?.[1] ?? 'forward'}`;
  const lines = [`add table ${table}`, `delete table ${table}`];
  if (rules.length > 0) {
    lines.push(`table ${table} {`, 'chain lost {', `type filter ${hook} priority 0`, ...rules, '}', '}');
  }
  run('ip', 'netns', 'exec', space, 'nft', `${lines.join('\n')}\n`);
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
  });
}
