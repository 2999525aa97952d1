import { FOUNDED, type Plant } from './plant.ts';

const REPLICAS = 'node/src/replicas';

/** Mistakes about who holds what: second copies, pins, holders that are gone, and machines that leave. */
export const COPY_PLANTS: readonly Plant[] = [
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
    name: 'a copy counts as the second one although the first was found damaged meanwhile',
    breaks: 1,
    file: `${REPLICAS}/holding.ts`,
    from: 'isHeldByTwo(holders, now, queries.removed())',
    to: 'isHeldByTwo(holders, undefined, queries.removed())',
    // The damage has to be read, and told, while the copy is under way.
    profile: {
      ...FOUNDED,
      ...{ machines: 4, slots: 2, jobs: 10, taskMs: 1_500 },
      ...{ faultyMs: 100_000, faultEveryMs: 9_000, rotsInCopies: true },
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
    from: '    await this.#files.fetch(record.job, needed, options);\n    this.#requireJob(record.job);\n    const of',
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
    file: `${REPLICAS}/job-copy.ts`,
    from: 'await files.fetch(record.id, [{ hash: plan }], fetching);',
    to: '',
    within: 10,
    isQuick: true,
  },
  {
    name: 'a job is accepted before its second copy',
    breaks: 1,
    file: `${REPLICAS}/acknowledging.ts`,
    from: 'return record === undefined ? 1 : jobHolders(record, this.#init.peers.isLive).length;',
    to: 'return record === undefined ? 1 : 1 + jobHolders(record, this.#init.peers.isLive).length;',
    within: 10,
    isQuick: true,
  },
  {
    name: 'a job of which each machine holds another part stays so',
    breaks: 1,
    file: `${REPLICAS}/needs.ts`,
    from: 'return jobHolders(job, isLive).length === 0;',
    to: 'return false;',
    // Each has to find its part damaged before the other has taken it again.
    profile: { ...FOUNDED, machines: 2, faultyMs: 120_000, faultEveryMs: 600 },
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
    isQuick: true,
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
    name: 'a machine accepts a job after its last word',
    breaks: 1,
    file: 'node/src/jobs/leaving.ts',
    from: "throw new CuadroError('machine-leaving', { farm: farm.name.value });",
    to: '',
    // That word has to be taken late, by one that stood still, and somebody there has to submit a job before.
    profile: { ...FOUNDED, machines: 3, leaves: 2, jobs: 60, actEveryMs: 300, faultEveryMs: 1_200 },
    within: 60,
  },
  {
    name: 'the last word of a machine that left is passed on by nobody',
    breaks: 'replicas converge',
    file: `${REPLICAS}/holding.ts`,
    from: 'this.#components.learned(this.#stream.peer);',
    to: '',
    // All others hear of it by way of their coordinator, which is far off; and little else may come to be known meanwhile.
    profile: {
      ...FOUNDED,
      ...{ machines: 6, slots: 1, leaves: 3, jobs: 2, taskMs: 30_000, actEveryMs: 20_000 },
      ...{ faultyMs: 60_000, faultEveryMs: 9_900, leadsFromAfar: true },
    },
    within: 40,
  },
  {
    name: 'a word that one machine holds is said to be on two',
    breaks: 'leaving',
    file: `${REPLICAS}/copies.ts`,
    from: "if (await held.promise) return { machines: 2, others: 'enough' };",
    to: "if ((await held.promise) || !this.alone()) return { machines: 2, others: 'enough' };",
    // Whoever wants a machine to leave is told how many hold that.
    profile: { ...FOUNDED, machines: 4, leaves: 2, actEveryMs: 500, faultEveryMs: 1_500 },
    within: 60,
  },
  {
    name: 'a removed holder still counts',
    breaks: 1,
    file: 'node/src/core/withdrawals.ts',
    from: 'if (entry?.held !== true) continue;',
    to: 'continue;',
    profile: { ...FOUNDED, machines: 4, removes: true },
    within: 20,
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
