import { compareText, heldBy, JOB_ENDS, safetyFrom, type JobView, type PeerId } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { BrainState } from './state.ts';
import { machineName } from './why.ts';

/** What would be lost with one machine, in figures and words (SPEC R58). */

type OnlyOn = JobView['onlyOn'][number];

/** What of a job only one machine holds, by machine. */
export function onlyOn(state: BrainState, job: Job): OnlyOn[] {
  const found = new Map<PeerId, OnlyOn>();
  const of = (peer: PeerId): OnlyOn => {
    const known = found.get(peer) ?? { peer, machine: machineName(state, peer), results: 0, scene: false };
    found.set(peer, known);
    return known;
  };
  const { plan, bundle } = job.record.holders;
  for (const holders of job.record.spec.bundle === undefined ? [plan] : [plan, bundle]) {
    const [only, ...others] = heldBy(holders);
    if (only !== undefined && others.length === 0) of(only).scene = true;
  }
  for (const [peer, results] of job.table.copies.alone()) of(peer).results = results;
  return [...found.values()].sort((a, b) => b.results - a.results || compareText(a.peer, b.peer));
}

/** What would be left without the machine that submitted the job. */
export function submitterSafety(state: BrainState, job: Job, only: readonly OnlyOn[]): JobView['safety'] {
  const submitter = job.record.spec.author;
  const safety = safetyFrom(job.record, job.table.copies.without(submitter), submitter);
  return { ...safety, sentence: sentenceOf(state, job, { safety, only }) };
}

function sentenceOf(
  state: BrainState,
  job: Job,
  { safety, only }: { safety: ReturnType<typeof safetyFrom>; only: readonly OnlyOn[] },
): string {
  const { author, bundle } = job.record.spec;
  const name = machineName(state, author);
  if (state.others().length === 0) return 'It is on one machine only: the farm has no other.';
  if (safety.machines > 0) {
    const { rendered, done } = job.table.counts;
    const isOver = JOB_ENDS.has(job.state);
    const results = rendered + done === 0 ? '' : ` and every result${isOver ? '' : ' so far'}`;
    const where = safety.machines === 2 ? 'two others' : 'one other machine';
    const whole = `${contentOf(bundle)}${results}`;
    return `Safe to switch off ${name}: ${whole} ${results === '' ? 'is' : 'are'} on ${where}.`;
  }
  const alone = only.find(({ peer }) => peer === author);
  return `Not yet safe to switch off ${name}: ${onlyThere(alone, contentOf(bundle))}.`;
}

/** What a job needs besides its results; the plan goes with the scene, and is no word of an artist's. */
const contentOf = (bundle: string | undefined): string =>
  bundle === undefined ? 'the job itself' : 'its scene';

/** `12 results and its scene are only there`. */
function onlyThere(only: OnlyOn | undefined, content: string): string {
  const { results = 0, scene = false } = only ?? {};
  const parts = [
    ...(results > 0 ? [results === 1 ? '1 result' : `${results} results`] : []),
    ...(scene ? [content] : []),
  ];
  if (parts.length === 0) return `no machine holds ${content} any more`;
  const isOne = parts.length === 1 && results < 2;
  return `${parts.join(' and ')} ${isOne ? 'is' : 'are'} only there`;
}
