/** The thread of hash-jobs.ts. */
import { parentPort } from 'node:worker_threads';
import { systemFileCallsSync } from '../system/file-calls.ts';
import { carryOut } from './hash-jobs.ts';
import type { HashJob, HashReply } from './hasher.ts';

/** Handed over, not copied. */
const buffersOf = (reply: HashReply): ArrayBuffer[] =>
  reply.ok
    ? (reply.folders ?? []).flatMap(({ hashes, sizes, usedMs }) => [
        hashes.buffer,
        sizes.buffer,
        usedMs.buffer,
      ])
    : [];

parentPort?.on('message', (job: HashJob) => {
  const reply = carryOut(job, systemFileCallsSync);
  parentPort?.postMessage(reply, buffersOf(reply));
});
