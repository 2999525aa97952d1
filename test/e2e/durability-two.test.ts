import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ChangeView, SubmittedView } from '../../protocol/src/index.ts';
import { LocalFarm, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { House, tasksOf } from './support/house.ts';
import { hashesOfSubmission, pinnedFor } from './support/submission.ts';
import {
  blobChains,
  type Chain,
  firstSent,
  judge,
  parseTrace,
  piecesWritten,
  recordChain,
  type SystemCall,
} from './support/trace.ts';
import { until } from './support/wait.ts';

/**
 * What one machine promises for two, and what had reached the disks of both before, by the system calls of both in one
 * recording (DESIGN.md section 6, replicate before done): a job said to be held by two machines, a change of one, a frame
 * shown as done.
 * A scene's texture and the frames are large enough to come to the other machine in pieces. What the machines say to
 * each other is encrypted; what the submitting one then says to its user is not.
 */

const CALLS = 'fsync,fdatasync,rename,renameat,renameat2,write,writev,pwrite64,sendto';
const FRAMES = 2;
/** Files of several pieces of 1 MiB: another machine fetches such a one piece by piece. */
const PIECE_BYTES = 2 ** 20;
const FRAME_BYTES = 3_000_000;
/** In the canonical bytes of a record: the property `state` with the value `done`. */
const DONE = 'estateddone';
/** What a person calls the job meanwhile. */
const RENAMED = 'renamed-while-recorded';

let house: House;
let farm: LocalFarm | undefined;
let tracer: ChildProcess | undefined;
let calls: SystemCall[] = [];
/** A job without files of its own, and one with a scene, of which nothing is rendered. */
let submitted: SubmittedView;
let withScene: SubmittedView;
let change: ChangeView;
let plan: string;
let sceneHashes: string[] = [];
let texture: { hash: string; sizeBytes: number };
let frames: { index: number; name: string; hashes: string[] }[] = [];
let why: string | undefined;

before(async () => {
  house = await House.open();
  farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: 2,
    // The submitter reads the scene.
    config: (index) => ({
      programs: ['sh'],
      ...(index > 0 && { blender: join(house.root, 'no-blender') }),
      ffmpeg: join(house.root, 'no-ffmpeg'),
    }),
    env: { TMPDIR: house.temporary },
  });
  const [submitter] = farm.nodes as [LocalNode];
  const path = await house.scene('big=3');
  const bytes = await readFile(join(dirname(path), 'textures', 'big.bmp'));
  texture = { hash: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
  await until('a machine to be known that renders', async () => {
    const { ok } = await submitter.client.call('preflight', { body: { path } }).catch(() => ({ ok: false }));
    return ok;
  });
  const recording = join(house.root, 'trace.txt');
  why = await attach(
    recording,
    farm.nodes.map(({ pid }) => pid),
  );
  if (why !== undefined) return;
  const live = new AbortController();
  const listening = (async () => {
    for await (const _ of submitter.client.events(live.signal));
  })().catch(() => undefined);
  submitted = await submitter.client.call('submit', {
    body: {
      type: 'command',
      settings: {
        program: 'sh',
        args: ['-c', `head -c ${FRAME_BYTES} /dev/urandom > "$CUADRO_OUTPUT/part_$CUADRO_FRAME.bin"`],
        frames: `1-${FRAMES}`,
      },
    },
  });
  const { id } = submitted.job;
  await until('both frames to be done', async () => {
    const { counts } = await submitter.client.call('job', { params: { job: id } });
    return counts.done === FRAMES;
  });
  frames = (await tasksOf(submitter.client, id)).map(({ index, name, files }) => ({
    index,
    name,
    hashes: files.map(({ blob }) => blob),
  }));
  [plan] = (await pinnedFor(submitter.dataFolder, id)) as [string];
  withScene = await submitter.client.call('submit', { body: { path, paused: true } });
  sceneHashes = await hashesOfSubmission(submitter.dataFolder, withScene.job.id);
  change = await submitter.client.call('setJob', { params: { job: id }, body: { name: RENAMED } });
  // What was done a moment ago is shown a moment later.
  await until('the done frames to be shown', async () => {
    calls = parseTrace(await readFile(recording, 'latin1'));
    return frames.every(({ hashes }) => shownDone(hashes) !== undefined);
  });
  live.abort();
  await listening;
});
after(async () => {
  tracer?.kill('SIGINT');
  await farm?.close();
  await house?.close();
});

