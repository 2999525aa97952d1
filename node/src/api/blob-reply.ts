import { extname } from 'node:path';
import { Readable } from 'node:stream';
import type { BlobHash } from '@cuadro/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ContentPlace, ContentReader } from './interface.ts';

/**
 * Types that a browser shows without running anything in them; all else is bytes to save. SVG and HTML are not
 * among them: frames come from scenes that strangers made.
 */
const contentTypes: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.bmp': 'image/bmp',
  '.avif': 'image/avif',
  '.tif': 'image/tiff',
  '.tiff': 'image/tiff',
  '.exr': 'image/x-exr',
  '.hdr': 'image/vnd.radiance',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.webm': 'video/webm',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.flac': 'audio/flac',
  '.wav': 'audio/wav',
  '.mp3': 'audio/mpeg',
  '.txt': 'text/plain; charset=utf-8',
  '.log': 'text/plain; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
};

interface BlobCall {
  hash: BlobHash;
  /** File name: gives the type by its extension, and the name of a download. */
  name?: string | undefined;
  /** Present in any form, the file is saved and not shown. */
  download?: string | undefined;
  /** What it belongs to, where the address says it. */
  place: ContentPlace;
  signal: AbortSignal;
  request: FastifyRequest;
  reply: FastifyReply;
}

/**
 * Sends a stored file, whole or one range of it (films are sought in). The content of a hash never changes, so
 * browsers keep it for ever.
 * @throws CuadroError `blob-not-found`, `blob-unreachable`, `blob-corrupt` as long as nothing was sent; damage met later cuts the
 * connection, so that a client sees that the file is not whole.
 */
export async function sendBlob(components: { content: ContentReader }, call: BlobCall): Promise<undefined> {
  const { hash, name, download, place, signal, request, reply } = call;
  const etag = `"${hash}"`;
  void reply.headers({
    etag,
    'cache-control': 'private, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  });
  if (request.headers['if-none-match']?.includes(etag) === true) {
    await reply.code(304).send();
    return undefined;
  }
  const opened = await components.content.open(hash, { signal, ...place });
  const { sizeBytes } = opened;
  void reply.type(contentTypes[extname(name ?? '').toLowerCase()] ?? 'application/octet-stream');
  if (download !== undefined) void reply.header('content-disposition', attachment(name ?? hash));
  const ifRange = request.headers['if-range'];
  const rangeText = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
  const range = parseRange(rangeText, sizeBytes);
  if (range === 'unsatisfiable') {
    await reply.code(416).header('content-range', `bytes */${sizeBytes}`).type('text/plain').send('');
    return undefined;
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes - 1 };
  const bytes = await opened.read({ start, end: end + 1 });
  if (range !== undefined) void reply.code(206).header('content-range', `bytes ${start}-${end}/${sizeBytes}`);
  void reply.header('content-length', end - start + 1);
  await reply.send(Readable.from(bytes, { objectMode: false }));
  return undefined;
}

/** One range `bytes=a-b`, `a-` or `-n`; several, or other units, are ignored as RFC 9110 allows. */
export function parseRange(
  text: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const first = match[1] === '' ? Math.max(sizeBytes - Number(match[2]), 0) : Number(match[1]);
  const last = match[1] === '' || match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  if (match[1] !== '' && match[2] !== '' && Number(match[2]) < first) return undefined;
  return first > last ? 'unsatisfiable' : { start: first, end: last };
}

/** RFC 6266: a plain name for old readers, and the exact one in UTF-8. Folders in the name are dropped. */
function attachment(name: string): string {
  const base = name.split(/[/\\]/).at(-1) || 'file';
  const plain = base.replace(/[^\w. -]/g, '_');
  const exact = encodeURIComponent(base.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
