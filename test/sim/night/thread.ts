/** A thread that simulates one night, its `workerData`, and posts what came of it without the machine itself. */
import { parentPort, workerData } from 'node:worker_threads';
import { type NightReport, simulateNight } from './night.ts';

export type NightTold = Omit<NightReport, 'machine'>;

const { machine: _machine, failure, ...report } = await simulateNight(workerData as bigint);
parentPort?.postMessage({
  ...report,
  failure: failure && { ...failure, error: String(failure.error) },
} satisfies NightTold);
