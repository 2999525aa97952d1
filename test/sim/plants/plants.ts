import type { Profile } from '../profile.ts';
import { POWER_PLANTS } from './power-plants.ts';

/** A change of one file. */
export interface Edit {
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

/** A mistake put into a copy of the sources, to see that the simulator finds it. */
export interface Plant extends Edit {
  readonly name: string;
  /** Which of the six promises of DESIGN.md section 1, or which rule that a checker watches beside them. */
  readonly breaks: 1 | 2 | 3 | 4 | 5 | 6 | string;
  /** Where one rule is kept in two places, the other. */
  readonly also?: Edit;
  /** Which simulator finds it: whole farms, or the content store on a disk that loses power. */
  readonly simulator?: 'farm' | 'power';
  /** Farms of one kind, where only these show it. */
  readonly profile?: Partial<Profile>;
  /** Seeds within which it must be found. */
  readonly within: number;
  /** Found so soon that the tests try it each time; the others are tried by `npm run sim:plants`. */
  readonly isQuick?: boolean;
}

const CORE = 'node/src/core';
const REPLICAS = 'node/src/replicas';

/** A farm of which nobody is lost, and whose machines know each other from the begin. */
const FOUNDED: Partial<Profile> = {
  isFounded: true,
  isSplit: false,
  destroys: false,
  removes: false,
  joins: false,
  leaves: 0,
  staysOff: false,
};

const FARM_PLANTS: readonly Plant[] = [
  {
    name: 'an older redo wins a merge',
    breaks: 5,
    file: 'protocol/src/merge.ts',
    from: 'return a.redo > b.redo ? a : b;',
    to: 'return a.redo < b.redo ? a : b;',
    within: 40,
    isQuick: true,
  },
  {
    name: 'who is merged last decides whether a result is done',
    breaks: 5,
    file: 'protocol/src/merge.ts',
    from: "state: (x: string, y: string) => (x === 'done' || y === 'done' ? 'done' : 'rendered'),",
    to: 'state: (_: string, y: string) => y,',
    within: 45,
  },
  {
    name: 'the clock decides which result counts',
    breaks: 5,
    file: 'protocol/src/derive.ts',
    from: 'return compareAttempts(a.attempt, b.attempt) < 0;',
    to: 'return a.wallTime > b.wallTime;',
    within: 60,
    isQuick: true,
  },
  {
    name: 'a lost connection ends leases at once',
    breaks: 'no two at once',
    file: `${CORE}/leases.ts`,
    from: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  // Who is capable',
    to: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  for (const lease of [...machine.leases.values()]) releaseLease(state, machine, lease);\n  // Who is capable',
    within: 20,
  },
  {
    name: 'grants of any epoch are obeyed',
    breaks: 'no older epoch',
    file: `${CORE}/worker-side.ts`,
    from: 'if (!this.obeys(epoch) || !ofEpoch || this.#held.has(key)) return false;',
    to: 'if (!ofEpoch || this.#held.has(key)) return false;',
    also: {
      file: `${CORE}/own-work.ts`,
      from: 'if (!obeys(state, from, epoch)) return;\n  const machine',
      to: 'const machine',
    },
    within: 60,
    isQuick: true,
  },
  {
    name: 'a coordinator does not step down',
    breaks: 'one coordinator',
    file: `${CORE}/election.ts`,
    from: 'else if (compareEpochs(pulse.epoch, reign.epoch) > 0) yieldTo(state, reign, pulse);',
    to: 'else if (pulse.epoch.term < 0) yieldTo(state, reign, pulse);',
    within: 20,
  },
  {
    name: 'the term is not kept',
    breaks: 'attempts',
    file: 'node/src/driver.ts',
    from: 'if (effect.term !== undefined) batch.term = effect.term;',
    to: '',
    within: 60,
  },
  {
    name: 'effects come before what they stand on is durable',
    breaks: 1,
    file: 'node/src/driver.ts',
    from: 'const batch = withoutRepeats(group.batch);',
    to: 'const batch = withoutRepeats(group.batch);\n    this.#finish(group);\n    group.effects = [];\n    group.waiters = [];',
    within: 100,
    isQuick: true,
  },
  {
    name: 'done before the second copy',
    breaks: 1,
    file: `${REPLICAS}/needs.ts`,
    from: 'return by.length >= 2 && by[0] === self;',
    to: 'return by.length >= 1 && by[0] === self;',
    within: 5,
    isQuick: true,
  },
  {
    name: 'a copy is promised without its files',
    breaks: 1,
    file: `${REPLICAS}/holding.ts`,
    from: 'if (needed.length > 0) await this.#files.fetch(record.job, needed, options);',
    to: '',
    // The look before the answer would have them after all (SPEC R139).
    also: {
      file: `${REPLICAS}/holding.ts`,
      from: 'if (needed.length > 0) await this.#assertHere(record.job, { needed, options, withdraw });',
      to: '',
    },
    within: 10,
    isQuick: true,
  },
  {
    name: 'a copy is promised without its record',
    breaks: 1,
    file: `${REPLICAS}/holding.ts`,
    from: 'await this.#merges.add(held);\n    const withdraw',
    to: 'const withdraw',
    within: 10,
    isQuick: true,
  },
  {
    name: 'a log of a failure gets no second copy',
    breaks: 'logs',
    file: `${REPLICAS}/copies.ts`,
    from: 'this.#logs.offer(ask);',
    to: '',
    within: 20,
  },
  {
    name: 'a log is promised without its bytes',
    breaks: 'logs',
    file: `${REPLICAS}/holding.ts`,
    from: '    await this.#files.fetch(record.job, needed, options);\n    const of',
    to: '    const of',
    also: {
      file: `${REPLICAS}/holding.ts`,
      from: '    await this.#assertHere(record.job, { needed, options, withdraw });\n    return { counter };\n  }\n\n  /** A result',
      to: '    return { counter };\n  }\n\n  /** A result',
    },
    within: 20,
  },
  {
    name: 'a job is held without its plan',
    breaks: 1,
    file: `${REPLICAS}/holding.ts`,
    from: 'await this.#files.fetch(record.id, [{ hash: plan }], options);',
    to: '',
    within: 10,
    isQuick: true,
  },
  {
    name: 'a job is accepted before its second copy',
    breaks: 1,
    file: `${REPLICAS}/copies.ts`,
    from: 'return record === undefined ? 1 : jobHolders(record, this.#peers.isLive).length;',
    to: 'return record === undefined ? 1 : 1 + jobHolders(record, this.#peers.isLive).length;',
    within: 10,
    isQuick: true,
  },
  {
    name: 'an exchange skips a bucket',
    breaks: 4,
    file: `${REPLICAS}/opener.ts`,
    from: '.filter((bucket) => !sameDigest(theirs.get(bucket)?.digest, ours.get(bucket)?.digest))',
    to: '.filter((bucket) => bucket !== 0 && !sameDigest(theirs.get(bucket)?.digest, ours.get(bucket)?.digest))',
    within: 40,
    isQuick: true,
  },
  {
    name: 'replicas that differ are left so',
    breaks: 4,
    file: `${REPLICAS}/schedule.ts`,
    from: 'since + DIFFERENCE_MS,',
    to: 'since + 1_000 * DIFFERENCE_MS,',
    within: 100,
  },
  {
    name: 'a requeue names more than it was asked for',
    breaks: 5,
    file: 'node/src/jobs/control.ts',
    from: 'const discarded = chosen.filter(hasResult);',
    to: 'const discarded = [...chosen, ...chosen.map((index) => Math.max(0, index - 1))].filter(hasResult);',
    within: 40,
    isQuick: true,
  },
  {
    name: 'leases never end',
    breaks: 'leases end',
    file: `${CORE}/leases.ts`,
    from: 'if (deadline === undefined || deadline > state.now) continue;\n    loseMachine(state, machine);',
    to: 'if (deadline === undefined || deadline > state.now) continue;',
    within: 20,
  },
  {
    name: 'pins are dropped at a start, and not made again',
    breaks: 1,
    file: 'node/src/jobs/pins.ts',
    from: 'record === undefined ? this.#isComplete : record.deleted !== undefined;',
    to: 'record === undefined ? this.#isComplete : record.deleted === undefined;',
    // What the records promise is pinned at a start again (SPEC R171), which mends the mistake before it can harm.
    also: { file: 'node/src/jobs/copy-watch.ts', from: '    await this.#pinPromised();\n', to: '' },
    within: 40,
  },
  {
    name: 'nobody stands after the leaderless time',
    breaks: 'somebody leads',
    file: `${CORE}/election.ts`,
    from: 'return Math.min(successorTime(state, reign), leaderlessTime(state, reign));',
    to: 'return successorTime(state, reign);',
    // A pulse names five successors: a seventh machine is none, and is cut off alone now and then.
    profile: { ...FOUNDED, machines: 7, faultyMs: 120_000, faultEveryMs: 8_000 },
    within: 60,
  },
  {
    name: 'what fails everywhere is tried for ever',
    breaks: 2,
    file: `${CORE}/failure-policy.ts`,
    from: "if (countOf(record, 'failed') >= options.attemptsMax)",
    to: "if (countOf(record, 'failed') >= 1_000)",
    within: 20,
    isQuick: true,
  },
  {
    name: 'what takes machines down goes round for ever',
    breaks: 2,
    file: `${CORE}/failure-policy.ts`,
    from: "if (countOf(record, 'lost') < options.lostMax) return undefined;",
    to: 'return undefined;',
    within: 100,
  },
  {
    name: 'a retry discards results',
    breaks: 5,
    file: 'protocol/src/merge.ts',
    from: 'return mergeByRules(higher, atRetry(lower, higher.retry), TASK_RULES);',
    to: 'return higher;',
    within: 40,
  },
  {
    name: 'what is done is granted again',
    breaks: 'no needless work',
    file: `${CORE}/tasks.ts`,
    from: 'return this.#codes[index] === OPEN;\n  }\n\n  /** The first task that is open',
    to: 'return true;\n  }\n\n  /** The first task that is open',
    within: 20,
  },
  {
    name: 'beacons that were held up count one by one',
    breaks: 'no two at once',
    file: `${CORE}/leases.ts`,
    from: 'if (!isFreed && sinceMs < state.options.beaconIntervalMs / 2) continue;',
    to: '',
    within: 60,
  },
  {
    name: 'removed members stay connected',
    breaks: 3,
    file: 'node/src/farm/farm.ts',
    from: 'const members = [...roster.members.keys()].sort();',
    to: 'const members = [...roster.records.keys()].sort();',
    // One that is honest ends its connections itself as soon as it hears of its removal.
    profile: { ...FOUNDED, machines: 4, removes: true, isStubborn: true },
    within: 20,
  },
  {
    name: 'a machine leaves before others have taken what it holds',
    breaks: 1,
    file: `${REPLICAS}/departure.ts`,
    from: 'return copies.leaving.isWhole() && results + jobs + logs + asked === 0;',
    to: 'return copies.leaving.isWhole() && results + jobs + logs + asked >= 0;',
    // Little is with one machine alone at any time, and that one has to be the one that leaves.
    profile: { ...FOUNDED, machines: 4, leaves: 2, slots: 2, taskMs: 1_500 },
    within: 60,
  },
  {
    name: 'a word that one machine holds is said to be on two',
    breaks: 'leaving',
    file: `${REPLICAS}/copies.ts`,
    from: "if (await held.promise) return { machines: 2, others: 'enough' };",
    to: "if ((await held.promise) || !this.alone()) return { machines: 2, others: 'enough' };",
    // Whoever wants a machine to leave is told how many hold that.
    profile: { ...FOUNDED, machines: 4, leaves: 2 },
    within: 60,
  },
  {
    name: 'fewer followers unseat more',
    breaks: 'the incumbent stays',
    file: `${CORE}/election.ts`,
    from: 'Math.min(reign.followers, following) - pulse.followers ||',
    to: 'pulse.followers - Math.min(reign.followers, following) ||',
    within: 40,
  },
  {
    name: 'the longer reign stays, whoever is followed',
    breaks: 'the incumbent stays',
    file: `${CORE}/election.ts`,
    from: 'Math.min(reign.followers, following) - pulse.followers ||',
    to: '',
    within: 60,
  },
  {
    name: 'a node never doubts itself',
    breaks: 'false accusation',
    file: 'node/src/driver.ts',
    from: 'if (!(lateMs >= GAP_MS)) return false;',
    to: 'if (!(lateMs >= GAP_MS) || lateMs > 0) return false;',
    within: 60,
  },
  {
    name: 'a node doubts itself only at its wake',
    breaks: 'false accusation',
    file: 'node/src/driver.ts',
    from: 'this.#takeGap();\n    this.#step(input);',
    to: 'this.#step(input);',
    within: 100,
  },
  {
    name: 'ends of pauses of before wake a new coordinator',
    breaks: 'asks first',
    file: `${CORE}/leases.ts`,
    from: 'reign.collecting === undefined ? state.pauses.peek() : undefined;',
    to: 'state.pauses.peek();',
    within: 60,
  },
  {
    name: 'leases of jobs without a plan are forgotten',
    breaks: 'no two at once',
    file: `${CORE}/records-in.ts`,
    from: 'placeListed(state, job);\n',
    to: '',
    within: 250,
  },
  {
    name: 'a coordinator that slept keeps its followers',
    breaks: 'the incumbent stays',
    file: `${CORE}/doubt.ts`,
    from: 'if (ms >= state.options.pulseIntervalMs * state.options.pulsesMissedMax) forgetFollowers(state, reign);',
    to: '',
    // Where it slept for so long that its connections ended, those on new ones prove themselves anew as well.
    also: {
      file: `${CORE}/leases.ts`,
      from: '  state.connectionChanged(peer, false);\n  delete machine.isProven;\n',
      to: '  state.connectionChanged(peer, false);\n',
    },
    // It has to sleep for long, while the next one and most of those that follow it have a calm time.
    profile: { ...FOUNDED, machines: 5, faultyMs: 120_000, faultEveryMs: 9_500 },
    within: 150,
  },
  {
    name: 'who follows another counts as vanished',
    breaks: 'false accusation',
    file: `${CORE}/leases.ts`,
    from: 'if (ran && !isElsewhere(state, machine)) recordLost(state, lease);',
    to: 'if (ran) recordLost(state, lease);',
    within: 300,
  },
  {
    name: 'a removed holder still counts',
    breaks: 1,
    file: `${CORE}/withdrawals.ts`,
    from: 'if (entry?.held !== true) continue;',
    to: 'continue;',
    profile: { ...FOUNDED, machines: 4, removes: true },
    within: 20,
  },
  {
    name: 'a new coordinator asks nobody what they hold',
    breaks: 'asks first',
    file: `${CORE}/election.ts`,
    from: 'if (peers.length === 0 || until <= state.now) return;',
    to: 'if (peers.length <= 1_000 || until <= state.now) return;',
    within: 40,
  },
  {
    name: 'a damaged copy still counts',
    breaks: 1,
    file: 'node/src/jobs/copy-watch.ts',
    from: 'if (changes.length === 0) return;',
    to: 'if (changes.length >= 0) return;',
    within: 120,
  },
];

export const PLANTS: readonly Plant[] = [...FARM_PLANTS, ...POWER_PLANTS];
