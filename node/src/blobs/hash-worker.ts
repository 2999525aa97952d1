/** The thread of hash-jobs.ts. */
import { parentPort } from 'node:worker_threads';
import { systemFileCallsSync } from '../system/file-calls.ts';
import { carryOut } from './hash-jobs.ts';
import type { HashJob } from './hasher.ts';

parentPort?.on('message', (job: HashJob) => parentPort?.postMessage(carryOut(job, systemFileCallsSync)));
