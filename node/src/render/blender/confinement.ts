/**
 * Confines Blender with bubblewrap: no network, no view of other processes or of the user's files, able to write
 * one folder. A .blend is a program as much as a picture (DESIGN.md section 8). Costs nothing measurable.
 */

import { execFile } from 'node:child_process';
import { access, lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Confinement } from '../interface.ts';

/** What a confined process may reach, by absolute paths. */
export interface Reach {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
}

export type Confiner =
  | {
      readonly confinement: Confinement & { readonly kind: 'bubblewrap' };
      readonly bubblewrap: string;
      /** Arguments that rebuild the system's read-only part. */
      readonly system: readonly string[];
    }
  | { readonly confinement: Confinement & { readonly kind: 'none' } };

/** Long enough for a busy machine; the probe itself takes milliseconds. */
const PROBE_TIMEOUT_MS = 20_000;

const CONFINED_SENTENCE =
  'Blender runs confined by bubblewrap: without network, and able to write only its own folder.';

/** Tries bubblewrap once with the very arguments that sessions use. */
export async function findConfiner(options: { readonly enabled: boolean }): Promise<Confiner> {
  if (!options.enabled) return unconfined('Confinement is switched off by a setting');
  if (process.platform !== 'linux') return unconfined('This system has no bubblewrap');
  const bubblewrap = await findOnPath('bwrap');
  if (bubblewrap === undefined) return unconfined('Bubblewrap (the package "bubblewrap") is not installed');
  const system = await systemArguments();
  const failure = await probe(bubblewrap, [...ISOLATION, ...system, ...SEALED, '--', '/usr/bin/env', 'true']);
  if (failure !== undefined) return unconfined(`Bubblewrap does not work here (${failure})`);
  return { confinement: { kind: 'bubblewrap', sentence: CONFINED_SENTENCE }, bubblewrap, system };
}

export function unconfined(reason: string): Confiner {
  return {
    confinement: {
      kind: 'none',
      sentence: `${reason}, so Blender runs unconfined: a scene's scripts, where allowed, can do what this user can.`,
    },
  };
}

/** Wraps a command line; environment variables are set inside, since everything outside is cleared. */
export function confine(
  confiner: Confiner,
  reach: Reach,
  command: {
    readonly file: string;
    readonly arguments: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  },
): { file: string; arguments: string[] } {
  if (confiner.confinement.kind === 'none') return { file: command.file, arguments: [...command.arguments] };
  const { bubblewrap, system } = confiner as Extract<Confiner, { bubblewrap: string }>;
  return {
    file: bubblewrap,
    arguments: [
      ...ISOLATION,
      ...system,
      ...reach.readable.flatMap((path) => ['--ro-bind', path, path]),
      ...reach.writable.flatMap((path) => ['--bind', path, path]),
      ...SEALED,
      ...Object.entries(command.environment).flatMap(([name, value]) => ['--setenv', name, value]),
      '--',
      command.file,
      ...command.arguments,
    ],
  };
}

const ISOLATION: readonly string[] = [
  '--unshare-all',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
  '--clearenv',
];

/** The sandbox's own root and /tmp live in memory: sealed once all is mounted, so that a scene can't fill it. */
const SEALED: readonly string[] = ['--remount-ro', '/tmp', '--remount-ro', '/'];

/** Read-only system folders; /etc only where libraries need it, so that no secret of the machine is in view. */
const SYSTEM_PATHS = [
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/OpenCL',
  '/etc/vulkan',
  '/etc/glvnd',
];

/** Directories that are links into /usr on merged systems, and real ones elsewhere (NixOS keeps all in /nix). */
const ROOT_DIRECTORIES = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store'];

async function systemArguments(): Promise<string[]> {
  const result = ['--ro-bind', '/usr', '/usr'];
  for (const path of ROOT_DIRECTORIES) {
    const status = await lstat(path).catch(() => undefined);
    if (status?.isSymbolicLink()) result.push('--symlink', await readlink(path), path);
    else if (status?.isDirectory()) result.push('--ro-bind', path, path);
  }
  for (const path of SYSTEM_PATHS) result.push('--ro-bind-try', path, path);
  result.push('--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp');
  const devices = await graphicsDevices();
  for (const path of devices) result.push('--dev-bind-try', path, path);
  // Graphics drivers find their cards in /sys.
  if (devices.length > 0) result.push('--ro-bind-try', '/sys', '/sys');
  return result;
}

async function graphicsDevices(): Promise<string[]> {
  const names = await readdir('/dev').catch(() => []);
  return names
    .filter((name) => name === 'dri' || name === 'kfd' || name.startsWith('nvidia'))
    .map((name) => join('/dev', name));
}

/**
 * The folders that must be readable for a program outside /usr to run (a downloaded Blender): where it is named and,
 * since many name it by a link from /usr/local/bin, where it lies.
 */
export async function programFolders(path: string): Promise<string[]> {
  const real = await realpath(path).catch(() => path);
  return [...new Set([path, real].filter((each) => !each.startsWith('/usr/')).map((each) => dirname(each)))];
}

/** What a colour management of the studio's own is made of; without it Blender shows all colours by its built-in one. */
export async function colourManagement(config: string | undefined): Promise<string[]> {
  if (config === undefined || !isAbsolute(config)) return [];
  const there = await access(config).then(
    () => true,
    () => false,
  );
  if (!there) return [];
  const folder = dirname(config);
  // Its tables lie below it; but a home, or what homes lie in, is never shown for their sake.
  const tooMuch = `${homedir()}/`.startsWith(folder === '/' ? folder : `${folder}/`);
  return [tooMuch ? config : folder];
}

/** Absolute path of a program on PATH. */
export async function findOnPath(name: string): Promise<string | undefined> {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name + suffix);
    if (
      await access(path, 1).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

function probe(file: string, commandArguments: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, commandArguments, { timeout: PROBE_TIMEOUT_MS }, (error, _output, errors) => {
      resolve(error === null ? undefined : (errors.trim().split('\n').at(-1) ?? '') || error.message);
    });
  });
}
