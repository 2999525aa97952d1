import { readFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import {
  checkedBy,
  type Config,
  configSchema,
  CuadroError,
  DEFAULT_PORT,
  findingText,
  LOBBY_PORT_DEFAULT,
} from '@cuadro/protocol';
import { isNoSpace, reasonOf, systemCode, writeFileDurably } from './files.ts';
import type { Random } from './interface.ts';

/** What a machine's owner set: `<data>/config.json` holds only that; all else follows the defaults. */

export function configPath(dataFolder: string): string {
  return join(dataFolder, 'config.json');
}

export function defaultConfig(): Config {
  return {
    // What people call the machine already.
    name: hostname() || 'this machine',
    // One warm Blender on all cores is as fast as one per core, at half the memory.
    slots: 1,
    // Empty: found on the PATH.
    blender: '',
    ffmpeg: '',
    // A farm is remote code execution by design; nothing but the renderers runs unless the owner says so.
    programs: [],
    allowScripts: false,
    confine: true,
    // Tens of thousands of frames; the reserve below holds on small disks.
    quotaGiB: 200,
    // A lost machine's terabyte is elsewhere within a working day, and a gigabit line keeps most for the work itself.
    repairMiBps: 40,
    // Machines that are off at night or for a day of rest come back; who is away for longer may be gone for good.
    replaceHours: 24,
    // Nothing goes by itself unless its owner says so.
    keepDays: 0,
    // The system stays usable, and one more scene still fits, when the store says that it is full.
    reserveGiB: 2,
    // Where people look for what they made: beside their other folders.
    outputFolder: join(homedir() || '.', 'Cuadro'),
    port: DEFAULT_PORT,
    // Nothing to configure: machines that run Cuadro find each other.
    network: true,
    serviceName: 'cuadro',
    interfaces: [],
    listen: ['0.0.0.0'],
    meshPort: DEFAULT_PORT + 1,
    // The one that an address without a port stands for: what people type on another machine.
    lobbyPort: LOBBY_PORT_DEFAULT,
  };
}

/**
 * The defaults with what the owner set.
 * @throws CuadroError `config-invalid` where the file can't be read or says something impossible: going on
 * with defaults could run what the owner forbade.
 */
export async function loadConfig(dataFolder: string): Promise<Config> {
  return checked(dataFolder, { ...defaultConfig(), ...(await readSet(dataFolder)) });
}

/**
 * Sets some values, durably; returns the whole config. What a newer version wrote is kept.
 * @throws CuadroError `request-invalid` for the change, `config-invalid` for the file, with nothing written, `store-full`, `store-unwritable`.
 */
export async function saveConfig(
  components: { random: Random },
  dataFolder: string,
  change: Partial<Config>,
): Promise<Config> {
  const checkedChange = checkedBy(configSchema.partial(), change);
  if (!checkedChange.success) {
    const [issue] = checkedChange.error.issues;
    throw new CuadroError('request-invalid', { why: findingText(issue) }, { cause: checkedChange.error });
  }
  const set = { ...(await readSet(dataFolder)), ...change };
  const config = checked(dataFolder, { ...defaultConfig(), ...set });
  try {
    await writeFileDurably(components, configPath(dataFolder), `${JSON.stringify(set, null, 2)}\n`);
  } catch (cause) {
    const details = { path: dataFolder, why: reasonOf(cause) };
    throw new CuadroError(isNoSpace(cause) ? 'store-full' : 'store-unwritable', details, { cause });
  }
  return config;
}

async function readSet(dataFolder: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(configPath(dataFolder), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw invalid(dataFolder, reasonOf(error), error);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    throw invalid(dataFolder, 'it is not JSON', error);
  }
  throw invalid(dataFolder, 'it is not a JSON object');
}

function checked(dataFolder: string, value: unknown): Config {
  const parsed = checkedBy(configSchema, value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(dataFolder, findingText(issue), parsed.error);
}

function invalid(dataFolder: string, why: string, cause?: unknown): CuadroError {
  return new CuadroError('config-invalid', { why: `${configPath(dataFolder)}: ${why}` }, { cause });
}
