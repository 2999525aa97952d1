import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RouteName, RouteResponse } from '@cuadro/protocol';
import type { CallOptions, NodeClient } from '../../../node/src/cli/client.ts';
import type { Host } from './hosts.ts';

export interface Question {
  readonly id: number;
  readonly name: RouteName;
  readonly options: unknown;
  /** Whether the route gives text rather than JSON. */
  readonly isText: boolean;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

const SCRIPT = join(import.meta.dirname, 'call-process.ts');

/** Calls the API of the node on a host, from a process on that host. */
export class LanClient implements Pick<NodeClient, 'call' | 'text'> {
  readonly #host: Host;
  readonly #dataFolder: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #child: ReturnType<Host['spawn']> | undefined;
  #asked = 0;

  constructor(host: Host, dataFolder: string) {
    this.#host = host;
    this.#dataFolder = dataFolder;
  }

  async call<N extends RouteName>(name: N, options: CallOptions<N>): Promise<RouteResponse<N>> {
    return (await this.#ask({ name, options, isText: false })) as RouteResponse<N>;
  }

  async text<N extends RouteName>(name: N, options: CallOptions<N>): Promise<string> {
    return (await this.#ask({ name, options, isText: true })) as string;
  }

  #ask(asked: Omit<Question, 'id'>): Promise<unknown> {
    this.#child ??= this.#start();
    const id = ++this.#asked;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const question: Question = { id, ...asked };
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    return waiting.promise;
  }

  #start(): ReturnType<Host['spawn']> {
    const child = this.#host.spawn(process.execPath, [SCRIPT, this.#dataFolder]);
    if (child.stdout === null) throw new Error('The process has no standard output.');
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(JSON.parse(line) as Answer));
    child.once('exit', () => {
      this.#child = undefined;
      for (const { reject } of this.#waiting.values()) reject(new Error('The process that calls has ended.'));
      this.#waiting.clear();
    });
    return child;
  }

  #hear(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.value);
  }
}
