import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExitCode, SubmittedView } from '@cuadro/protocol';
import { CuadroError, EXIT } from '@cuadro/protocol';
import { connectNode } from '../node/src/cli/client.ts';
import { defaultDataFolder } from '../node/src/cli/data-folder.ts';
import { startNode, type CuadroNode } from '../node/src/daemon.ts';
import { isAlive, readNodeFile, signinAddress } from '../node/src/system/node-file.ts';
import { makeScene } from './scenes/make.ts';

/**
 * `npm run render`: starts a node if none runs, renders the sample film or the given .blend through it, shows
 * progress, and ends with the frames, the film and the dashboard's address. Arguments are those of `cuadro submit`.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const cli = join(root, 'node', 'src', 'cli', 'main.ts');
const interrupted = new AbortController();

/** Runs the command line with this terminal; resolves to its exit code, and what it printed where `capture` is set. */
async function cuadro(args: string[], capture = false): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ['inherit', capture ? 'pipe' : 'inherit', 'inherit'],
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? EXIT.failure, text };
}

/** The running node, or one started here. */
async function findNode(dataFolder: string): Promise<{ started?: CuadroNode; signin: string }> {
  const file = readNodeFile(dataFolder);
  if (file !== undefined && isAlive(file.pid)) {
    console.log(`Using the node that runs at ${file.address}.`);
    return { signin: signinAddress(file) };
  }
  const started = await startNode({
    dataFolder,
    config: { network: false },
    human: process.stderr,
    onEnd: () => interrupted.abort(),
  });
  console.log(
    `Started a node on this machine alone; no farm is opened to the network. Dashboard: ${started.address}`,
  );
  return { started, signin: started.signinAddress };
}

async function sampleScene(): Promise<string> {
  const folder = join(root, '.cache', 'sample');
  await mkdir(folder, { recursive: true });
  console.log('Making the sample scene…');
  return makeScene('sample', folder, { blender: process.env['CUADRO_BLENDER'] ?? 'blender' });
}

async function renderJob(dataFolder: string, args: string[]): Promise<ExitCode> {
  const given = args.some((arg) => arg.endsWith('.blend')) || args.includes('--type');
  const all = given ? args : [await sampleScene(), ...args];
  const submit = await cuadro(['submit', '--data', dataFolder, '--json', ...all], true);
  if (submit.code !== EXIT.ok) {
    const error = (JSON.parse(submit.text || '{}') as { error?: { message?: string } }).error;
    if (error?.message) console.error(error.message);
    return submit.code as ExitCode;
  }
  const { job, findings } = JSON.parse(submit.text) as SubmittedView;
  for (const { severity, message } of findings) console.log(`${severity}: ${message}`);
  console.log(`Job ${job.id}: ${job.counts.total} tasks, collected into ${job.outputFolder}`);
  const watched = await cuadro(['watch', '--data', dataFolder, job.id]);
  await report(dataFolder, job.id);
  return watched.code as ExitCode;
}

/** Waits until everything is collected, and says where it is. */
async function report(dataFolder: string, id: string): Promise<void> {
  const client = connectNode(dataFolder);
  const expected = (await client.call('tasks', { params: { job: id } })).tasks.flatMap(({ files }) => files);
  for await (const _ of client.events(interrupted.signal)) {
    const { live } = await client.call('job', { params: { job: id } });
    if ((live.collected ?? 0) + (live.keptForeign ?? 0) >= expected.length) break;
  }
  const job = await client.call('job', { params: { job: id } });
  const there = await readdir(job.outputFolder);
  const frames = there.filter((name) => name !== job.film?.name);
  console.log(`\n${frames.length} frames in ${job.outputFolder}`);
  if (job.film) console.log(`Film: ${join(job.outputFolder, job.film.name)}`);
}

const dataFolder = defaultDataFolder(process.env);
let code: ExitCode = EXIT.failure;
let node: Awaited<ReturnType<typeof findNode>> | undefined;
process.on('SIGINT', () => interrupted.abort());
process.on('SIGTERM', () => interrupted.abort());
try {
  node = await findNode(dataFolder);
  code = await renderJob(dataFolder, process.argv.slice(2));
  console.log(`Dashboard: ${node.signin}`);
  // In a terminal the dashboard stays to be looked at; in a script the node that was started here ends with it.
  if (node.started && process.stdout.isTTY && !interrupted.signal.aborted) {
    console.log('The node goes on until you press Ctrl-C.');
    await new Promise((resolve) => interrupted.signal.addEventListener('abort', resolve, { once: true }));
  } else if (node.started)
    console.log('The node ends now; `npm start` starts it again, with this job in its dashboard.');
} catch (error) {
  if (!(error instanceof CuadroError)) throw error;
  console.error(error.message);
  code = error.exitCode;
} finally {
  await node?.started?.stop();
}
process.exitCode = interrupted.signal.aborted && code === EXIT.failure ? EXIT.interrupted : code;
