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
  /** Where one rule is kept in two places, the other. */
  readonly also?: Edit;
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
    name: 'the clock decides which result counts',
    file: 'protocol/src/derive.ts',
    from: 'return compareAttempts(a.attempt, b.attempt) < 0;',
    to: 'return a.wallTime > b.wallTime;',
    within: 60,
  },
  {
    name: 'a lost connection ends leases at once',
    file: `${CORE}/leases.ts`,
    from: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  // Who is capable',
    to: '  setReachable(machine, false, state.now);\n  reachChanged(state, false);\n  for (const lease of [...machine.leases.values()]) releaseLease(state, machine, lease);\n  // Who is capable',
    within: 20,
  },
  {
    name: 'grants of any epoch are obeyed',
    file: `${CORE}/worker-side.ts`,
    from: 'if (!this.obeys(epoch) || !ofEpoch || this.#held.has(key)) return false;',
    to: 'if (!ofEpoch || this.#held.has(key)) return false;',
    also: {
      file: `${CORE}/own-work.ts`,
      from: 'if (!obeys(state, from, epoch)) return;\n  const machine',
      to: 'const machine',
    },
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
    name: 'a copy is promised without its record',
    file: `${REPLICAS}/holding.ts`,
    from: 'await this.#merges.add(held);\n    return { counter };',
    to: 'return { counter };',
    within: 10,
  },
  {
    name: 'a job is held without its plan',
    file: `${REPLICAS}/holding.ts`,
    from: 'await this.#fetch(record.id, [{ hash: plan }], options);',
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
];
