import { readdir, readFile } from 'node:fs/promises';

/**
 * Kills what a program started and moved out of its process group (`setsid`, daemons): on Linux every descendant
 * inherits the environment, so that a mark in it finds them all, whoever their parent is by now. Elsewhere the
 * group is all that can be known. Never rejects; returns how many were killed.
 */
export async function killMarked(variable: string, mark: string, rounds: number): Promise<number> {
  if (process.platform !== 'linux') return 0;
  let killed = 0;
  for (let round = 0; round < rounds; round++) {
    const found = await findMarked(`${variable}=${mark}`);
    if (found.length === 0) break;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
        killed += 1;
      } catch {
        // It ended meanwhile.
      }
    }
  }
  return killed;
}

async function findMarked(entry: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        // Other users' processes can't be read; a zombie's environment is empty.
        const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
        return environment.split('\0').includes(entry) ? [Number(name)] : [];
      }),
  );
  return found.flat();
}
