import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Config } from '../../protocol/src/index.ts';
import { connectNode, type NodeClient } from '../../node/src/cli/client.ts';
import { startNode, type CuadroNode } from '../../node/src/daemon.ts';

export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Looks {
  width?: number;
  height?: number;
  theme?: 'dark' | 'light';
}

/** The one page that a browser shows: each draws as long as it is open, so that dozens kept all cores busy. */
export class Viewer {
  readonly #browser: Browser;
  readonly #onPage: (page: Page) => void;
  #context: BrowserContext | undefined;
  #page: Page | undefined;
  #as = '';

  constructor(browser: Browser, onPage: (page: Page) => void = () => undefined) {
    this.#browser = browser;
    this.#onPage = onPage;
  }

  /**
   * Shows a path of a node. A page of the same looks goes on to it, as a person's does: a new one takes a process, signs
   * in and compiles all scripts again.
   */
  async open(
    address: string,
    path: string,
    signinAddress: string,
    { width = 1280, height = 800, theme = 'dark' }: Looks,
  ): Promise<Page> {
    const as = `${address} ${width} ${height} ${theme}`;
    if (this.#page === undefined || this.#as !== as) {
      await this.#context?.close();
      this.#context = await this.#browser.newContext({ viewport: { width, height }, colorScheme: theme });
      this.#page = await this.#context.newPage();
      this.#as = as;
      this.#onPage(this.#page);
      await this.#page.goto(signinAddress);
    }
    await this.#page.goto(`${address}${path}`);
    await this.#page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    return this.#page;
  }
}

/** A real node with its real dashboard in a real Chromium. */
export interface Stage {
  readonly client: NodeClient;
  readonly node: CuadroNode;
  readonly folder: string;
  /** Every address that a page asked for. */
  readonly requests: string[];
  /** What pages complained about. */
  readonly complaints: string[];
  /** Opens a page, in place of the one before. */
  open(path: string, looks?: Looks): Promise<Page>;
  /** Ends the node and starts it again on the same port. */
  restart(whileDown: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function openStage(more: Partial<Config> = {}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-browser-'));
  const dataFolder = join(folder, 'data');
  const start = (port: number): Promise<CuadroNode> =>
    startNode({
      dataFolder,
      port,
      config: { outputFolder: join(folder, 'output'), name: 'atelier', network: false, ...more },
    });
  let node = await start(0);
  let client = connectNode(dataFolder);
  const browser: Browser = await chromium.launch({
    executablePath: process.env['CUADRO_CHROMIUM'] ?? '/usr/bin/chromium',
    args: CHROMIUM_FLAGS,
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  const viewer = new Viewer(browser, (page) => {
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  });
  return {
    folder,
    requests,
    complaints,
    get client() {
      return client;
    },
    get node() {
      return node;
    },
    open: (path, looks = {}) => viewer.open(node.address, path, node.signinAddress, looks),
    async restart(whileDown) {
      const { port } = node;
      await node.stop();
      await whileDown();
      node = await start(port);
      client = connectNode(dataFolder);
    },
    async close() {
      await browser.close();
      await node.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until a question about the node is answered by yes. */
export async function until(what: string, holds: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether every change of style has come to its end, in all shadow trees. */
const NO_TRANSITIONS = `(() => {
  const within = (root) =>
    [root, ...[...root.querySelectorAll('*')].flatMap(({ shadowRoot }) => (shadowRoot ? within(shadowRoot) : []))];
  return within(document).every((root) => root.getAnimations().every((one) => !(one instanceof CSSTransition)));
})()`;

/** Half-way between two themes no contrast is that of either. Asked from here: the page lets nothing be evaluated by itself. */
export async function setTheme(page: Page, colorScheme: 'dark' | 'light'): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await until('the change of theme to end', () => page.evaluate<boolean>(NO_TRANSITIONS));
}
