import {
  decode,
  encode,
  LOBBY_BYTES_MAX,
  lobbyAnswerSchema,
  verifyRecord,
  type LobbyAnswer,
  type LobbyRequest,
  type MemberRecord,
  type PeerId,
} from '@cuadro/protocol';
import type { FarmState } from './state.ts';

export interface Answered {
  readonly peer: PeerId;
  readonly answer: LobbyAnswer;
}

/**
 * Asks a lobby. Undefined where nobody answered in time, or not readably: what is asked is asked again anyway.
 * Records in the answer have good signatures; whether they prove anything is for the asker to see.
 */
export async function askLobby(
  state: FarmState,
  addresses: readonly string[],
  request: LobbyRequest,
): Promise<Answered | undefined> {
  const { clock, mesh, logger } = state.components;
  const controller = new AbortController();
  const { promise: given, resolve: giveUp } = Promise.withResolvers<undefined>();
  const onEnd = (): void => {
    controller.abort(new Error('The lobby did not answer in time.'));
    giveUp(undefined);
  };
  const cancel = clock.after(state.options.askTimeoutMs, onEnd);
  state.stopping.addEventListener('abort', onEnd, { once: true });
  try {
    if (state.stopping.aborted || addresses.length === 0) return undefined;
    const asked = mesh.askLobby(addresses, encode(request), { signal: controller.signal });
    // A mesh that takes no notice of the signal must not hold this up.
    asked.catch(() => undefined);
    const reply = await Promise.race([asked, given]);
    if (reply === undefined) return undefined;
    const answer = readAnswer(reply.answer);
    if (answer === undefined) {
      mesh.refuse('lobby-answer-unreadable', reply.peer);
      logger.debug('A lobby answered unreadably.', { peer: reply.peer, kind: request.kind });
      return undefined;
    }
    if (!recordsOf(answer).every((record) => verifyRecord(record, state.components.verify))) {
      mesh.refuse('lobby-answer-badly-signed', reply.peer);
      logger.warn('A lobby answered with records that are not signed as they say.', { peer: reply.peer });
      return undefined;
    }
    return { peer: reply.peer, answer };
  } catch (error) {
    logger.debug('A lobby did not answer.', { addresses, kind: request.kind, error: String(error) });
    return undefined;
  } finally {
    cancel();
    state.stopping.removeEventListener('abort', onEnd);
  }
}

function readAnswer(bytes: Uint8Array): LobbyAnswer | undefined {
  try {
    return lobbyAnswerSchema.parse(decode(bytes, LOBBY_BYTES_MAX));
  } catch {
    return undefined;
  }
}

const recordsOf = (answer: LobbyAnswer): readonly MemberRecord[] =>
  answer.kind === 'admitted' || answer.kind === 'removed' ? answer.members : [];
