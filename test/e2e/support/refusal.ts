import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { House, NodeProcess } from './house.ts';
import { filesBelow } from './media.ts';

export interface Refusal {
  args: string[];
  exit: number;
  says: RegExp;
}

/** Runs a command that must be refused in one sentence with its exit code, and looks that nothing changed. */
export async function assertRefused(
  house: House,
  node: NodeProcess,
  { args, exit, says }: Refusal,
  data = node.dataFolder,
): Promise<void> {
  const before = await traces(house, node, data);
  const { code, stderr, stdout } = await house.cuadro(args, { data });
  const shown = `cuadro ${args.join(' ')} → ${code}: ${stdout}${stderr}`;
  assert.equal(code, exit, shown);
  assert.match(stderr, says, shown);
  assert.equal(stdout, '', shown);
  assertPlain(stderr);
  assert.deepEqual(await traces(house, node, data), before, `${shown} left something behind`);
}

/** One sentence of ours, perhaps with findings before it: no stack, nothing unfilled. */
export function assertPlain(stderr: string): void {
  const lines = stderr.trimEnd().split('\n');
  assert.ok(
    lines.every((line) => /^(cuadro|Error|Warning|Note|See): /.test(line)),
    stderr,
  );
  assert.equal(lines.filter((line) => line.startsWith('cuadro: ')).length, 1, stderr);
  assert.doesNotMatch(stderr, /\n\s+at |undefined|\[object|\?\?/);
}

/** Everything that a refused command could leave: jobs, output folders, pins, temporary files. */
async function traces(house: House, node: NodeProcess, data: string): Promise<unknown> {
  const jobs = data === node.dataFolder ? await node.client.call('jobs', {}) : [];
  return {
    jobs: jobs.map(({ id, state }) => [id, state]),
    output: (await readdir(house.output, { recursive: true })).sort(),
    pins: await pinsOf(data),
    incoming: await filesBelow(join(data, 'incoming')),
    temporary: (await filesBelow(house.temporary)).filter((name) => name.startsWith('cuadro-')),
  };
}

/** What the pin journal comes to. */
export async function pinsOf(data: string): Promise<string[]> {
  const journal = await readFile(join(data, 'pins.journal'), 'utf8').catch(() => '');
  const held = new Set<string>();
  for (const [, sign, pin] of journal.matchAll(/^([+-])(\S+ \S+)$/gm)) {
    if (sign === '+') held.add(pin as string);
    else held.delete(pin as string);
  }
  return [...held].sort();
}
