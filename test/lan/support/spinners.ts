import type { ChildProcess } from 'node:child_process';
import type { Host } from './hosts.ts';

/** Pegs so many cores of each of these hosts with programs that do nothing else; gives what ends them. */
export function pegged(hosts: readonly Host[], each: number, limitMs: number): () => Promise<void> {
  // Each ends by itself as well, should the test be gone before.
  const program = `const end = performance.now() + ${limitMs}; while (performance.now() < end);`;
  const spinners = hosts.flatMap((host) =>
    Array.from({ length: each }, () => host.spawn(process.execPath, ['-e', program])),
  );
  return async () => {
    await Promise.all(spinners.map(end));
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
