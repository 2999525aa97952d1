import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommandLine } from '../../../node/src/cli/run.ts';
import type { CommandLine } from '../../../node/src/cli/output.ts';
import { writeNodeFile } from '../../../node/src/system/node-file.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { type FakeNode, startFake, TOKEN } from '../api/fakes.ts';
import type { Api } from '../../../node/src/api/server.ts';

export interface Ran {
  exit: number;
  out: string;
  err: string;
}

/** The command line against a fake node: its server, its data folder, and a .blend that is none. */
export interface Harness {
  node: FakeNode;
  api: Api;
  folder: string;
  blend: string;
  run(args: string[], change?: Partial<CommandLine> & { terminal?: boolean }): Promise<Ran>;
  stop(): Promise<void>;
}

export async function startHarness(): Promise<Harness> {
  const { node, api } = await startFake();
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-cli-'));
  const blend = join(folder, 'scene.blend');
  await writeFile(blend, 'BLENDER-v304');
  const { port, address } = api;
  await writeNodeFile({ random: createSystemRandom() }, folder, {
    pid: process.pid,
    port,
    address,
    token: TOKEN,
  });
  return {
    node,
    api,
    folder,
    blend,
    run: (args, change = {}) => runCaptured(args, { env: { CUADRO_DATA: folder }, cwd: folder, ...change }),
    stop: async () => {
      await api.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function runCaptured(
  args: string[],
  change: Partial<CommandLine> & { terminal?: boolean } = {},
): Promise<Ran> {
  const { terminal = false, ...rest } = change;
  const written = { out: '', err: '' };
  const exit = await runCommandLine(args, {
    stdout: { write: (text) => (written.out += text), isTTY: terminal },
    stderr: { write: (text) => (written.err += text), isTTY: terminal, columns: 100 },
    env: {},
    cwd: tmpdir(),
    signal: new AbortController().signal,
    ...rest,
  });
  return { exit, ...written };
}
