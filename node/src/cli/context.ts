import { resolve } from 'node:path';
import { CuadroError } from '@cuadro/protocol/errors';
import { connectNode, type NodeClient } from './client.ts';
import { defaultDataFolder } from './data-folder.ts';
import { type CommandLine, Output } from './output.ts';

/** Options that every command has. */
export interface CommonOptions {
  json?: boolean;
  data?: string;
}

/** What each command works with. */
export interface Context {
  line: CommandLine;
  output: Output;
  dataFolder: string;
  /** @throws CuadroError `no-node`. */
  client: () => NodeClient;
  /** A path as a person typed it, for the node, which has another working folder. */
  absolute: (path: string) => string;
}

/**
 * What the node says or does, or what is done without one. A killed node leaves its file behind, and after a power cut
 * another program may have its process id: only who is asked in vain is known not to run.
 */
export async function withOrWithoutNode<T>(
  { client }: Pick<Context, 'client'>,
  ask: (node: NodeClient) => Promise<T>,
  alone: () => Promise<T>,
): Promise<T> {
  try {
    return await ask(client());
  } catch (error) {
    if (!(error instanceof CuadroError) || error.code !== 'no-node') throw error;
  }
  return alone();
}

export function createContext(line: CommandLine, options: CommonOptions): Context {
  const dataFolder =
    options.data === undefined ? defaultDataFolder(line.env) : resolve(line.cwd, options.data);
  return {
    line,
    output: new Output(line, options.json === true),
    dataFolder,
    client: () => connectNode(dataFolder),
    absolute: (path) => resolve(line.cwd, path),
  };
}
