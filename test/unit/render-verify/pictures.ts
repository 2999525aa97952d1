import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createPictureProcess } from '../../../node/src/render/verify/pictures.ts';

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export const components = { clock: createSystemClock(), random: createSystemRandom(), logger: silent };

/** A folder that goes with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cuadro-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A picture process that ends with the test file. */
export function pictureProcess(init: Parameters<typeof createPictureProcess>[1] = {}) {
  const pictures = createPictureProcess(components, init);
  after(() => pictures.stop());
  return pictures;
}

/** Runs the real ffmpeg quietly. */
export function ffmpeg(...args: string[]): void {
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-nostdin', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** A test picture with noise, so that every compression has something to do, in the format of the file's name. */
export function picture(path: string, size = '67x41', ...more: string[]): Buffer {
  const source = `testsrc=s=${size}:d=1,noise=alls=40:all_seed=7`;
  ffmpeg('-f', 'lavfi', '-i', source, '-frames:v', '1', '-update', '1', ...more, path);
  return readFileSync(path);
}

/** Whether a process runs; one that ended and that nobody collects yet does not. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // Either it ended meanwhile, or this system has no /proc.
    return process.platform !== 'linux';
  }
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}
