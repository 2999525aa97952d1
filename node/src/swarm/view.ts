import {
  compareText,
  JOB_ENDS,
  type BlobHash,
  type JobView,
  type NodeView,
  type PeerId,
  type SwarmComing,
  type SwarmReport,
  type SwarmView,
} from '@cuadro/protocol';
import type { Reports } from './interface.ts';
import { swarmWatchLimits as limits } from './limits.ts';

type Fetching = SwarmReport['fetching'][number];

/** A job that is looked at, with what its record says of its scene. */
export interface SwarmJob {
  readonly view: Pick<JobView, 'id' | 'order' | 'name' | 'state' | 'oneCopyOnly' | 'onlyOn'>;
  readonly bundle: BlobHash | undefined;
  /** Who has the scene whole: by its record, or by its own claim. */
  readonly holders: readonly PeerId[];
}

/** All that the view is made of. */
export interface SwarmFacts {
  readonly nodes: readonly Pick<NodeView, 'peer' | 'name' | 'here'>[];
  readonly reports: Reports;
  /** The newest first. */
  readonly jobs: readonly SwarmJob[];
}

/** Makes what people see of what machines tell and records say (SPEC R184). */
export function swarmView(facts: SwarmFacts): SwarmView {
  const names = new Map(facts.nodes.map(({ peer, name }) => [peer, name]));
  const nameOf = (peer: PeerId): string => names.get(peer) ?? `…${peer.slice(-6)}`;
  const flows = flowsOf(facts.reports, nameOf);
  return {
    machines: machinesOf(facts, flows, nameOf),
    flows: flows.slice(0, limits.flowsTold),
    flowsLeftOut: Math.max(0, flows.length - limits.flowsTold),
    bundles: bundlesOf(facts, nameOf),
    single: singleOf(facts.jobs),
  };
}

type NameOf = (peer: PeerId) => string;
type Flow = SwarmView['flows'][number];

/** Each flow is told once, by whom it comes to. */
function flowsOf(reports: Reports, nameOf: NameOf): Flow[] {
  const flows: Flow[] = [];
  for (const [to, { from: sources }] of reports) {
    for (const { peer: from, bytesPerSecond } of sources)
      flows.push({ from, fromName: nameOf(from), to, toName: nameOf(to), bytesPerSecond });
  }
  return flows.sort((a, b) => b.bytesPerSecond - a.bytesPerSecond);
}

function machinesOf(
  { nodes, reports }: SwarmFacts,
  flows: readonly Flow[],
  nameOf: NameOf,
): SwarmView['machines'] {
  const sums = new Map(nodes.map(({ peer }) => [peer, { receives: 0, sends: 0 }]));
  for (const { from, to, bytesPerSecond } of flows) {
    const [giver, taker] = [sums.get(from), sums.get(to)];
    if (giver !== undefined) giver.sends += bytesPerSecond;
    if (taker !== undefined) taker.receives += bytesPerSecond;
  }
  const inOrder = nodes.toSorted((a, b) => Number(b.here) - Number(a.here) || compareText(a.name, b.name));
  return inOrder.map(({ peer, name, here }) => {
    const report = reports.get(peer);
    const { results = 0, jobs = 0, logs = 0, asked = 0 } = report?.copies ?? {};
    const { receives = 0, sends = 0 } = sums.get(peer) ?? {};
    return {
      ...{ peer, name, here, told: report !== undefined },
      receivesPerSecond: receives,
      sendsPerSecond: sends,
      copies: { results, jobs, logs, asked },
      notes: report === undefined ? [] : notesOf(report, nameOf),
    };
  });
}

function notesOf({ full, shunned }: SwarmReport, nameOf: NameOf): string[] {
  const notes = full ? ['Its store takes nothing more.'] : [];
  if (shunned.length > 0)
    notes.push(`It asks ${listed(shunned, nameOf)} for nothing for a while: what came did not fit.`);
  return notes;
}

