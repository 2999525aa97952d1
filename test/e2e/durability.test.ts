import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { SubmittedView } from '../../protocol/src/index.ts';
import { House, jobIn, type NodeProcess, tasksOf } from './support/house.ts';
import { hashesOfSubmission } from './support/submission.ts';
import { blobChains, firstSent, judge, parseTrace, recordChain, type SystemCall } from './support/trace.ts';

/**
 * What leaves the machine and what had reached the disk before, by the system calls of a real node: SPEC R60 for
 * a submission, DESIGN.md section 1 for a frame shown as rendered.
 */

// Containers may forbid tracing even where strace is installed.
const canTrace = spawnSync('strace', ['-f', '--seccomp-bpf', '-o', '/dev/null', 'true']).status === 0;
const skip = canTrace ? false : 'needs strace, and the right to trace';
const CALLS = 'fsync,fdatasync,rename,renameat,renameat2,write,writev,pwrite64,sendto';

let house: House;
let calls: SystemCall[];
let job: string;
let submissionHashes: string[];
let frames: { name: string; hashes: string[] }[];

before(async () => {
  house = await House.open();
  if (!canTrace) return;
  const blend = await house.scene('sound');
  const recording = join(house.root, 'trace.txt');
  const wrap = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-yy',
    '-s',
    '8000',
    '-o',
    recording,
    '-e',
    `trace=${CALLS}`,
  ];
  const node = await house.node({ wrap });
  const live = listen(node);
  const submitted = await house.json<SubmittedView>(['submit', blend, '--frames', '1-3']);
  job = submitted.job.id;
  await jobIn(node.client, job, ['done']);
  submissionHashes = await hashesOfSubmission(node.dataFolder, job);
  frames = (await tasksOf(node.client, job)).map(({ name, files, thumbnail }) => ({
    name,
    hashes: [...files.map(({ blob }) => blob), ...(thumbnail === undefined ? [] : [thumbnail])],
  }));
  live.abort();
  await node.stop();
  calls = parseTrace(await readFile(recording, 'latin1'));
});

after(() => house.close());

/** A client of the live events, as a dashboard is. */
function listen(node: NodeProcess): AbortController {
  const ended = new AbortController();
  const read = async (): Promise<void> => {
    for await (const _ of node.client.events(ended.signal));
  };
  read().catch(() => undefined);
  return ended;
}

function submissionChains() {
  return [
    ...submissionHashes.flatMap((hash) => blobChains(calls, hash)),
    recordChain('what only this machine knows of the job', `!job/${job}`, '\\"overwrite\\":'),
    recordChain("the job's record", `!job/${job}`, 'dkindcjobdspec'),
  ];
}

test('a submission is answered after its scene, plan and record are on disk', { skip }, () => {
  const answer = firstSent(calls, 'HTTP/1.1 200', `\\"job\\":{\\"id\\":\\"${job}\\"`);
  const first = firstSent(calls, job);
  assert.ok(answer && first, 'the answer was seen');
  assert.ok(submissionHashes.length >= 5, 'bundle, plan, scene, texture, sound');
  const { broken } = judge(calls, first.begin < answer.begin ? first : answer, submissionChains());
  assert.deepEqual(broken, []);
});

test('a frame or film is shown as rendered after its files and its record are on disk', { skip }, () => {
  assert.equal(frames.length, 4);
  for (const [index, { name, hashes }] of frames.entries()) {
    const shown = firstSent(calls, '\\"state\\":\\"rendered\\"', hashes[0] as string);
    assert.ok(shown, `${name} was shown`);
    const key = `!task/${job}/${String(index).padStart(10, '0')}`;
    const chains = [
      ...hashes.flatMap((hash) => blobChains(calls, hash)),
      recordChain(`the record of ${name}`, key),
    ];
    assert.deepEqual(judge(calls, shown, chains).broken, [], name);
  }
});

test('a recording in which any one of these calls returns late is refused', { skip }, () => {
  const answer = firstSent(calls, job) as SystemCall;
  const { relied } = judge(calls, answer, submissionChains());
  assert.ok(relied.length > 20);
  for (const late of relied) {
    const others = calls.filter((call) => !isRepeat(call, late));
    const moved = { ...late, begin: answer.end + 1, end: answer.end + 2 };
    const { broken } = judge([...others, moved], answer, submissionChains());
    assert.ok(broken.length > 0, `${late.name}(${late.text.slice(0, 100)})`);
  }
});

/** A later sync of the same file would do as well, so it goes too. */
function isRepeat(call: SystemCall, late: SystemCall): boolean {
  return call === late || (call.name === late.name && call.text === late.text && call.name.includes('sync'));
}
