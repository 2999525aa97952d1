/** A mistake put into a copy of the sources, to see that the simulator finds it. */
export interface Plant {
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** Seeds within which it must be found. */
  readonly within: number;
}

const CORE = 'node/src/core';
const REPLICAS = 'node/src/replicas';

export const PLANTS: readonly Plant[] = [
  {
    name: 'an older redo wins a merge',
    file: 'protocol/src/merge.ts',
    from: 'return a.redo > b.redo ? a : b;',
    to: 'return a.redo < b.redo ? a : b;',
    within: 40,
  },
  {
    name: 'a retry discards results',
    file: 'protocol/src/merge.ts',
    from: 'return { ...rest, retry, failures: {} };',
    to: 'return { ...rest, retry, failures: {}, results: {} };',
    within: 40,
  },
  {
    name: 'the clock decides which result counts',
    file: 'protocol/src/derive.ts',
    from: 'return compareAttempts(a.attempt, b.attempt) < 0;',
    to: 'return a.wallTime > b.wallTime;',
    within: 60,
  },
  {
    name: 'leases never end',
    file: `${CORE}/leases.ts`,
    from: 'if (deadline === undefined || deadline > state.now) continue;',
    to: 'if (deadline === undefined || deadline > 0) continue;',
    within: 20,
  },
  {
    name: 'a lost connection ends leases at once',
    file: `${CORE}/leases.ts`,
    from: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  // Who is capable',
    to: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  for (const lease of [...machine.leases.values()]) releaseLease(state, machine, lease);\n  // Who is capable',
    within: 20,
  },
  {
    name: 'beacons that were held up count as many',
    file: `${CORE}/leases.ts`,
    from: 'state.now - (lease.missedAt ?? Number.NEGATIVE_INFINITY) < state.options.beaconIntervalMs / 2',
    to: 'state.now < 0',
    within: 60,
  },
  {
    name: 'grants of any epoch are obeyed',
    file: `${CORE}/worker-side.ts`,
    from: 'if (!this.obeys(epoch) || !ofEpoch || this.#held.has(key)) return false;',
    to: 'if (!ofEpoch || this.#held.has(key)) return false;',
    within: 60,
  },
  {
    name: 'a coordinator does not step down',
    file: `${CORE}/election.ts`,
    from: 'else if (pulse.epoch.term > reign.epoch.term) yieldTo(state, reign, pulse);',
    to: 'else if (pulse.epoch.term < 0) yieldTo(state, reign, pulse);',
    within: 20,
  },
  {
    name: 'nobody stands after a long silence',
    file: `${CORE}/options.ts`,
    from: 'leaderlessMs: 5_000,',
    to: 'leaderlessMs: 5_000_000,',
    within: 40,
  },
  {
    name: 'a poisoned task is tried for ever',
    file: `${CORE}/options.ts`,
    from: 'attemptsMax: 3,',
    to: 'attemptsMax: 3_000,',
    within: 40,
  },
  {
    name: 'the term is not kept',
    file: 'node/src/driver.ts',
    from: 'if (effect.term !== undefined) batch.term = effect.term;',
    to: '',
    within: 60,
  },
  {
    name: 'effects come before what they stand on is durable',
    file: 'node/src/driver.ts',
    from: 'const batch = withoutRepeats(group.batch);',
    to: 'const batch = withoutRepeats(group.batch);\n    this.#finish(group);\n    group.effects = [];\n    group.waiters = [];',
    within: 60,
  },
  {
    name: 'done before the second copy',
    file: `${REPLICAS}/needs.ts`,
    from: 'return by.length >= 2 && by[0] === self;',
    to: 'return by.length >= 1 && by[0] === self;',
    within: 5,
  },
  {
    name: 'a copy is promised without its files',
    file: `${REPLICAS}/holding.ts`,
    from: 'if (needed.length > 0) await this.#fetch(record.job, needed, options);',
    to: '',
    within: 10,
  },
  {
    name: 'a job is accepted before its second copy',
    file: `${REPLICAS}/copies.ts`,
    from: 'return record === undefined ? 1 : jobHolders(record, this.#peers.isLive).length;',
    to: 'return record === undefined ? 1 : 1 + jobHolders(record, this.#peers.isLive).length;',
    within: 10,
  },
  {
    name: 'an exchange skips a bucket',
    file: `${REPLICAS}/opener.ts`,
    from: '.filter((bucket) => !sameDigest(theirs.get(bucket)?.digest, ours.get(bucket)?.digest))',
    to: '.filter((bucket) => bucket !== 0 && !sameDigest(theirs.get(bucket)?.digest, ours.get(bucket)?.digest))',
    within: 40,
  },
  {
    name: 'replicas that differ are left so',
    file: `${REPLICAS}/limits.ts`,
    from: 'export const DIFFERENCE_MS = 2_000;',
    to: 'export const DIFFERENCE_MS = 2_000_000;',
    within: 60,
  },
  {
    name: 'a requeue names more than it was asked for',
    file: 'node/src/jobs/control.ts',
    from: 'const discarded = chosen.filter(hasResult);',
    to: 'const discarded = [...chosen, ...chosen.map((index) => Math.max(0, index - 1))].filter(hasResult);',
    within: 40,
  },
  {
    name: 'what is done is granted again',
    file: `${CORE}/leases.ts`,
    from: '    const deadline = deadlineOf(state, machine);\n    if (deadline === undefined || deadline > state.now) continue;',
    to: '    const deadline = deadlineOf(state, machine);\n    for (const job of state.jobs.values()) for (const [index, { results }] of job.table.records) if (Object.keys(results).length > 0 && !job.leases.has(index) && machine.claim !== undefined && machine.reachable && machine.leases.size === 0) grantTask(state, machine, job, index);\n    if (deadline === undefined || deadline > state.now) continue;',
    within: 10,
  },
];
