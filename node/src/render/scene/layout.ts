import type { BundleLayout, LayoutFile, RemapEntry, SceneReference, SceneTrace } from './interface.ts';
import { type AbsolutePath, commonFolder, isWithin, keyOf, parentOf, parsePath } from './paths.ts';

/** Where files lie that the scene names absolutely; a project that has such a folder itself gets another name. */
const OUTSIDE = '_outside';

/**
 * Files that name each other relatively, and so must keep their places towards each other: the scene and what
 * it names by `//`, or a library elsewhere and what that names by `//`.
 */
interface Group {
  files: Map<string, { path: AbsolutePath; source: string }>;
  /** Folders that the tree must reach up to, besides those of the files. */
  anchors: AbsolutePath[];
}

/** A group with its folder on this machine and that folder's place in the tree (empty: the tree's root). */
interface Placement {
  group: Group;
  folder: AbsolutePath;
  prefix: string[];
}

/**
 * Lays a scene and its files out as one tree. What is named relatively keeps its place, so nothing of it is
 * rewritten; what is named absolutely goes below `_outside/` (or keeps its place, when it lies in the scene's
 * own tree) and gets a remap entry. Files that are missing, or that a render does without, are left out.
 * Pure: reads no disk.
 */
export function layoutBundle(trace: SceneTrace): BundleLayout {
  const references = trace.references.filter(
    (reference) => reference.essential && reference.found.length > 0,
  );
  const groups = new Grouping();
  const main = groups.addFile(trace.blend);
  for (const reference of references) addReference(groups, reference);
  const placements = place(groups, main);
  const placementOf = (path: AbsolutePath): Placement => {
    const placement = placements.get(groups.find(keyOf(path)));
    if (!placement) throw new Error(`${keyOf(path)} has no place in the bundle`);
    return placement;
  };
  return {
    main: treePath(placementOf(parsePath(trace.blend)), parsePath(trace.blend)),
    files: layoutFiles(placements.values()),
    remap: remapEntries(references, placementOf),
  };
}

function addReference(groups: Grouping, reference: SceneReference): void {
  const [first, ...rest] = reference.found.map((file) => groups.addFile(file));
  if (first === undefined) return;
  for (const other of rest) groups.join(first, other);
  // Blender looks for the other frames, tiles and caches beside the path that the scene names.
  const named = parsePath(reference.path);
  groups.anchor(first, reference.span === 'folder' ? named : parentOf(named));
  if (reference.relative) groups.join(groups.addFile(reference.owner), first);
}

/** Disjoint sets of files (union by find, with the paths kept at the representative). */
class Grouping {
  readonly #parent = new Map<string, string>();
  readonly #groups = new Map<string, Group>();

  addFile(source: string): string {
    const path = parsePath(source);
    const key = keyOf(path);
    if (!this.#parent.has(key)) {
      this.#parent.set(key, key);
      this.#groups.set(key, { files: new Map([[key, { path, source }]]), anchors: [] });
    }
    return key;
  }

  find(key: string): string {
    let root = key;
    for (let parent = this.#parent.get(root); parent !== undefined && parent !== root; ) {
      root = parent;
      parent = this.#parent.get(root);
    }
    this.#parent.set(key, root);
    return root;
  }

  anchor(key: string, folder: AbsolutePath): void {
    this.#groups.get(this.find(key))?.anchors.push(folder);
  }

  join(a: string, b: string): void {
    const [one, other] = [this.find(a), this.find(b)];
    if (one === other) return;
    const [kept, gone] = [this.#groups.get(one), this.#groups.get(other)];
    if (!kept || !gone) throw new Error('joined files must have been added');
    const [large, small] = kept.files.size >= gone.files.size ? [one, other] : [other, one];
    const [target, source] = large === one ? [kept, gone] : [gone, kept];
    for (const [key, file] of source.files) target.files.set(key, file);
    target.anchors.push(...source.anchors);
    this.#groups.delete(small);
    this.#parent.set(small, large);
  }

  entries(): [string, Group][] {
    return [...this.#groups];
  }
}

/** Gives every group its folder in the tree, keyed by the group's representative. */
function place(groups: Grouping, main: string): Map<string, Placement> {
  const entries = groups.entries().map(([key, group]) => ({ key, group, folder: folderOf(group) }));
  const home = entries.find((entry) => entry.key === groups.find(main));
  if (!home) throw new Error('the scene itself is always placed');
  const inside = entries.filter((entry) => isWithin(entry.folder, home.folder));
  const outside = outsideName(
    inside.flatMap(({ group }) => [...group.files.values()]),
    home.folder,
  );
  const placements = new Map<string, Placement>();
  for (const { key, group } of inside) placements.set(key, { group, folder: home.folder, prefix: [] });
  const labels = new Map<string, string>();
  const taken = new Set<string>();
  for (const { key, group, folder } of entries) {
    if (placements.has(key)) continue;
    const label = labels.get(keyOf(folder)) ?? freeLabel(folder, taken);
    labels.set(keyOf(folder), label);
    placements.set(key, { group, folder, prefix: [outside, label] });
  }
  return placements;
}

function folderOf(group: Group): AbsolutePath {
  return commonFolder([...[...group.files.values()].map(({ path }) => parentOf(path)), ...group.anchors]);
}

function outsideName(files: readonly { path: AbsolutePath }[], home: AbsolutePath): string {
  const used = new Set(files.map(({ path }) => path.parts[home.parts.length]));
  let name = OUTSIDE;
  for (let number = 2; used.has(name); number += 1) name = `${OUTSIDE}-${number}`;
  return name;
}

/** The folder's own name, numbered where another outside folder has it; case is ignored, as some systems do. */
function freeLabel(folder: AbsolutePath, taken: Set<string>): string {
  const base = folder.parts.at(-1) ?? 'root';
  let label = base;
  for (let number = 2; taken.has(label.toLowerCase()); number += 1) label = `${base}-${number}`;
  taken.add(label.toLowerCase());
  return label;
}

function treePath(placement: Placement, path: AbsolutePath): string {
  return [...placement.prefix, ...path.parts.slice(placement.folder.parts.length)].join('/');
}

function layoutFiles(placements: Iterable<Placement>): LayoutFile[] {
  const files = new Map<string, LayoutFile>();
  for (const placement of placements) {
    for (const { path, source } of placement.group.files.values()) {
      const file = { path: treePath(placement, path), source };
      if (!files.has(file.path)) files.set(file.path, file);
    }
  }
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function remapEntries(
  references: readonly SceneReference[],
  placementOf: (path: AbsolutePath) => Placement,
): RemapEntry[] {
  const entries = new Map<string, RemapEntry>();
  for (const reference of references) {
    const [first] = reference.found;
    if (reference.relative || first === undefined) continue;
    const to = treePath(placementOf(parsePath(first)), parsePath(reference.path));
    entries.set(reference.written, { from: reference.written, to });
  }
  return [...entries.values()].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}
