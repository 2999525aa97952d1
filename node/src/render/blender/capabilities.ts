/** Finds Blender, and reads what the driver reports about it. */

import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BlenderCapabilities, ComputeDevice, Confinement } from '../interface.ts';
import { findOnPath } from './confinement.ts';

/** The driver's Python needs what Blender 3.0 brought; older ones are not tried. */
const OLDEST_MAJOR = 3;

const NEXT_STEP =
  'Install Blender 3 or newer (on Debian and Ubuntu: apt install blender), or name it in CUADRO_BLENDER.';

export type FoundBlender =
  | { readonly path: string }
  | { readonly path: undefined; readonly sentence: string };

/** An explicit path wins over CUADRO_BLENDER, and that over PATH. */
export async function findBlender(explicit: string | undefined): Promise<FoundBlender> {
  const named = explicit ?? process.env['CUADRO_BLENDER'];
  if (named !== undefined && named !== '') {
    const path = resolve(named);
    const runnable = await access(path, 1).then(
      () => true,
      () => false,
    );
    return runnable
      ? { path }
      : { path: undefined, sentence: `${path} is no program that can be run. ${NEXT_STEP}` };
  }
  const path = await findOnPath('blender');
  return path === undefined ? { path, sentence: `Blender was not found. ${NEXT_STEP}` } : { path };
}

interface Machine {
  readonly cores: number;
  readonly confinement: Confinement;
}

export function noBlender(sentence: string, machine: Machine): BlenderCapabilities {
  return { state: 'no-blender', sentence, ...machine };
}

/** The driver's report as capabilities; a report that makes no sense counts as no Blender. */
export function readReport(path: string, report: unknown, machine: Machine): BlenderCapabilities {
  const value = (report ?? {}) as Record<string, unknown>;
  const version = typeof value['version'] === 'string' ? value['version'] : '';
  const major = Number.parseInt(version, 10);
  if (!(major >= OLDEST_MAJOR))
    return noBlender(`${path} is Blender ${version || 'of an unknown version'}. ${NEXT_STEP}`, machine);
  return {
    state: 'ready',
    path,
    version,
    engines: names(value['engines']),
    devices: devices(value['devices']),
    denoisers: names(value['denoisers']),
    openShadingLanguage: value['openShadingLanguage'] === true,
    imageFormats: names(value['imageFormats']),
    movieFormats: names(value['movieFormats']),
    ...machine,
  };
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}

function devices(value: unknown): ComputeDevice[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: { name?: unknown; type?: unknown }) =>
    typeof entry?.name === 'string' && typeof entry.type === 'string'
      ? [{ name: entry.name, type: entry.type }]
      : [],
  );
}
