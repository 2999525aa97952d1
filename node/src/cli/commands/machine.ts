import {
  clauseOf,
  type Config,
  configSchema,
  EXIT,
  type ExitCode,
  heldOnlyBy,
  heldOnlyText,
} from '@cuadro/protocol';
import { loadConfig, saveConfig } from '../../system/config.ts';
import { isAlive, signinAddress } from '../../system/node-file.ts';
import { createSystemRandom } from '../../system/random.ts';
import { connectNode, type NodeClient } from '../client.ts';
import { type Context, withOrWithoutNode } from '../context.ts';
import { UsageError } from '../failure.ts';
import { type Output, plain } from '../output.ts';
import { jobTitle, table } from '../text.ts';

/** How long `down` waits for the process to end: renders are killed at once, storing takes a few seconds. */
const downWaitMs = 20_000;
const downPollMs = 50;

type Key = keyof Config;

export async function config(
  context: Context,
  action: string | undefined,
  key: string | undefined,
  values: readonly string[],
): Promise<ExitCode> {
  switch (action ?? 'list') {
    case 'list':
      if (key !== undefined) throw new UsageError('cuadro config list takes no more words.');
      return printConfig(context, await readConfig(context));
    case 'get': {
      const name = knownKey(key);
      const value = (await readConfig(context))[name];
      if (context.output.json) context.output.printJson(value);
      else context.output.print(valueText(value));
      return EXIT.ok;
    }
    case 'set': {
      const name = knownKey(key);
      const changed = await changeConfig(context, { [name]: parseValue(name, values) });
      if (context.output.json) context.output.printJson(changed);
      else context.output.print(`${name} = ${valueText(changed[name])}`);
      return EXIT.ok;
    }
    default:
      throw new UsageError(`cuadro config can list, get and set; it can't "${action}".`);
  }
}

/** From the node where one runs, so that it applies changes at once; else from its file. */
async function readConfig(context: Context): Promise<Config> {
  const ask = (node: NodeClient): Promise<Config> => node.call('config', {});
  return withOrWithoutNode(context, ask, () => loadConfig(context.dataFolder));
}

async function changeConfig(context: Context, change: Partial<Config>): Promise<Config> {
  const ask = (node: NodeClient): Promise<Config> => node.call('setConfig', { body: change });
  return withOrWithoutNode(context, ask, () => changeAlone(context, change));
}

async function changeAlone({ dataFolder, output }: Context, change: Partial<Config>): Promise<Config> {
  const { makeFolder } = await import('../../system/folders.ts');
  await makeFolder(dataFolder, { mode: 0o700 });
  const changed = await saveConfig({ random: createSystemRandom() }, dataFolder, change);
  output.note('No node runs; it will be so when it starts.');
  return changed;
}

function knownKey(key: string | undefined): Key {
  const keys = Object.keys(configSchema.shape);
  if (key !== undefined && keys.includes(key)) return key as Key;
  const wrong = key === undefined ? 'Name a setting' : `There is no setting "${key}"`;
  throw new UsageError(`${wrong}; there are ${keys.join(', ')}.`);
}

/** Reads the words of the command line as the setting's type asks. */
function parseValue(key: Key, words: readonly string[]): Config[Key] {
  const schema = configSchema.shape[key];
  const kind = schema.def.type;
  if (kind !== 'array' && words.length !== 1) throw new UsageError(`${key} takes one value.`);
  const word = words[0] ?? '';
  const value =
    kind === 'array'
      ? words
      : kind === 'number'
        ? Number(word === '' ? Number.NaN : word)
        : kind === 'boolean'
          ? ({ true: true, yes: true, on: true, false: false, no: false, off: false }[word.toLowerCase()] ??
            word)
          : word;
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new UsageError(`${key} can't be "${words.join(' ')}": it ${clauseOf(parsed.error.issues[0])}.`);
  return parsed.data;
}

function printConfig({ output }: Context, value: Config): ExitCode {
  if (output.json) {
    output.printJson(value);
    return EXIT.ok;
  }
  const rows = Object.entries(configSchema.shape).map(([key, schema]) => [
    key,
    valueText(value[key as Key]),
    output.style('dim', schema.description ?? ''),
  ]);
  output.print(table(output, ['SETTING', 'VALUE', ''], rows));
  return EXIT.ok;
}

function valueText(value: Config[Key]): string {
  return plain(Array.isArray(value) ? value.join(' ') : String(value));
}

export async function dashboard(context: Context, options: { print?: boolean }): Promise<ExitCode> {
  const { output, line, dataFolder } = context;
  const { file } = connectNode(dataFolder);
  const address = signinAddress(file);
  // Also tells whether the node answers: the address of a killed one helps nobody.
  await context.client().call('farm', {});
  if (output.json) output.printJson({ address });
  else output.print(address);
  if (options.print !== true && !output.json && hasDisplay(line.env)) await openInBrowser(address);
  return EXIT.ok;
}

function hasDisplay(env: Readonly<Record<string, string | undefined>>): boolean {
  if (process.platform === 'win32' || process.platform === 'darwin') return true;
  return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
}

/** The address is printed already, so a browser that does not open is no failure. */
async function openInBrowser(address: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  const [program, args]: [string, string[]] =
    process.platform === 'win32'
      ? // `start` would take the address's & as a second command; this takes it as it is.
        ['rundll32', ['url.dll,FileProtocolHandler', address]]
      : [process.platform === 'darwin' ? 'open' : 'xdg-open', [address]];
  await new Promise<void>((resolve) => {
    const child = spawn(program, args, { detached: true, stdio: 'ignore' });
    child.on('error', () => resolve());
    child.on('spawn', () => {
      child.unref();
      resolve();
    });
  });
}

/** Nothing is lost by the end of a node; but what only it holds, nobody can have until it runs again. */
async function warnOfSingleCopies(output: Output, node: NodeClient): Promise<void> {
  const [{ members }, { peer }, jobs] = await Promise.all([
    node.call('farm', {}),
    node.call('here', {}),
    node.call('jobs', {}),
  ]);
  const held = heldOnlyBy(jobs, peer);
  if (members < 2 || held.length === 0) return;
  const named = held.map((only) => `${heldOnlyText(only)} of ${jobTitle(only.job)}`);
  output.note(`Only on this machine, and not to be had until its node runs again: ${named.join(', ')}.`);
}

export async function down({ client, output }: Context): Promise<ExitCode> {
  const node = client();
  // A courtesy: nothing keeps the node from ending.
  await warnOfSingleCopies(output, node).catch(() => undefined);
  const change = await node.call('stop', {});
  const until = performance.now() + downWaitMs;
  while (isAlive(node.file.pid)) {
    if (performance.now() > until) {
      output.note(`The node (process ${node.file.pid}) has not ended yet; it goes on stopping.`);
      return EXIT.failure;
    }
    await new Promise((resolve) => setTimeout(resolve, downPollMs));
  }
  if (output.json) output.printJson(change);
  else output.print('The node has ended; what it had accepted is on disk.');
  return EXIT.ok;
}
