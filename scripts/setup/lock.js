import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say, SetupError } from './run.js';

/** How often a waiting set-up looks whether the other one has ended. */
const POLL_MS = 200;

/** How long to wait for another set-up: longer than any install seen, shorter than a night. */
const WAIT_LIMIT_MS = 30 * 60_000;

/** When a process started, in the system's own ticks, so that a reused process id is not taken for the owner. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return 'unknown';
  }
}

function isAlive(owner) {
  const [pid, start] = owner.trim().split(' ');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return start === startOf(pid);
}

/** Takes the lock file, or says who holds it. A lock whose process is gone is taken over. */
function tryTake(file, me) {
  const candidate = `${file}.${process.pid}`;
  // Linking a whole file makes the lock appear at once with its content, so that nobody reads it half-written.
  writeFileSync(candidate, me);
  try {
    linkSync(candidate, file);
    return undefined;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(candidate, { force: true });
  }
  let owner;
  try {
    owner = readFileSync(file, 'utf8');
  } catch {
    return 'just released';
  }
  if (isAlive(owner)) return owner.split(' ')[0];
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    // Another set-up may have taken the lock over since it was read: then it is put back.
    if (readFileSync(aside, 'utf8') !== owner) linkSync(aside, file);
  } catch {
    // Somebody else was faster: the next round decides.
  }
  rmSync(aside, { force: true });
  return 'just released';
}

/**
 * Runs `work` while no other set-up of this checkout does the same. The lock stands outside node_modules,
 * which `npm ci` deletes.
 */
export async function withLock(root, name, work) {
  const file = join(root, '.cache', `setup-${name}.lock`);
  const me = `${process.pid} ${startOf(process.pid)}\n`;
  const deadline = Date.now() + WAIT_LIMIT_MS;
  let told = false;
  for (;;) {
    let holder;
    try {
      mkdirSync(join(root, '.cache'), { recursive: true });
      holder = tryTake(file, me);
    } catch (error) {
      if (!['EROFS', 'EACCES', 'EPERM', 'ENOSPC'].includes(error.code)) throw error;
      // What needs no writing in the checkout (system packages) still works; the rest says so by itself.
      return work();
    }
    if (holder === undefined) break;
    if (!told && holder !== 'just released')
      say(`Another set-up runs in this checkout (process ${holder}): waiting for it.`);
    told ||= holder !== 'just released';
    if (Date.now() > deadline)
      throw new SetupError(
        `Process ${holder} has held ${file} for half an hour: end it, then run this again.`,
      );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}
