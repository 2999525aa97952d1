import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './files.ts';

/**
 * Where other disks are attached. A device's number can change whenever the machine starts, so what is remembered of a
 * folder is the path at which its disk begins, and asked is whether a disk begins there now.
 */

/** The number of the device on which a path stands; undefined where nothing stands. */
export type DeviceOf = (path: string) => Promise<number | undefined>;

const systemDeviceOf: DeviceOf = async (path) => {
  try {
    return (await stat(path)).dev;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
};

/**
 * The path, `folder` itself or one above it, at which its disk is attached; undefined on the disk of the system's root.
 * `folder` is absolute and exists. @throws the system's error.
 */
export async function mountPointOf(
  folder: string,
  deviceOf: DeviceOf = systemDeviceOf,
): Promise<string | undefined> {
  for (let path = folder; dirname(path) !== path; path = dirname(path))
    if ((await deviceOf(path)) !== (await deviceOf(dirname(path)))) return path;
  return undefined;
}

/** Whether a disk is attached at this path. @throws the system's error, where it can't tell. */
export async function isMountPoint(path: string, deviceOf: DeviceOf = systemDeviceOf): Promise<boolean> {
  const device = await deviceOf(path);
  return device !== undefined && device !== (await deviceOf(dirname(path)));
}
