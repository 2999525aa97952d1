import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Profile } from './profile.ts';
import { SimThread } from './spread.ts';

/** Three machines that know one another, and for long little goes wrong. */
const CALM: Partial<Profile> = {
  ...{ isFounded: true, isSplit: false, destroys: false, removes: false, joins: false, leaves: 0 },
  staysOff: false,
  ...{ machines: 3, faultyMs: 120_000, faultEveryMs: 8_000 },
};

/** Two of four machines leave, and one machine is off in the end. */
const LEAVING: Partial<Profile> = {
  ...{ isFounded: true, isSplit: false, destroys: false, removes: false, leaves: 2, staysOff: true },
  ...{ machines: 4, faultyMs: 40_000, jobs: 4 },
};

/** Two machines, of which one is off in the end. */
const ONE_OFF: Partial<Profile> = {
  ...{ isFounded: true, isSplit: false, destroys: false, removes: false, joins: false, leaves: 0 },
  ...{ machines: 2, staysOff: true },
};

/** Four machines with little work, to which much happens. */
const EVENTFUL: Partial<Profile> = {
  ...{ isFounded: true, isSplit: false, destroys: false },
  ...{ machines: 4, jobs: 6, faultEveryMs: 1_000 },
};

/** As the seed decides, and one machine is removed besides. */
const REMOVING: Partial<Profile> = { isFounded: true, isSplit: false, removes: true };

/**
 * Seeds that found something once, each with what was wrong. What a seed makes changes with the simulator, so each
 * mistake stands among the planted ones as well, where it must be found.
 */
