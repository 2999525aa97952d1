import { existsSync, readdirSync } from 'node:fs';
import { whyNoHosts } from './hosts.ts';

/**
 * Hosts whose wall clock is wrong. Linux has namespaces for the monotonic clock only, so nodes and commands on such a
 * host are started with libfaketime, which shifts what the C library says of the wall clock: in all their threads and
 * in native code too, which a `Date` replaced in JavaScript would not reach. The monotonic clock stays as it is. What
 * they start, such as Blender, goes without it: it decides nothing by the time, and Blender's allocator and the library
 * call each other without end.
 */

const FOLDERS = ['/usr/lib/faketime', '/usr/lib64/faketime'];

function library(): string | undefined {
  const byArchitecture = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime`)
    : [];
  return [...FOLDERS, ...byArchitecture]
    .map((folder) => `${folder}/libfaketimeMT.so.1`)
    .find((path) => existsSync(path));
}

/** Options of a test that needs such hosts: skipped with the reason where there can be none. */
export const onHostsWithClocks = {
  skip: whyNoHosts() ?? (library() === undefined ? 'The library libfaketime is missing.' : false),
};

/** What stands before a command whose wall clock is to be so many hours off. */
export function hoursOff(hours: number): readonly string[] {
  const shift = `${hours < 0 ? '' : '+'}${hours}h`;
  return [
    'env',
    `LD_PRELOAD=${library() ?? ''}`,
    `FAKETIME=${shift}`,
    // The name differs between versions.
    'DONT_FAKE_MONOTONIC=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
    `NODE_OPTIONS=--import=${new URL('own-clock.ts', import.meta.url).href}`,
  ];
}
