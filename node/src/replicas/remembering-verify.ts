import { hash } from 'node:crypto';
import type { Verify } from '@cuadro/protocol';
import { SIGNATURES_REMEMBERED } from './limits.ts';

/**
 * Remembers good signatures: a record is checked whole with every change of it, and a signature costs fifty times
 * what looking it up does. A good one stays good, since it binds peer and bytes for ever.
 */
export function createRememberingVerify(verify: Verify, init: { remembered?: number } = {}): Verify {
  const limit = init.remembered ?? SIGNATURES_REMEMBERED;
  let recent = new Set<string>();
  let older = new Set<string>();
  return (peer, bytes, signature) => {
    const key = `${peer} ${hash('sha256', bytes, 'base64')} ${Buffer.from(signature).toString('base64')}`;
    if (recent.has(key)) return true;
    if (!older.has(key) && !verify(peer, bytes, signature)) return false;
    recent.add(key);
    // Two generations forget what wasn't asked for lately, at the cost of one set each.
    if (recent.size >= limit / 2) [older, recent] = [recent, new Set()];
    return true;
  };
}
