import { open, stat } from 'node:fs/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { SceneError } from './errors.ts';
import { sceneLimits } from './limits.ts';

/** What the first bytes of a .blend say. */
export interface BlendHeader {
  /** Major and minor version of the Blender that wrote it. */
  version: [number, number];
  compression: 'none' | 'gzip' | 'zstd';
}

/**
 * Recognises a .blend by its first bytes: milliseconds instead of a Blender start.
 * Throws SceneError `blend-missing`, `blend-not-a-file`, `blend-unreadable` or `blend-garbage`.
 * Source of the format: doc/blender_file_format/BlendFileReader.rb and, from Blender 5.0, its release notes.
 */
export async function readBlendHeader(path: string): Promise<BlendHeader> {
  const head = await readHead(path);
  if (head.length === 0) throw new SceneError('blend-garbage', `${path} is empty: save the scene again.`);
  const compression = compressionOf(head);
  const plain = compression === 'none' ? head : await decompressHead(head, compression);
  const version = versionOf(plain);
  if (!version) {
    throw new SceneError(
      'blend-garbage',
      `${path} is not a .blend file, or it is damaged: open it in Blender and save it again.`,
    );
  }
  return { version, compression };
}

async function readHead(path: string): Promise<Buffer> {
  try {
    const status = await stat(path);
    if (!status.isFile())
      throw new SceneError('blend-not-a-file', `${path} is a folder: name the .blend in it.`);
    const file = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(sceneLimits.headerBytes);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof SceneError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new SceneError('blend-missing', `${path} does not exist: check the path.`, { cause });
    }
    throw new SceneError(
      'blend-unreadable',
      `${path} cannot be read (${code ?? String(cause)}): check its permissions.`,
      {
        cause,
      },
    );
  }
}

function compressionOf(head: Buffer): BlendHeader['compression'] {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  return 'none';
}

/** The first decompressed bytes; empty where the data is damaged. */
function decompressHead(head: Buffer, compression: 'gzip' | 'zstd'): Promise<Buffer> {
  const stream = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  return new Promise((resolve) => {
    // The input is cut in the middle of a block, so an error after the first bytes is expected.
    stream.once('data', (chunk: Buffer) => {
      resolve(chunk);
      stream.destroy();
    });
    stream.once('error', () => resolve(Buffer.alloc(0)));
    stream.once('end', () => resolve(Buffer.alloc(0)));
    stream.write(head);
    stream.flush?.(() => resolve(Buffer.alloc(0)));
  });
}

/** `BLENDER-v304` until 4.x; `BLENDER17-01v0500` (size of the header, format version) from 5.0. */
function versionOf(head: Buffer): [number, number] | undefined {
  const text = head.subarray(0, 17).toString('latin1');
  const old = /^BLENDER[_-][vV](\d)(\d\d)/.exec(text);
  if (old) return [Number(old[1]), Number(old[2])];
  const recent = /^BLENDER17-\d\d[vV](\d\d)(\d\d)/.exec(text);
  if (recent) return [Number(recent[1]), Number(recent[2])];
  return undefined;
}
