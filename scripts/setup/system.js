import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { findCommand, looksOffline, run, say, tellingLines } from './run.js';

/**
 * The programs beside Node that Cuadro uses. `without` ends the sentence that is told when one is missing and
 * cannot be installed. `packages` names it for each package manager; a missing name means "not there". What has a
 * `purpose` is only for that: `test` for all tests, `lan` for those in network namespaces,
 * `bench` for the benches.
 */
export const PROGRAMS = [
  {
    name: 'Blender',
    commands: ['blender'],
    files: ['/Applications/Blender.app/Contents/MacOS/Blender'],
    packages: { 'apt-get': 'blender', dnf: 'blender', pacman: 'blender', zypper: 'blender', brew: 'blender' },
    by: 'or get it from https://www.blender.org/download',
    without: 'this machine renders no scenes; everything else works',
  },
  {
    name: 'ffmpeg',
    commands: ['ffmpeg'],
    packages: { 'apt-get': 'ffmpeg', dnf: 'ffmpeg-free', pacman: 'ffmpeg', zypper: 'ffmpeg', brew: 'ffmpeg' },
    without: 'frames are rendered, but no films are made of them',
  },
  {
    name: 'bubblewrap',
    commands: ['bwrap'],
    platforms: ['linux'],
    packages: { 'apt-get': 'bubblewrap', dnf: 'bubblewrap', pacman: 'bubblewrap', zypper: 'bubblewrap' },
    without: 'Blender runs unconfined',
  },
  {
    name: 'Chromium',
    purpose: 'test',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    files: [
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ],
    packages: {
      'apt-get': 'chromium',
      dnf: 'chromium',
      pacman: 'chromium',
      zypper: 'chromium',
      brew: 'chromium',
    },
    without: 'the tests of the dashboard are skipped',
  },
  {
    name: 'strace',
    purpose: 'test',
    platforms: ['linux'],
    commands: ['strace'],
    packages: { 'apt-get': 'strace', dnf: 'strace', pacman: 'strace', zypper: 'strace' },
    without: 'the tests that trace system calls are skipped',
  },
  {
    name: 'iproute2',
    purpose: 'lan',
    platforms: ['linux'],
    commands: ['ip'],
    // Where only root has these folders in its PATH.
    files: ['/usr/sbin/ip', '/sbin/ip'],
    packages: { 'apt-get': 'iproute2', dnf: 'iproute', pacman: 'iproute2', zypper: 'iproute2' },
    without: 'the tests in network namespaces are skipped',
  },
  {
    name: 'nftables',
    purpose: 'lan',
    platforms: ['linux'],
    commands: ['nft'],
    files: ['/usr/sbin/nft', '/sbin/nft'],
    packages: { 'apt-get': 'nftables', dnf: 'nftables', pacman: 'nftables', zypper: 'nftables' },
    without: 'the tests in network namespaces are skipped',
  },
  {
    name: 'faketime',
    purpose: 'lan',
    platforms: ['linux'],
    commands: ['faketime'],
    packages: { 'apt-get': 'faketime', dnf: 'libfaketime', pacman: 'libfaketime', zypper: 'libfaketime' },
    without: 'the test of a host whose clock is wrong is skipped',
  },
  {
    name: 'aria2',
    purpose: 'bench',
    platforms: ['linux'],
    commands: ['aria2c'],
    packages: { 'apt-get': 'aria2', dnf: 'aria2', pacman: 'aria2', zypper: 'aria2' },
    without: 'the bench of a swarm has no BitTorrent client beside it',
  },
  {
    name: 'spin',
    purpose: 'test',
    platforms: ['linux'],
    commands: ['spin'],
    packages: { 'apt-get': 'spin' },
    without: 'the models of the succession are not checked',
  },
  {
    name: 'gcc',
    purpose: 'test',
    platforms: ['linux'],
    commands: ['cc'],
    packages: { 'apt-get': 'build-essential', dnf: 'gcc', pacman: 'gcc', zypper: 'gcc' },
    without: 'the models of the succession are not checked',
  },
];

/** How each package manager installs without asking; `refresh` brings its package lists up to date. */
export const MANAGERS = {
  'apt-get': {
    install: ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'],
    refresh: ['update', '-q'],
    needsRoot: true,
    refreshFirst: () => !folderHas('/var/lib/apt/lists', /_Packages/),
  },
  dnf: { install: ['install', '-y', '-q', '--setopt=install_weak_deps=False'], needsRoot: true },
  zypper: { install: ['--non-interactive', '--quiet', 'install', '--no-recommends'], needsRoot: true },
  pacman: {
    install: ['-S', '--noconfirm', '--needed', '--quiet'],
    refresh: ['-Sy', '--quiet'],
    needsRoot: true,
  },
  brew: { install: ['install', '--quiet'], needsRoot: false },
};