const SEEDS: readonly { seed: bigint; was: string; profile?: Partial<Profile> }[] = [
  { seed: 21n, was: 'a new coordinator forgot what members said of jobs whose plans it had not' },
  {
    seed: 517n,
    was: 'an old pause woke a new coordinator, which took the lateness for a standstill of its own',
  },
  { seed: 177n, was: 'a member that answered and stayed with another coordinator was said to have vanished' },
  {
    seed: 18n,
    was: 'after a standstill another timer came before the wake, and all machines were lost at once',
  },
  { seed: 608n, was: 'a coordinator that slept unseated the one that its followers had chosen meanwhile' },
  { seed: 708n, was: 'a suspended coordinator weighed followers of half a minute ago' },
  { seed: 679n, was: 'answers that were held up freed a grant of a moment ago' },
  { seed: 535n, was: 'all machines that were on were set aside for a job' },
  { seed: 23n, was: 'a substitute that failed by chance took longer than the bound knew' },
  {
    seed: 23n,
    was: 'a machine was switched off that had deleted a job alone, and the scene that others still needed',
  },
  {
    seed: 23n,
    was: 'a slow disk held up the timer by which a node tells that it stood still',
    profile: CALM,
  },
  { seed: 350n, was: 'a member that never had a connection to its coordinator told nobody what it holds' },
  { seed: 367n, was: 'an old pulse that came by way of others was taken for a word that renews leases' },
  {
    seed: 392n,
    was: 'a coordinator that stood still while its disk wrote did not notice, and accused a member',
  },
  { seed: 593n, was: 'frames of a job whose scene nobody had kept their places from all other jobs' },
  {
    seed: 382n,
    was: 'the last words of a machine that was off came over a slow link, and its lease lasted from there',
  },
  { seed: 621n, was: 'what was decided before a removal was known went out after that for its write' },
  { seed: 620n, was: 'pulses of before a standstill, which waited for the disk, unseated the coordinator' },
  { seed: 676n, was: 'a beacon that a later one had overtaken freed a grant that was listed' },
  { seed: 1207n, was: 'a job was deleted at the only machine that knew of it, which was then switched off' },
  {
    seed: 1843n,
    was: 'a member that came back while a new coordinator asked was not asked, and its task granted twice',
  },
  {
    seed: 2764n,
    was: 'a task that had failed three times before its job came to be known was granted once more',
  },
  {
    seed: 2791n,
    was: 'a new coordinator that began what the one before had granted it was said to grant that',
  },
  { seed: 1829n, was: 'a link was said to be good while what a fault had held up was still to come on it' },
  { seed: 2492n, was: 'a result was said to be lost that a node killed amid its write had in memory only' },
  {
    seed: 3872n,
    was: 'a member that had gone to another coordinator was said to have vanished by one with a slow disk',
  },
  { seed: 4151n, was: 'a film waited for a task that it is not made from, whose machine was off' },
  {
    seed: 2912n,
    was: 'a done that nobody held for a while counted again, as it must, and was taken for a change to and fro',
  },
  {
    seed: 3089n,
    was: 'the answer of a lobby went to the next process of the machine, and an ended one wrote to its disk',
  },
  {
    seed: 4276n,
    was: 'after an exchange that went well its member waited for what had failed before the two were connected',
  },
  { seed: 7060n, was: 'a task was seen raised by a request whose job was still being written' },
  {
    seed: 7893n,
    was: 'a machine that had slept showed as done what the one that asked it had heard to be discarded',
  },
  {
    seed: 8484n,
    was: 'a done frame was said to be lost whose two holders had each another of its files damaged',
  },
  { seed: 262n, was: 'damage that the slow check found in the last moment was said to be left' },
  {
    seed: 4069n,
    was: 'two quick followers of a coordinator with a slow link differed for longer than 5 s',
  },
  {
    seed: 7440n,
    was: 'one learned from two what neither had from the other, and took both for knowing all of it',
  },
  { seed: 10_000n, was: 'a node was said to know of a removal before its disk had answered' },
  {
    seed: 9523n,
    was: 'a machine took itself for a member for ever whose admission was void by a removal, and led alone',
  },
  {
    seed: 3265n,
    was: 'a copy taken of a machine that was removed meanwhile was called the second, and the frame done',
  },
  {
    seed: 3927n,
    was: 'a machine was left off that alone had what a job needed, which had been deleted there only',
  },
  {
    seed: 856n,
    was: 'a film waited for ever for a frame whose holder was off, beside the substitute made of it',
  },
  {
    seed: 1788n,
    was: 'gossip came by the slow way from its origin alone, although quick neighbours had it, and replicas differed',
  },
  {
    seed: 5069n,
    was: 'a second disk was injured before the first was healed: a frame of which each holder lost another file',
  },
  {
    seed: 3903n,
    was: 'a job was said to be on one disk only whose second holder was destroyed while its answer was on the way',
  },
  {
    seed: 7041n,
    was: 'one beacon of a member that stays with another freed what it had listed, whose result was on its way',
  },
  {
    seed: 31n,
    was: 'a coordinator counted for a while whom another had by now, since that came over a slow way',
    profile: CALM,
  },
  {
    seed: 102n,
    was: 'a plan that an earlier job had as well, and that had rotted unread at its second holder, was said to be missing',
    profile: CALM,
  },
  { seed: 3954n, was: 'the same, for what a person set at a coordinator with a slow link to one member' },
  {
    seed: 30n,
    was: 'a machine was left off that alone knew of a job, whose plan others had for one of their own',
    profile: { faultEveryMs: 1_200 },
  },
  {
    seed: 1171n,
    was: 'who wanted a machine to leave had said it at one alone, which was then left off, and did not say it again',
  },
  { seed: 1732n, was: 'a machine was waited for to leave that was left off on its way out' },
  {
    seed: 5004n,
    was: 'two held a frame, of which one had left and the other, which alone knew that, was left off: the bound knew of one',
    profile: LEAVING,
  },
  {
    seed: 651n,
    was: 'one that was cut off was to know of a frame whose holders had left, and been switched off, meanwhile',
  },
  {
    seed: 4850n,
    was: 'the same, by one that had heard of the frame before the holder that keeps it had it',
  },
  {
    seed: 4518n,
    was: 'a done frame that one machine alone held, since the other had left, was waited for as if two held it',
  },
  {
    seed: 1467n,
    was: 'a node whose disk refused its write came back with the done of before, and was said to go to and fro',
  },
  {
    seed: 3100n,
    was: 'a machine that leaves accepted a job after its last word, of which it had heard no answer yet',
  },
  { seed: 7149n, was: 'the same, among five' },
  {
    seed: 6472n,
    was: 'the last word of a machine that was to stay after all was said to one that came later',
  },
  { seed: 8960n, was: 'a copy that nobody who is on had heard of, once more' },
  { seed: 9280n, was: 'a job accepted after a last word, once more' },
  {
    seed: 8607n,
    was: 'a machine was switched off whose node had ended behind a cut, and its neighbour held the connection for ever',
  },
  {
    seed: 3896n,
    was: 'a machine that others waited for was switched on again, and nobody took back that it was to drain',
  },
  {
    seed: 5613n,
    was: 'one that came to lead by the last word of the only other machine was to ask that one what it holds',
  },
  {
    seed: 20_122n,
    was: 'while the only machine that was on started again, nobody had anything to do, and nobody led',
    profile: ONE_OFF,
  },
  {
    seed: 4561n,
    was: 'a plan rotted at its only holder, as another machine had it as well: in its cache, which was swept away',
  },
  {
    seed: 3968n,
    was: 'a film that had waited for a frame out of reach when its coordinator yielded was granted in no later reign of that',
  },
  {
    seed: 5419n,
    was: 'a task that a person requeued while its frame was out of reach was granted in no later reign of that coordinator',
  },
  {
    seed: 23n,
    was: 'a machine was switched off for good that alone had a frame, since the other holder had been removed',
    profile: REMOVING,
  },
  { seed: 44n, was: 'the same, where it had slept since that removal', profile: REMOVING },
  {
    seed: 103n,
    was: 'one machine was removed 45 ms after another was destroyed, and both had held the same frame',
    profile: REMOVING,
  },
  {
    seed: 2n,
    was: 'a disk was destroyed that alone had the frames of a machine that had left while the third slept',
    profile: { ...REMOVING, destroys: true },
  },
  {
    seed: 81n,
    was: 'a coordinator that slept while it waited for answers granted when a third of that wait was over',
    profile: { addsSleep: true },
  },
  {
    seed: 941n,
    was: 'a task that came before its job was in no digest after a start, and went to nobody once its job was there',
  },
  {
    seed: 579n,
    was: 'a machine was told of its removal before the remover had it on its disk, which refused it, and led alone',
  },
  {
    seed: 1n,
    was: 'a frame was called done with a copy whose maker had taken its word back while the second one was made',
    profile: { ...EVENTFUL, removes: false, leaves: 0, staysOff: false, actEveryMs: 2_000 },
  },
  {
    seed: 99n,
    was: 'a job that only a removed machine had held was held by nobody, though others had rendered of it',
    profile: { ...EVENTFUL, removes: true, actEveryMs: 2_500, addsSleep: true },
  },
  {
    seed: 497n,
    was: 'a disk was destroyed that alone had a frame and alone knew that it was discarded, with another one just lost',
    profile: { addsSleep: true },
  },
  {
    seed: 7717n,
    was: 'who took the last word of a machine that left told only its coordinator, over a slow link, for want of gossip',
  },
];

describe('seeds that found something', () => {
  const thread = new SimThread();
  after(() => thread.end());
  for (const { seed, was, profile = {} } of SEEDS) {
    it(`seed ${seed}: ${was}`, async () => {
      const told: string[] = [];
      // As they were found: before clocks added what their machines slept.
      const stretch = { from: seed, count: 1, profile: { addsSleep: false, ...profile } };
      await thread.run(stretch, ({ text }) => told.push(text));
      assert.equal(told.length, 1);
      assert.match(told[0] as string, /: clean$/);
    });
  }
});
