import { resolve } from 'node:path';
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
