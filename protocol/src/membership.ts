import { compareText, type PeerId } from './ids.ts';
import { admissionKey } from './records.ts';
import { markKey } from './standing.ts';
import type { FarmRecord, Leaving, MemberRecord, MemberRole, NodeRecord, Removal } from './records.ts';

/**
 * Who belongs to a farm is derived from its records alone, so that the order in which they arrive can't divide
 * the replicas (SPEC R63 to R66).
 */

/** One who belongs to the farm now. */
export interface FarmMember {
  peer: PeerId;
  name: string;
  role: MemberRole;
  /** Absent for the founder, the root of all admissions. */
  admittedBy?: PeerId;
  /** When, by the admitter's clock, for display. */
  wallTime?: number;
}

export interface RemovedMember {
  peer: PeerId;
  name: string;
  admittedBy?: PeerId;
  by: PeerId;
  reason: string;
  wallTime: number;
  /** Marks of the jobs that stand by its word, as any that removed it names them; undefined where one names none. */
  jobs?: ReadonlySet<string>;
}

export interface FarmMembers {
  members: ReadonlyMap<PeerId, FarmMember>;
  removed: ReadonlyMap<PeerId, RemovedMember>;
}

/** A removal with the one it is about. */
interface Removing {
  by: PeerId;
  target: PeerId;
  removal: Removal;
}

/** How one came to be a member: by whom, in which role, and how many steps from the founder. */
interface Entry {
  by: PeerId | undefined;
  role: MemberRole;
  depth: number;
}

type Tree = ReadonlyMap<PeerId, Entry>;
/** Who admitted whom, by the one who admits. */
type Edges = ReadonlyMap<PeerId, readonly { target: PeerId; role: MemberRole }[]>;

/**
 * The members of a farm, and those that were removed from it: a pure function of the records. The founder is the
 * root; whoever an artist among the members admitted to this farm is a member; a removal by one is final. What a
 * removed one signed counts only where a remover knew of it.
 */
export function members(farm: FarmRecord, records: Iterable<MemberRecord>): FarmMembers {
  const known = new Map<PeerId, MemberRecord>();
  for (const record of records) known.set(record.peer, record);
  const edges = edgesOf(farm, known);
  const { tree, removals } = settle(farm, edges, removalsOf(known));
  const now = new Map<PeerId, FarmMember>();
  const removed = new Map<PeerId, RemovedMember>();
  const gone = new Map(removals.map((removing) => [removing.target, removing]));
  for (const [peer, { by, role }] of tree) {
    const record = known.get(peer);
    const name = record?.name.value ?? `…${peer.slice(-6)}`;
    const removing = gone.get(peer);
    const admitter = by === undefined ? {} : { admittedBy: by };
    if (removing !== undefined) {
      const { reason, wallTime } = removing.removal;
      const jobs = jobsNamed(removals.filter(({ target }) => target === peer));
      removed.set(peer, {
        peer,
        name,
        ...admitter,
        by: removing.by,
        reason,
        wallTime,
        ...(jobs && { jobs }),
      });
      continue;
    }
    const admission =
      by === undefined ? undefined : record?.admissions[admissionKey({ author: by, farm: farm.id })];
    now.set(peer, {
      peer,
      name,
      role,
      ...admitter,
      ...(admission !== undefined && { wallTime: admission.wallTime }),
    });
  }
  return { members: now, removed };
}

/** What any of those that removed one knew counts (SPEC R64); a removal without a list says nothing against any job. */
function jobsNamed(removals: readonly Removing[]): ReadonlySet<string> | undefined {
  const named = new Set<string>();
  for (const { removal } of removals) {
    if (removal.jobs === undefined) return undefined;
    for (const mark of removal.jobs) named.add(markKey(mark));
  }
  return named;
}

function edgesOf(farm: FarmRecord, known: ReadonlyMap<PeerId, MemberRecord>): Edges {
  const edges = new Map<PeerId, { target: PeerId; role: MemberRole }[]>();
  for (const target of [...known.keys()].sort(compareText)) {
    for (const { author, farm: to, role } of Object.values(known.get(target)?.admissions ?? {})) {
      if (to !== farm.id) continue;
      const admitted = edges.get(author) ?? [];
      edges.set(author, admitted);
      admitted.push({ target, role });
    }
  }
  return edges;
}

function removalsOf(known: ReadonlyMap<PeerId, MemberRecord>): Removing[] {
  return [...known.values()].flatMap(({ peer, removals }) =>
    Object.entries(removals).map(([by, removal]) => ({ by, target: peer, removal })),
  );
}