function folderHas(folder, pattern) {
  try {
    return readdirSync(folder).some((name) => pattern.test(name));
  } catch {
    return false;
  }
}

function isThere(program) {
  return (
    findCommand(program.commands) !== undefined || (program.files ?? []).some((file) => existsSync(file))
  );
}

/** The programs that this machine should have for these purposes, and has not. */
export function missingPrograms(purposes, platform = process.platform) {
  return PROGRAMS.filter(
    (program) =>
      (program.purpose === undefined || purposes.includes(program.purpose)) &&
      (program.platforms?.includes(platform) ?? true) &&
      !isThere(program),
  );
}

/** Debian's packages under the names that Ubuntu gives them, where they differ. */
function packageOf(program, manager) {
  if (manager === 'apt-get' && program.name === 'Chromium') {
    try {
      if (/^ID=ubuntu/m.test(readFileSync('/etc/os-release', 'utf8'))) return 'chromium-browser';
    } catch {
      // No such file: the usual name is as good as any.
    }
  }
  return program.packages[manager];
}

/** How commands become root's: as they are for root, through a password-less sudo, or undefined. */
async function asRoot() {
  if (process.getuid?.() === 0) return [];
  if (findCommand(['sudo']) === undefined) return undefined;
  return (await run('sudo', ['-n', 'true'])).code === 0 ? ['sudo', '-n'] : undefined;
}

/** sudo drops the environment, and a proxy named there may be the only way out. */
function environmentArguments() {
  const passed = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  return [
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    ...passed.filter((name) => process.env[name]).map((name) => `${name}=${process.env[name]}`),
  ];
}

async function installWith(manager, prefix, packages) {
  const { install, refresh, refreshFirst } = MANAGERS[manager];
  const [command, ...first] = prefix.length > 0 ? [...prefix, ...environmentArguments(), manager] : [manager];
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const attempt = () => run(command, [...first, ...install, ...packages], options);
  let refreshed = false;
  if (refresh !== undefined && refreshFirst?.()) {
    refreshed = true;
    const result = await run(command, [...first, ...refresh], options);
    if (result.code !== 0) return result;
  }
  let result = await attempt();
  // Old lists name files that the mirror no longer has; a second try with new ones settles it.
  if (result.code !== 0 && refresh !== undefined && !refreshed) {
    const again = await run(command, [...first, ...refresh], options);
    result = again.code === 0 ? await attempt() : again;
  }
  return result;
}

/** Installs what is missing where that can be done unasked, and tells in plain sentences what stays missing. */
export async function installPrograms(purposes) {
  const missing = missingPrograms(purposes);
  if (missing.length === 0) return;
  const manager = Object.keys(MANAGERS).find((name) => findCommand([name]) !== undefined);
  const installable =
    manager === undefined ? [] : missing.filter((program) => packageOf(program, manager) !== undefined);
  const prefix = manager !== undefined && MANAGERS[manager].needsRoot ? await asRoot() : [];
  let failure;
  if (installable.length > 0 && prefix !== undefined) {
    say(
      `Installing ${listed(installable.map((program) => program.name))} with ${manager} (a minute or two) …`,
    );
    failure = await installWith(
      manager,
      prefix,
      installable.map((program) => packageOf(program, manager)),
    );
    // One package that the system does not know must not keep the others away.
    if (failure.code !== 0 && installable.length > 1 && !looksOffline(failure.output)) {
      for (const program of missingPrograms(purposes)) {
        const name = packageOf(program, manager);
        if (name !== undefined) await installWith(manager, prefix, [name]);
      }
    }
  }
  const still = missingPrograms(purposes);
  if (still.length > 0 && failure !== undefined && failure.code !== 0) {
    const reason = looksOffline(failure.output)
      ? 'the network cannot be reached'
      : `${manager} ended with code ${failure.code}`;
    say(`The installation did not succeed: ${reason}.\n${tellingLines(failure.output)}`);
  }
  for (const program of still) say(adviceFor(program, manager));
}

/** What to do about a missing program, and what goes on without it. */
export function adviceFor(program, manager) {
  const name = manager === undefined ? undefined : packageOf(program, manager);
  const sudo = manager !== undefined && MANAGERS[manager].needsRoot ? 'sudo ' : '';
  const verb = manager === 'pacman' ? '-S' : 'install';
  const how =
    name === undefined
      ? `Install it with your system's means`
      : `Install it with "${sudo}${manager} ${verb} ${name}"`;
  return `${program.name} is missing. ${how}${program.by === undefined ? '' : `, ${program.by}`}. Without it ${program.without}.`;
}

function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
