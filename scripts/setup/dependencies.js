import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, looksOffline, run, say, SetupError, systemPath, tellingLines } from './run.js';

/** The oldest Node that the packages were tried with, when it comes from the lock file. */
const INSTALLED_NODE = [24, 15];

/** The oldest Node of the system that runs TypeScript without a flag: for platforms without the pinned one. */
const SYSTEM_NODE = [22, 18];

const LEAST_NPM = 10;

const stampFile = (root) => join(root, 'node_modules', '.cuadro-setup');
const pinnedNode = (root) =>
  join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');

/** What the installed packages depend on: the lock file and the platform that they were chosen for. */
function wanted(root) {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${hash} ${process.platform} ${process.arch}`;
}

function isAtLeast(version, [major, minor]) {
  const [a = 0, b = 0] = version.replace(/^v/, '').split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether node_modules holds what the lock file asks for. Reads two files when the stamp is right. */
export function dependenciesAreFresh(root) {
  const want = wanted(root);
  if (readJson(stampFile(root))?.wanted === want) return true;
  if (!installedByHand(root)) return false;
  writeStamp(root, want);
  return true;
}

/**
 * Whether a person ran npm already: npm's own note of what it installed then agrees with the lock file, and
 * deleting everything to install the same again would only cost time and disturb what runs from it.
 */
export function installedByHand(root) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  const locked = readJson(join(root, 'package-lock.json'))?.packages;
  if (installed === undefined || locked === undefined) return false;
  return Object.entries(locked).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true && !suitsThisMachine(entry);
    return entry.link === true
      ? found.link === true
      : found.version === entry.version && found.integrity === entry.integrity;
  });
}

/**
 * Whether npm should have installed an optional package here. One that names no platform is a part of another
 * optional package, which may itself be for elsewhere: its absence proves nothing.
 */
function suitsThisMachine(entry) {
  if (entry.os === undefined && entry.cpu === undefined) return false;
  const allows = (list, value) => list === undefined || list.includes(value);
  const isForThisLibc =
    entry.libc === undefined || process.platform !== 'linux' || entry.libc.includes(libc());
  return allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && isForThisLibc;
}

/** Which C library this Node was built for, in npm's words. */
function libc() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function writeStamp(root, want) {
  try {
    writeFileSync(
      stampFile(root),
      `${JSON.stringify({ wanted: want, node: versionOf(pinnedNode(root)) })}\n`,
    );
  } catch {
    // In a read-only checkout the stamp stays away, and the next set-up looks more closely again.
  }
}

/** The version that a Node binary reports, or undefined when it does not run. */
function versionOf(node) {
  if (!existsSync(node)) return undefined;
  const result = spawnSync(node, ['--version'], { encoding: 'utf8', shell: process.platform === 'win32' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** How to run npm: as the one that called us, else the system's. Never with a Node that `npm ci` deletes. */
function npmCommand() {
  const path = systemPath();
  const script = process.env.npm_execpath;
  const node = findCommand(['node']) ?? process.execPath;
  if (script !== undefined && /\.c?js$/.test(script) && existsSync(script))
    return { command: node, first: [script], path };
  const npm = findCommand(['npm'], path);
  if (npm === undefined) {
    throw new SetupError(
      'Cuadro needs npm 10 or newer, and none is here. Install a current Node from https://nodejs.org, which brings it along.',
    );
  }
  return { command: npm, first: [], path };
}

function npmEnvironment(path) {
  const environment = { ...process.env, PATH: path };
  // Set by `npm test --workspace …`: the install concerns the whole house.
  for (const name of Object.keys(environment)) {
    if (/^npm_config_(workspaces?|include_workspace_root|omit|only|production)$/i.test(name))
      delete environment[name];
  }
  return environment;
}

/** Installs what the lock file names, or throws a SetupError that says why not. */
export async function installDependencies(root) {
  try {
    accessSync(existsSync(join(root, 'node_modules')) ? join(root, 'node_modules') : root, constants.W_OK);
  } catch {
    throw new SetupError(
      `The packages that Cuadro needs are not installed, and ${root} is read-only: copy the checkout to a folder that you may write, and run the command there.`,
    );
  }
  const { command, first, path } = npmCommand();
  const options = {
    cwd: root,
    env: npmEnvironment(path),
    shell: process.platform === 'win32' && first.length === 0,
  };
  const npmVersion =
    /\bnpm\/([0-9.]+)/.exec(process.env.npm_config_user_agent ?? '')?.[1] ??
    (await run(command, [...first, '--version'], options)).output.trim();
  if (!(Number.parseInt(npmVersion, 10) >= LEAST_NPM)) {
    throw new SetupError(
      `Cuadro needs npm ${LEAST_NPM} or newer (this is ${npmVersion || 'unknown'}). Install a current Node from https://nodejs.org, which brings it along.`,
    );
  }
  say('Installing the packages that package-lock.json names, with npm ci (about half a minute) …');
  const result = await run(
    command,
    [
      ...first,
      'ci',
      '--include=dev',
      '--include=optional', // What was fetched once is known by its hash; a machine without a network should learn it in half a minute.
      '--prefer-offline',
      '--fetch-retries=3',
      '--fetch-retry-mintimeout=1000',
      '--fetch-retry-maxtimeout=10000',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ],
    options,
  );
  if (result.code !== 0) {
    const reason = looksOffline(result.output)
      ? 'the package registry cannot be reached; connect this machine to the network and run the command again'
      : `npm ci ended with code ${result.code}`;
    throw new SetupError(`The packages could not be installed: ${reason}.\n${tellingLines(result.output)}`);
  }
  writeStamp(root, wanted(root));
}

/** What is wrong with the Node that the commands will run under, as a sentence; undefined when it is right. */
export function nodeProblem(root) {
  const pinned = pinnedNode(root);
  if (existsSync(pinned)) {
    const version = readJson(stampFile(root))?.node ?? versionOf(pinned);
    if (version !== undefined && isAtLeast(version, INSTALLED_NODE)) return undefined;
    return `The Node in node_modules ${version === undefined ? 'does not run on this system' : `is ${version}`}, and ${INSTALLED_NODE.join('.')} or newer is needed: delete the folder node_modules and run the command again.`;
  }
  const system = findCommand(['node']);
  const version = system === undefined || system === process.execPath ? process.version : versionOf(system);
  if (version !== undefined && isAtLeast(version, SYSTEM_NODE)) return undefined;
  return `No Node for ${process.platform} ${process.arch} comes with the packages, and the system's is ${version ?? 'missing'}: install Node ${SYSTEM_NODE.join('.')} or newer from https://nodejs.org and run the command again.`;
}
