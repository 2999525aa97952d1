/** Builds the command line of a warm Blender, and starts it. */

import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GroupCommand } from '../process/group.ts';
import { inModestSession, modestly } from '../process/modest.ts';
import { colourManagement, type Confiner, confine, programFolders } from './confinement.ts';

/** What one slot owns of the machine. */
export interface SlotInit {
  /** Threads for rendering; undefined leaves all cores to it. */
  readonly threads?: number;
  /** Names of compute devices as Blender gives them; ['CPU'] forbids GPUs, undefined takes every GPU there is. */
  readonly devices?: readonly string[];
}

export interface LaunchInit {
  readonly blender: string;
  readonly confiner: Confiner;
  /** Folders with scenes, read-only inside. */
  readonly readableDirectories: readonly string[];
  /** The session's own folder: `out` receives frames, `tmp` is TMPDIR, `home` is HOME. */
  readonly folder: string;
  readonly slot: SlotInit;
}

/** `node/blender`, read-only inside. */
export const driverDirectory = fileURLToPath(new URL('../../../blender', import.meta.url));

export const outputFolder = (folder: string) => join(folder, 'out');

/** What graphics drivers and Blender take from the environment; nothing else of the user's is passed on. */
const PASSED_ON = [
  'CUDA_VISIBLE_DEVICES',
  'HIP_VISIBLE_DEVICES',
  'ONEAPI_DEVICE_SELECTOR',
  'LIBGL_ALWAYS_SOFTWARE',
  'GALLIUM_DRIVER',
  'MESA_LOADER_DRIVER_OVERRIDE',
  'OCIO',
  'SystemRoot',
];

/** The whole command, and the folders that it needs. */
export async function prepareLaunch(init: LaunchInit): Promise<GroupCommand> {
  for (const name of ['out', 'tmp', 'home']) await mkdir(join(init.folder, name), { recursive: true });
  const environment = sessionEnvironment(init.folder);
  const blenderArguments = [
    '-b',
    '--factory-startup',
    '--disable-autoexec',
    '-noaudio',
    ...(init.slot.threads === undefined ? [] : ['-t', String(init.slot.threads)]),
    '--python-exit-code',
    '7',
    '--python',
    join(driverDirectory, 'driver.py'),
  ];
  const command = confine(
    init.confiner,
    {
      readable: [
        driverDirectory,
        ...(await programFolders(init.blender)),
        ...(await colourManagement(environment['OCIO'])),
        ...init.readableDirectories,
      ],
      writable: [init.folder],
    },
    // Bubblewrap begins a session of its own.
    inModestSession({ file: init.blender, arguments: blenderArguments, environment }),
  );
  return modestly({ ...command, environment, directory: init.folder });
}

function sessionEnvironment(folder: string): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: ['/usr/local/bin', '/usr/bin', '/bin', dirname(process.execPath)].join(':'),
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    TEMP: join(folder, 'tmp'),
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    PYTHONDONTWRITEBYTECODE: '1',
  };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

export const coreCount = () => availableParallelism();
