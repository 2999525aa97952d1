#!/usr/bin/env node
/**
 * The `cuadro` command, from any folder. A Node that runs TypeScript by itself goes straight on to the command;
 * an older one starts the Node that the packages brought along, and stands in for it towards the terminal.
 */
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

/** The oldest Node that runs TypeScript without a flag. */
const LEAST = [22, 18];

const [major, minor] = process.versions.node.split('.').map(Number);
const main = new URL('../src/cli/main.ts', import.meta.url);

if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) {
  // Compiled code is kept between calls: a command should answer at once.
  nodeModule.enableCompileCache?.();
  process.argv[1] = fileURLToPath(main);
  await import(main.href);
} else {
  await goOnUnderInstalledNode();
}

async function goOnUnderInstalledNode() {
  const installed = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(installed)) {
    console.error(
      `cuadro needs Node ${LEAST.join('.')} or newer (this is ${process.versions.node}), and none is installed ` +
        `beside it. Run "node scripts/setup.js" in ${fileURLToPath(new URL('../..', import.meta.url))}, or install a newer Node from https://nodejs.org.`,
    );
    process.exit(1);
  }
  const { spawn } = await import('node:child_process');
  const child = spawn(installed, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C and its closing to both processes; this one only waits for the other to end in order.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(
      `${installed} does not start: ${error.message}. Delete node_modules and run the set-up again.`,
    );
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
