import { readdir, readFile } from 'node:fs/promises';

export interface FoundProcess {
  pid: number;
  /** The program's short name: `blender`, `bwrap`, `node`. */
  name: string;
  command: string;
  stopped: boolean;
}

/** Live processes (zombies aside) that carry `text` in their command line or environment, but this one. */
export async function processesWith(text: string): Promise<FoundProcess[]> {
  const found: FoundProcess[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const read = (file: string): Promise<string> =>
      readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
    const [command, environment] = [await read('cmdline'), await read('environ')];
    if (!command.includes(text) && !environment.includes(text)) continue;
    const state = /\) (\w) /.exec(await read('stat'))?.[1] ?? 'Z';
    if (state === 'Z' || state === 'X') continue;
    const name = (await read('comm')).trim();
    found.push({ pid, name, command: command.replaceAll('\0', ' ').trim(), stopped: state === 'T' });
  }
  return found;
}

/** The Blender processes of the node on a data folder. */
export async function blendersOf(dataFolder: string): Promise<number[]> {
  const sessions = `${dataFolder}/sessions`;
  return (await processesWith(sessions)).filter(({ name }) => name === 'blender').map(({ pid }) => pid);
}

/** Kills by id; what has ended meanwhile is no failure. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}
