import { z } from 'zod';
import { blobHashSchema } from './ids.ts';
import { BLOB_HASHES_PER_REQUEST_MAX, BLOB_PIECES_PER_REQUEST_MAX } from './limits.ts';

/**
 * How machines hand each other stored files (SPEC R55, R56). A request and its answers travel as frames on a stream:
 * a head, which is one of these, and a body of raw bytes.
 */

const hashes = z.array(blobHashSchema).min(1).max(BLOB_HASHES_PER_REQUEST_MAX);
const sizeBytes = z.int().min(0);

export const blobsRequestSchema = z.discriminatedUnion('kind', [
  /** Which of these are there? Answered by one `have`. */
  z.looseObject({ kind: z.literal('have'), hashes }),
  /** Small ones whole, the manifests of large ones: answered by one frame for each, in order. */
  z.looseObject({ kind: z.literal('get'), hashes }),
  /** Pieces of one: answered by one `piece` for each, in order, or by `absent` for all that are left. */
  z.looseObject({
    kind: z.literal('pieces'),
    hash: blobHashSchema,
    pieces: z.array(sizeBytes).min(1).max(BLOB_PIECES_PER_REQUEST_MAX),
  }),
]);
export type BlobsRequest = z.infer<typeof blobsRequestSchema>;

export const blobsAnswerSchema = z.discriminatedUnion('kind', [
  /** The size of each, or null for what isn't there. */
  z.looseObject({
    kind: z.literal('have'),
    sizes: z.array(sizeBytes.nullable()).max(BLOB_HASHES_PER_REQUEST_MAX),
  }),
  /** The body is the file. */
  z.looseObject({ kind: z.literal('file'), hash: blobHashSchema }),
  /** The body is the hashes of its pieces, 32 bytes each. */
  z.looseObject({ kind: z.literal('manifest'), hash: blobHashSchema, sizeBytes }),
  z.looseObject({ kind: z.literal('absent'), hash: blobHashSchema }),
  /** The body is the piece. */
  z.looseObject({ kind: z.literal('piece'), index: sizeBytes }),
  /** Too many ask at the moment: in place of any answer, for the whole request. */
  z.looseObject({ kind: z.literal('busy') }),
]);
export type BlobsAnswer = z.infer<typeof blobsAnswerSchema>;
