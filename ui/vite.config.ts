import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { API_PREFIX, ROUTES } from '@cuadro/protocol';
import { marked } from 'marked';
import { defineConfig, type Plugin } from 'vite';

/**
 * The route table's methods and paths without its schemas, made at build time: the browser then needs no zod,
 * and there still is one table (SPEC R91).
 */
function routes(): Plugin {
  const name = 'virtual:cuadro-routes';
  const table = Object.fromEntries(
    Object.entries(ROUTES).map(([key, route]) => [key, [route.method, API_PREFIX + route.path]]),
  );
  return {
    name: 'cuadro-routes',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: (id) => (id === `\0${name}` ? `export const routes = ${JSON.stringify(table)};` : undefined),
  };
}

/** User documentation is Markdown in the project and HTML in the bundle: nothing is converted in the browser. */
function documentation(): Plugin {
  return {
    name: 'cuadro-documentation',
    enforce: 'pre',
    async load(id) {
      if (!id.endsWith('.md')) return undefined;
      const text = readFileSync(id, 'utf8');
      const title = /^# (.+)$/m.exec(text)?.[1] ?? basename(id, '.md');
      const html = await marked.parse(text, { gfm: true });
      // Tables scroll by themselves on narrow screens, so the page never does.
      const tables = html
        .replaceAll('<table>', '<div class="table" tabindex="0" role="region" aria-label="Table"><table>')
        .replaceAll('</table>', '</table></div>')
        .replaceAll('<pre>', '<pre tabindex="0">');
      return `export default ${JSON.stringify({ name: basename(id, '.md'), title, html: tables })};`;
    },
  };
}

/** `npm run dev` gives the live node's address and token; the build needs neither. */
const address = process.env['CUADRO_DEV_ADDRESS'];
const token = process.env['CUADRO_DEV_TOKEN'];
const target = address === undefined ? undefined : new URL(address);
const proxy = target && {
  target: target.origin,
  // The node checks Host and Origin against its own address, so the proxy speaks under the node's name.
  changeOrigin: true,
  headers: { authorization: `Bearer ${token ?? ''}`, origin: target.origin, 'sec-fetch-site': 'same-origin' },
};

export default defineConfig({
  plugins: [routes(), documentation()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    host: '127.0.0.1',
    ...(proxy && { proxy: { '/api': proxy, '/signin': proxy } }),
  },
});
