import { TreePathUnsafeError } from './errors.ts';
import { blobLimits } from './options.ts';

/** Names that Windows gives to devices, with any extension: a bundle must be restorable everywhere. */
const deviceName = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?$/i;

/** Our own name inside a restored tree. */
export const treeMarkerName = '.cuadro-tree';

/** Why a relative path (with `/`) may not be part of a tree, or undefined when it may. */
export function unsafeTreePath(path: string): string | undefined {
  if (path === '') return 'it is empty';
  if (path.includes('\0')) return 'it holds a NUL character';
  if (path.includes('\\')) return 'it holds a backslash';
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'it is absolute';
  if (Buffer.byteLength(path) > blobLimits.treePathBytes) return 'it is too long';
  if (!path.isWellFormed()) return 'it is no valid Unicode';
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..') return 'it has an empty, `.` or `..` part';
    if (Buffer.byteLength(name) > blobLimits.treeNameBytes) return 'a name in it is too long';
    if (deviceName.test(name)) return 'it names a device';
    if (name.toLowerCase() === treeMarkerName) return 'the name is reserved';
  }
  return undefined;
}

/** Throws `tree-path-unsafe` for the first path that is unsafe, stands twice, or is also a folder of another. */
export function assertTreePaths(paths: readonly string[]): void {
  if (paths.length > blobLimits.treeEntries) {
    throw new TreePathUnsafeError(paths[0] ?? '', `the tree has more than ${blobLimits.treeEntries} files`);
  }
  const files = new Set<string>();
  for (const path of paths) {
    const reason = unsafeTreePath(path);
    if (reason !== undefined) throw new TreePathUnsafeError(path, reason);
    if (files.has(path)) throw new TreePathUnsafeError(path, 'it stands twice');
    files.add(path);
  }
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (files.has(path.slice(0, slash)))
        throw new TreePathUnsafeError(path, 'a file stands where its folder should');
    }
  }
}
