import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.js';
import { findCommand, run, say, SetupError, systemPath, tellingLines } from './run.js';

const NOT_SOURCES = new Set(['dist', 'node_modules']);

function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (NOT_SOURCES.has(entry.name) || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** One hash over everything that goes into the dashboard: its sources, the shared language, the packages. */
export function sourcesHash(root) {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  for (const folder of ['ui', 'protocol/src']) {
    if (!existsSync(join(root, folder))) continue;
    for (const file of filesBelow(join(root, folder)))
      hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function isBuilt(root, hash) {
  try {
    return (
      existsSync(join(root, 'ui/dist/index.html')) &&
      readFileSync(join(root, 'ui/dist/.cuadro-build'), 'utf8').trim() === hash
    );
  } catch {
    return false;
  }
}

/** Builds the dashboard when its sources changed. Without it the node still works, so only tests insist. */
export async function buildDashboard(root, insist) {
  const configured = ['ts', 'js', 'mts', 'mjs'].some((ending) =>
    existsSync(join(root, `ui/vite.config.${ending}`)),
  );
  if (!configured || isBuilt(root, sourcesHash(root))) return;
  await withLock(root, 'dashboard', async () => {
    const hash = sourcesHash(root);
    if (isBuilt(root, hash)) return;
    say('Building the dashboard …');
    const vite = join(root, 'node_modules/vite/bin/vite.js');
    const pinned =
      findCommand(['node'], join(root, 'node_modules/.bin')) ??
      findCommand(['node'], systemPath()) ??
      process.execPath;
    const result = await run(pinned, [vite, 'build'], { cwd: join(root, 'ui') });
    if (result.code === 0) {
      writeFileSync(join(root, 'ui/dist/.cuadro-build'), `${hash}\n`);
      return;
    }
    const sentence = `The dashboard could not be built (vite build ended with code ${result.code}).\n${tellingLines(result.output)}`;
    if (insist) throw new SetupError(sentence);
    say(`${sentence}\n  Everything else goes on without it.`);
  });
}
