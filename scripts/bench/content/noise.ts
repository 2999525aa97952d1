import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const CHUNK_BYTES = 2 ** 20;

/** Writes SHAKE's output: it can't be compressed, and is the same for the same name. */
export async function writeNoise(path: string, name: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
      const outputLength = Math.min(CHUNK_BYTES, sizeBytes - at);
      await file.write(createHash('shake128', { outputLength }).update(`${name}/${at}`).digest());
    }
  } finally {
    await file.close();
  }
}
