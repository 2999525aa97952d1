import { checkedBy, decode, encode, type FarmId, farmIdSchema } from '@cuadro/protocol';
import { z } from 'zod';
import { FRAME, type Frame } from './frames.ts';
import { ADDRESS_LENGTH_MAX, ADDRESSES_PER_PEER_MAX, HELLO_BYTES_MAX } from './limits.ts';

/** What both sides say first on their kept-open stream. Who they are, the connection has proved already. */
const helloSchema = z.looseObject({
  farm: farmIdSchema,
  /** Where the speaker listens, for the next time. */
  addresses: z.array(z.string().max(ADDRESS_LENGTH_MAX)).max(ADDRESSES_PER_PEER_MAX),
  /** The port that it listens on, wherever the other sees it from. */
  port: z.int().min(1).max(65_535),
  /** Whether the speaker returns marks (SPEC R165); older versions pass them over. */
  returnsMarks: z.boolean().optional(),
});
export type Hello = z.infer<typeof helloSchema>;

export const encodeHello = (hello: Hello): Uint8Array => encode(hello);

/** Undefined for what is no hello. */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  try {
    const parsed = checkedBy(helloSchema, decode(bytes, HELLO_BYTES_MAX));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Why a connection is not wanted. */
export const REFUSALS = ['other-farm', 'not-a-member', 'duplicate'] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Where the two of a hello stand to each other; undefined means that the connection is wanted. */
export function refusalOf(
  hello: Hello,
  farm: FarmId,
  standing: { isMember: boolean; isDuplicate: boolean },
): Refusal | undefined {
  if (!standing.isMember) return 'not-a-member';
  if (hello.farm !== farm) return 'other-farm';
  return standing.isDuplicate ? 'duplicate' : undefined;
}

/** Why the other side would not have the connection; undefined for any other frame. */
export function readRefusal(frame: Frame): Refusal | undefined {
  const text = Buffer.from(frame.content.subarray(0, 64)).toString();
  return frame.kind === FRAME.refusal ? REFUSALS.find((refusal) => refusal === text) : undefined;
}
