/**
 * Absolute paths of any system as values, so that the layout is pure and can be tested for all systems on one.
 * Backslashes separate only where the path begins like one of Windows; elsewhere they are part of a name.
 */
export interface AbsolutePath {
  /** `` on POSIX, `C:` for a drive, `//server/share` for a network path. */
  root: string;
  /** The folders and the name, `.` and `..` resolved. */
  parts: string[];
}

/** Takes an absolute path apart; `..` above the root stays at the root, as systems do it. */
export function parsePath(path: string): AbsolutePath {
  const drive = /^([A-Za-z]):[\\/]/.exec(path);
  if (drive) return { root: `${drive[1]?.toUpperCase()}:`, parts: normalise(path.slice(3).split(/[\\/]/)) };
  if (path.startsWith('\\\\')) {
    const [server = '', share = '', ...rest] = path.slice(2).split(/[\\/]/);
    return { root: `//${server}/${share}`, parts: normalise(rest) };
  }
  return { root: '', parts: normalise(path.split('/')) };
}

function normalise(parts: readonly string[]): string[] {
  const kept: string[] = [];
  for (const part of parts) {
    if (part === '' || part === '.') continue;
    if (part === '..') kept.pop();
    else kept.push(part);
  }
  return kept;
}

/** The folder that holds a path. */
export function parentOf(path: AbsolutePath): AbsolutePath {
  return { root: path.root, parts: path.parts.slice(0, -1) };
}

/** One string per place, to compare and to key by. */
export function keyOf(path: AbsolutePath): string {
  return `${path.root}/${path.parts.join('/')}`;
}

/** Whether `path` is `folder` or lies below it. */
export function isWithin(path: AbsolutePath, folder: AbsolutePath): boolean {
  return (
    path.root === folder.root &&
    path.parts.length >= folder.parts.length &&
    folder.parts.every((part, index) => path.parts[index] === part)
  );
}

/** The deepest folder that holds all of `folders`, which must share a root. */
export function commonFolder(folders: readonly AbsolutePath[]): AbsolutePath {
  const [first, ...rest] = folders;
  if (!first) throw new RangeError('commonFolder needs at least one folder');
  let depth = first.parts.length;
  for (const folder of rest) {
    let shared = 0;
    while (shared < depth && folder.parts[shared] === first.parts[shared]) shared += 1;
    depth = shared;
  }
  return { root: first.root, parts: first.parts.slice(0, depth) };
}