/** Records the calls of running processes; gives why that can't be. */
async function attach(recording: string, pids: readonly number[]): Promise<string | undefined> {
  const args = ['-f', '-yy', '-s', '8000', '-o', recording, '-e', `trace=${CALLS}`];
  const child = spawn('strace', [...args, ...pids.flatMap((pid) => ['-p', String(pid)])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  tracer = child;
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let ended = false;
  child.once('error', () => (ended = true));
  child.once('close', () => (ended = true));
  const isAttached = (): boolean => pids.every((pid) => said.includes(`Process ${pid} attached`));
  await until('strace to be attached or to end', () => ended || isAttached());
  if (!ended) return undefined;
  return `needs strace, and the right to trace a process that runs${said === '' ? '' : `: ${said.split('\n')[0]}`}`;
}

/** One page of events may tell of several frames, of which only some are done: the state has to be this file's. */
const shownDone = ([hash]: readonly string[]): SystemCall | undefined => {
  const told = new RegExp(`\\\\"state\\\\":\\\\"done\\\\",\\\\"files\\\\":\\[\\{[^\\]]{0,400}${hash}`);
  return calls.find(({ name, text }) => SENDING.has(name) && /^\d+<TCP/.test(text) && told.test(text));
};
const SENDING: ReadonlySet<string> = new Set(['write', 'writev', 'sendto']);

/** The calls of one machine, and the promise. */
const callsOf = ({ dataFolder }: LocalNode, promise: SystemCall): SystemCall[] =>
  calls.filter((call) => call === promise || call.text.includes(`${dataFolder}/`));

const nodes = (): LocalNode[] => (farm as LocalFarm).nodes;

/** All was durable when the promise was made, and each of these calls is needed for that: one that comes late is seen. */
function assertKept(
  own: readonly SystemCall[],
  promise: SystemCall,
  chains: readonly Chain[],
  what: string,
): void {
  const { relied, broken } = judge(own, promise, chains);
  assert.deepEqual(broken, [], what);
  for (const late of relied.filter(({ name }) => name.includes('sync'))) {
    const without = own.filter((call) => call.text !== late.text || !call.name.includes('sync'));
    assert.ok(judge(without, promise, chains).broken.length > 0, late.text);
  }
}

/** One of the two made the file, or read it from its user's disk, and the other had all its pieces one by one. */
function assertCameInPieces({ hash, sizeBytes }: { hash: string; sizeBytes: number }): void {
  const written = nodes().map(({ dataFolder }) =>
    piecesWritten(
      calls.filter(({ text }) => text.includes(`${dataFolder}/`)),
      hash,
    ),
  );
  assert.equal(Math.min(...written), 0, `${written.join(' and ')} writes: one had it whole`);
  assert.ok(Math.max(...written) >= Math.ceil(sizeBytes / PIECE_BYTES), `${written.join(' and ')} writes`);
}

test('R60: a job said to be held by two machines is on the disks of both', (t) => {
  if (why !== undefined) return t.skip(why);
  assert.equal(sceneHashes.length, 5, 'bundle, plan, scene and two textures');
  assert.ok(sceneHashes.includes(texture.hash));
  assertCameInPieces(texture);
  for (const [{ job, machines }, hashes] of [
    [submitted, [plan]],
    [withScene, sceneHashes],
  ] as const) {
    assert.equal(machines, 2);
    const answer = firstSent(calls, 'HTTP/1.1 200', `\\"job\\":{\\"id\\":\\"${job.id}\\"`);
    assert.ok(answer, 'the answer was seen');
    for (const node of nodes()) {
      const own = callsOf(node, answer);
      const ofRecord = recordChain("the job's record", `!job/${job.id}`);
      const chains = [...hashes.flatMap((hash) => blobChains(own, hash)), ofRecord];
      assertKept(own, answer, chains, `${job.name} at ${node.name}`);
    }
  }
});

test('a change of a job said to be on two machines is on the disks of both', (t) => {
  if (why !== undefined) return t.skip(why);
  assert.equal(change.machines, 2, change.message);
  const answer = firstSent(calls, 'HTTP/1.1 200', '{\\"machines\\":2,\\"message\\":');
  assert.ok(answer, 'the answer was seen');
  const ofRecord = recordChain("the job's record", `!job/${submitted.job.id}`, RENAMED);
  for (const node of nodes())
    assertKept(callsOf(node, answer), answer, [ofRecord], `the change at ${node.name}`);
});

test('R57: a frame shown as done is on the disks of both with its record, and that it is done on that of who shows it', (t) => {
  if (why !== undefined) return t.skip(why);
  assert.equal(frames.length, FRAMES);
  for (const { index, name, hashes } of frames) {
    const shown = shownDone(hashes);
    assert.ok(shown, `${name} was shown`);
    for (const hash of hashes) assertCameInPieces({ hash, sizeBytes: FRAME_BYTES });
    const key = `!task/${submitted.job.id}/${String(index).padStart(10, '0')}`;
    for (const node of nodes()) {
      const own = callsOf(node, shown);
      // Who made it may have it as rendered still: what another holds is done once that one has written so.
      const said = node === nodes()[0] ? [DONE] : [];
      const chains = [
        ...hashes.flatMap((hash) => blobChains(own, hash)),
        recordChain(`the record of ${name}`, key, ...hashes, ...said),
      ];
      assertKept(own, shown, chains, `${name} at ${node.name}`);
    }
  }
});

test('R181: a job that one machine deletes keeps no room at the other', async (t) => {
  if (why !== undefined) return t.skip(why);
  const [submitter, other] = nodes() as [LocalNode, LocalNode];
  const { id } = submitted.job;
  const pinned = async (): Promise<number> => {
    const journal = await readFile(join(other.dataFolder, 'pins.journal'), 'utf8');
    const signs = journal.split('\n').filter((line) => line.endsWith(` ${id}`));
    const last = new Map(signs.map((line) => [line.slice(1), line[0]]));
    return [...last.values()].filter((sign) => sign === '+').length;
  };
  assert.ok((await pinned()) > FRAMES, 'its plan and its frames');
  await submitter.client.call('deleteJob', { params: { job: id } });
  await until('the pins of the deleted job to go', async () => (await pinned()) === 0);
});
