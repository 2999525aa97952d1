import { z } from 'zod';
import { parsedBy } from './checked-by.ts';
import { decode } from './codec.ts';
import { blobHashSchema, type BlobHash } from './ids.ts';
import { BUNDLE_BYTES_MAX, BUNDLE_FILES_MAX, PATH_LENGTH_MAX } from './limits.ts';

/**
 * A bundle is a scene and all its files: a tree of relative path → blob, itself a blob (SPEC R61). A renderer
 * rebuilds the same tree and rewrites only absolute paths, by `remap`.
 */
export interface Bundle {
  version: 1;
  /** The .blend to open, relative to the tree. */
  main: string;
  files: { path: string; blob: BlobHash; sizeBytes: number }[];
  /** Absolute paths as the scene names them → where they are in the tree. */
  remap: { from: string; to: string }[];
}

export const bundlePathSchema = z
  .string()
  .min(1)
  .max(PATH_LENGTH_MAX)
  .refine(isSafePath, 'leaves its folder');

export const bundleSchema = z.object({
  version: z.literal(1),
  main: bundlePathSchema,
  files: z
    .array(z.object({ path: bundlePathSchema, blob: blobHashSchema, sizeBytes: z.number().min(0) }))
    .max(BUNDLE_FILES_MAX),
  remap: z
    .array(z.object({ from: z.string().min(1).max(4_096), to: bundlePathSchema }))
    .max(BUNDLE_FILES_MAX),
});

/** What a bundle's blob says. @throws MalformedBytesError (SPEC R4), or zod's error for bytes that are no bundle. */
export const readBundle = (bytes: Uint8Array): Bundle =>
  parsedBy(bundleSchema, decode(bytes, BUNDLE_BYTES_MAX));

/** Whether a relative path stays in its folder on every system: no `..`, no root, no drive, no backslash (SPEC R62). */
export function isSafePath(path: string): boolean {
  if (path === '' || path.startsWith('/') || /[\0\\]/.test(path) || /^[A-Za-z]:/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
