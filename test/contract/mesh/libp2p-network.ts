import type { Mesh, MeshInit } from '../../../node/src/mesh/interface.ts';
import type { MeshLimits } from '../../../node/src/mesh/limits.ts';
import { createMesh } from '../../../node/src/mesh/mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import type { NetworkUnderTest } from './harness.ts';
import { Proxy } from './proxy.ts';

/** The same machinery in less time: a farm waits longer between attempts than a test likes to. */
const QUICK: Partial<MeshLimits> = { pauseMs: 20, pauseMaxMs: 200, yieldMs: 50 };

/** Several meshes on libp2p in this process, over loopback, and through a proxy in front of each where connections are to be cut. */
export class LoopbackNetwork implements NetworkUnderTest {
  readonly #meshes: Mesh[] = [];
  readonly #proxies = new Map<Mesh, Proxy>();
  readonly #limits: Partial<MeshLimits>;
  readonly #cuttable: boolean;
  readonly errors: string[] = [];

  constructor(limits: Partial<MeshLimits> = {}, options: { readonly cuttable?: boolean } = {}) {
    this.#limits = { ...QUICK, ...limits };
    this.#cuttable = options.cuttable === true;
  }

  mesh(init: MeshInit): Mesh {
    const components = { clock: createSystemClock(), random: createSystemRandom(), logger: this.#logger() };
    const mesh = createMesh(components, init, this.#limits);
    this.#meshes.push(mesh);
    return mesh;
  }

  async addressesOf(mesh: Mesh): Promise<readonly string[]> {
    return this.#cuttable ? [(await this.proxyOf(mesh)).address] : mesh.status().meshAddresses;
  }

  async proxyOf(mesh: Mesh): Promise<Proxy> {
    const known = this.#proxies.get(mesh);
    if (known !== undefined) return known;
    const proxy = await Proxy.to(Number(mesh.status().meshAddresses[0]?.split('/').at(-1)));
    this.#proxies.set(mesh, proxy);
    return proxy;
  }

  reset(a: Mesh, b: Mesh): void {
    for (const mesh of [a, b]) this.#proxies.get(mesh)?.reset();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#meshes.map((mesh) => mesh.stop()));
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.stop()));
  }

  #logger(): Logger {
    const note = (message: string): void => void this.errors.push(message);
    const quiet = (): void => undefined;
    const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: note, child: () => logger };
    return logger;
  }
}
