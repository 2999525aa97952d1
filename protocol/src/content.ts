import { z } from 'zod';
import { blobHashSchema, peerIdSchema } from './ids.ts';
import {
  BLOB_HASHES_PER_REQUEST_MAX,
  BLOB_PIECES_PER_REQUEST_MAX,
  FRAME_BODY_BYTES_MAX,
  SWARM_PEERS_MAX,
} from './limits.ts';

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
  /** Which units of a bundle are there, and who else fetches it? Answered by one `parts`, or by `absent`. */
  z.looseObject({ kind: z.literal('parts'), bundle: blobHashSchema }),
  /**
   * At most about so many bytes of the units of a bundle whose bits are set in the body, of the holder's choice:
   * answered by one `unit` for each and one `given`, or by `absent`.
   */
  z.looseObject({
    kind: z.literal('some'),
    bundle: blobHashSchema,
    bytes: z.int().min(1).max(FRAME_BODY_BYTES_MAX),
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
  /** Where not all of the bundle is there, the body has a bit for each unit; `others` asked for it lately. */
  z.looseObject({
    kind: z.literal('parts'),
    bundle: blobHashSchema,
    whole: z.boolean(),
    others: z.array(peerIdSchema).max(SWARM_PEERS_MAX),
  }),
  /** The body is the unit: a small file, or a piece. */
  z.looseObject({ kind: z.literal('unit'), unit: sizeBytes }),
  /** The end of what was chosen. */
  z.looseObject({ kind: z.literal('given') }),
  /** Too many ask at the moment: in place of any answer, for the whole request. */
  z.looseObject({ kind: z.literal('busy') }),
]);
export type BlobsAnswer = z.infer<typeof blobsAnswerSchema>;
