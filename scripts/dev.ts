import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CuadroError } from '@cuadro/protocol';
import { connectNode } from '../node/src/cli/client.ts';
import { defaultDataFolder } from '../node/src/cli/data-folder.ts';

/**
 * `npm run dev`: the dashboard with reload, against the node that runs on this machine. Vite passes the API on and
 * adds the node's token, so the page needs no signing in.
 */
const dataFolder = defaultDataFolder(process.env);
try {
  const { address, token } = connectNode(dataFolder).file;
  console.log(`The dashboard with reload, against the node at ${address}:`);
  const vite = fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url));
  const child = spawn(process.execPath, [vite, ...process.argv.slice(2)], {
    cwd: fileURLToPath(new URL('../ui', import.meta.url)),
    stdio: 'inherit',
    env: { ...process.env, CUADRO_DEV_ADDRESS: address, CUADRO_DEV_TOKEN: token },
  });
  // Ctrl-C reaches Vite by itself; this process waits for it.
  process.on('SIGINT', () => undefined);
  const [code] = (await once(child, 'close')) as [number | null];
  process.exitCode = code ?? 0;
} catch (error) {
  if (!(error instanceof CuadroError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