function bundlesOf({ nodes, reports, jobs }: SwarmFacts, nameOf: NameOf): SwarmView['bundles'] {
  const fetched = new Map<BlobHash, { peer: PeerId; fetching: Fetching }[]>();
  for (const [peer, { fetching }] of reports) {
    for (const each of fetching) {
      const known = fetched.get(each.bundle);
      if (known === undefined) fetched.set(each.bundle, [{ peer, fetching: each }]);
      else known.push({ peer, fetching: each });
    }
  }
  const byBundle = new Map<BlobHash, SwarmJob[]>([...fetched.keys()].map((bundle) => [bundle, []]));
  for (const job of jobs) {
    const { bundle } = job;
    if (bundle === undefined || (JOB_ENDS.has(job.view.state) && !fetched.has(bundle))) continue;
    const known = byBundle.get(bundle);
    if (known === undefined) byBundle.set(bundle, [job]);
    else known.push(job);
  }
  const members = new Set(nodes.map(({ peer }) => peer));
  // Those that travel stand first: they are what the page is looked at for.
  return [...byBundle].slice(0, limits.bundlesTold).map(([bundle, of]) => {
    const coming = fetched.get(bundle) ?? [];
    const lacking = new Set(coming.map(({ peer }) => peer));
    const whole = new Set(of.flatMap(({ holders }) => holders));
    const has = [...whole].filter((peer) => members.has(peer) && !lacking.has(peer)).map(nameOf);
    return {
      bundle,
      jobs: of.map(({ view: { id, order, name } }) => ({ job: id, order, name })),
      whole: { machines: has.length, names: has.sort(compareText).slice(0, limits.wholeNamed) },
      coming: coming
        .map(({ peer, fetching }) => comingOf(peer, fetching, nameOf))
        .sort((a, b) => compareText(a.name, b.name)),
    };
  });
}

function comingOf(peer: PeerId, fetching: Fetching, nameOf: NameOf): SwarmComing {
  const { sizeBytes, doneBytes, files, doneFiles, from } = fetching;
  const why = whyOf(fetching, nameOf);
  return {
    ...{ peer, name: nameOf(peer), sizeBytes, doneBytes, files, doneFiles },
    bytesPerSecond: from.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0),
    from: from.map(({ peer: source, bytesPerSecond }) => ({
      peer: source,
      name: nameOf(source),
      bytesPerSecond,
    })),
    ...(why !== undefined && { why }),
  };
}

function whyOf({ lack, awaited }: Fetching, nameOf: NameOf): string | undefined {
  switch (lack) {
    case undefined:
      return undefined;
    case 'unreachable':
      return awaited.length === 0
        ? 'No machine within reach has what is missing.'
        : `What is missing is out of reach: it waits for ${listed(awaited, nameOf)}.`;
    case 'no-room':
      return 'There is no room for what is missing.';
    case 'failed':
      return 'What is missing could not be taken in; the log of that machine says why.';
  }
}

/** `a`, `a or b`, `a, b, c or 4 others`. */
function listed(peers: readonly PeerId[], nameOf: NameOf): string {
  const names = peers.slice(0, limits.sentenceNames).map(nameOf);
  const left = peers.length - names.length;
  const last = left > 0 ? `${left} ${left === 1 ? 'other' : 'others'}` : names.pop();
  return names.length === 0 ? String(last) : `${names.join(', ')} or ${last}`;
}

function singleOf(jobs: readonly SwarmJob[]): SwarmView['single'] {
  return jobs
    .filter(({ view }) => view.oneCopyOnly > 0 || view.onlyOn.some(({ scene }) => scene))
    .map(({ view: { id, order, name, oneCopyOnly, onlyOn } }) => ({
      ...{ job: id, order, name, results: oneCopyOnly },
      scene: onlyOn.some(({ scene }) => scene),
      on: onlyOn.map(({ machine }) => machine),
    }));
}