/**
 * Removals take effect one by one, that of the most senior author first (nearest to the founder, then the lower
 * peer id): so of two that remove each other without knowing it, one fixed one stays. Each is looked at once, so
 * this ends; one whose author turns out to be no member, or whose word is void, is dropped for good.
 */
function settle(
  farm: FarmRecord,
  edges: Edges,
  all: readonly Removing[],
): { tree: Tree; removals: readonly Removing[] } {
  let pending = [...all];
  let effective: Removing[] = [];
  for (;;) {
    const tree = admitted(farm, edges, effective);
    const counts = (removing: Removing): boolean =>
      mayRemove(tree, removing) &&
      isWordOf(
        removing.by,
        removing.target,
        effective.filter((other) => other !== removing),
      );
    const kept = effective.filter(counts);
    if (kept.length < effective.length) {
      effective = kept;
      continue;
    }
    const next = pending
      .filter(counts)
      .sort(
        (a, b) =>
          (tree.get(a.by)?.depth ?? 0) - (tree.get(b.by)?.depth ?? 0) ||
          compareText(a.by, b.by) ||
          compareText(a.target, b.target),
      )[0];
    if (next === undefined) return { tree, removals: effective };
    pending = pending.filter((removing) => removing !== next);
    effective = [...effective, next];
  }
}

/** Artists remove others; whoever is a member may leave (SPEC R160). */
function mayRemove(tree: Tree, { by, target }: Removing): boolean {
  return tree.get(by)?.role === 'artist' || (by === target && tree.has(by));
}

/** Whether what `author` signed about `target` counts: always, unless it was removed by ones that knew nothing of it. */
function isWordOf(author: PeerId, target: PeerId, removals: readonly Removing[]): boolean {
  const against = removals.filter((removing) => removing.target === author);
  return against.length === 0 || against.some(({ removal }) => removal.stands?.includes(target) === true);
}

/** Everyone who was ever admitted by an artist that was; first the artists, level by level, then the machines. */
function admitted(farm: FarmRecord, edges: Edges, removals: readonly Removing[]): Tree {
  const tree = new Map<PeerId, Entry>([[farm.founder, { by: undefined, role: 'artist', depth: 0 }]]);
  for (const role of ['artist', 'machine'] as const) {
    // The map grows while it is walked, so this goes level by level.
    for (const [by, entry] of tree) {
      if (entry.role !== 'artist') continue;
      for (const edge of edges.get(by) ?? []) {
        if (edge.role !== role || tree.has(edge.target)) continue;
        if (isWordOf(by, edge.target, removals)) tree.set(edge.target, { by, role, depth: entry.depth + 1 });
      }
    }
  }
  return tree;
}

/** Everyone that `peer` is known to have admitted or removed: what a removal of it must say stands (SPEC R64). */
export function wordsOf(peer: PeerId, records: Iterable<MemberRecord>): PeerId[] {
  const targets: PeerId[] = [];
  for (const record of records) {
    if (record.peer === peer) continue;
    const admitted = Object.values(record.admissions).some(({ author }) => author === peer);
    if (admitted || Object.hasOwn(record.removals, peer)) targets.push(record.peer);
  }
  return targets.sort(compareText);
}

/**
 * The member records by which others can tell that a peer is a member: its own and those of its admitters, up to
 * the founder.
 */
export function proofOf(
  farm: FarmRecord,
  records: ReadonlyMap<PeerId, MemberRecord>,
  peer: PeerId,
): MemberRecord[] {
  const { members: now, removed } = members(farm, records.values());
  const proof: MemberRecord[] = [];
  const seen = new Set<PeerId>();
  for (let at: PeerId | undefined = peer; at !== undefined && !seen.has(at); ) {
    seen.add(at);
    const record = records.get(at);
    if (record !== undefined) proof.push(record);
    at = (now.get(at) ?? removed.get(at))?.admittedBy;
  }
  return proof;
}

/** What a machine's record says of its leaving, where whoever wrote it may: the machine itself, or an artist (SPEC R161). */
export function leavingOf(
  now: ReadonlyMap<PeerId, Pick<FarmMember, 'role'>>,
  record: NodeRecord | undefined,
): Leaving | undefined {
  const field = record?.fields.leaving;
  if (record === undefined || field === undefined || !field.value.wanted) return undefined;
  return field.peer === record.peer || now.get(field.peer)?.role === 'artist' ? field.value : undefined;
}
