import {
  encode,
  LOBBY_RECORDS_BYTES_MAX,
  LOBBY_RECORDS_MAX,
  members,
  nextCounter,
  type FarmId,
  type FarmRecord,
  type LobbyAnswer,
  type LobbyAnswerOf,
  type LobbyRequest,
  type MemberRecord,
  type PeerId,
} from '@cuadro/protocol';
import { askLobby } from './asking.ts';
import { foundFarm, ownRecord } from './founding.ts';
import type { Neighbour } from './neighbours.ts';
import { LOCAL, type FarmState } from './state.ts';

/** The steps that change which farm this node is in. Each is durable before the next, and may be repeated. */

/** Founds a farm of this machine alone; by discovery its door is open at first (SPEC R69). */
export async function found(state: FarmState, options: { open: boolean }): Promise<void> {
  const { components, init, roster } = state;
  const name = init.name();
  const records = foundFarm(components, { farm: `${name}'s farm`.slice(0, 200), machine: name });
  const farm = records[0] as FarmRecord;
  // Noted first: a kill in between leaves no farm, and one after it a founding to complete.
  if (options.open) await components.store.setLocal({ [LOCAL.founding]: farm.id });
  await components.merge(records);
  roster.invalidate();
  settled(state);
  components.logger.info('A farm was founded.', { farm: farm.id, open: options.open });
  if (options.open) beginOpening(state);
}

/** Opens the door of a farm just founded. Whatever ends the opening, or a while, completes the founding. */
export function beginOpening(state: FarmState): void {
  state.door.open(state.options.openMs);
  state.cancelSettling?.();
  state.cancelSettling = state.components.clock.after(state.options.settleMs, () => void endFounding(state));
}

export async function endFounding(state: FarmState): Promise<void> {
  const { store, logger } = state.components;
  state.cancelSettling?.();
  state.cancelSettling = undefined;
  try {
    if ((await store.getLocal(LOCAL.founding)) !== undefined)
      await store.setLocal({ [LOCAL.founding]: undefined });
  } catch (error) {
    // The store is closed or full: then the next start opens the door once more.
    logger.debug('That the founding has settled was not noted.', { error: String(error) });
  }
}

type JoinName = Extract<LobbyRequest, { kind: 'join' }>['name'];

/** Asks to be let in. Whether it was: then this node is in that farm when this resolves. */
export async function join(state: FarmState, neighbour: Neighbour): Promise<boolean> {
  const { components, init, neighbours, options } = state;
  const known = state.roster.records.get(state.self)?.name;
  const own = known?.peer === state.self ? known : ownRecord(components.signer, init.name()).name;
  const reply = await askLobby(state, neighbour.lobby, {
    kind: 'join',
    name: own as JoinName,
    mesh: [...components.mesh.status().meshAddresses].slice(0, 16),
  });
  neighbours.asked(neighbour, 'join', options.waitingPollMs);
  if (reply === undefined || reply.peer !== neighbour.peer) {
    neighbours.failed(neighbour);
    return false;
  }
  const { answer } = reply;
  if (answer.kind === 'admitted') return enter(state, reply.peer, answer);
  noteAnswer(state, neighbour, answer);
  return false;
}

/** Remembers what a farm said to being asked, for the screens. */
export function noteAnswer(state: FarmState, neighbour: Neighbour, answer: LobbyAnswer): void {
  const farm = neighbour.who?.farm;
  if (farm === undefined) return;
  const machine = neighbour.who?.name ?? state.roster.nameOf(neighbour.peer);
  const note = (how: 'waiting' | 'refused' | 'removed'): void => {
    if (state.asked.get(farm.id)?.state === how) return;
    state.asked.set(farm.id, { farm: { id: farm.id, name: farm.name }, machine, state: how });
    state.notify();
  };
  if (answer.kind === 'waiting') note('waiting');
  else if (answer.kind === 'removed') note('removed');
  else if (answer.kind === 'closed' && answer.reason === 'refused') note('refused');
}

/**
 * Takes the records of a farm that let this node in: as its first farm, or in place of the one that it leaves.
 * False where they don't prove what the answer says.
 */
export async function enter(
  state: FarmState,
  by: PeerId,
  { farm, members: records, addresses }: LobbyAnswerOf<'admitted'>,
): Promise<boolean> {
  const { components, roster, door, neighbours } = state;
  const { members: proven } = members(farm, records);
  if (!proven.has(state.self) || !proven.has(by) || farm.mergedInto !== undefined) {
    components.logger.warn('A lobby let this machine in without proof of it.', { peer: by, farm: farm.id });
    return false;
  }
  const before = roster.farm;
  if (before === undefined) await components.merge([farm, ...records]);
  else if (before.id === farm.id) await components.merge(records);
  else await leaveFor(state, before, farm, () => components.adopt([farm, ...records]));
  roster.invalidate();
  // What it said of itself when it was asked who it is; the answer holds a few addresses of each machine only.
  components.mesh.addAddresses(by, neighbours.get(by)?.mesh ?? []);
  for (const { peer, mesh } of addresses) {
    components.mesh.addAddresses(peer, mesh);
    neighbours.remember(peer, { lobby: [], mesh });
  }
  if (before?.id !== farm.id) {
    door.close();
    settled(state);
    if (state.intent !== undefined) await state.setIntent(undefined);
    components.logger.info('This machine joined a farm.', { farm: farm.id, by });
  } else if (state.asked.delete(farm.id)) state.notify();
  return true;
}

/** The farm that is left says where it went, so that its other members follow (SPEC R66). */
async function leaveFor(
  state: FarmState,
  before: FarmRecord,
  farm: FarmRecord,
  adopt: () => Promise<void>,
): Promise<void> {
  await state.addAbsorbed(before.id);
  if (before.mergedInto?.value !== farm.id) {
    const mergedInto = { value: farm.id, counter: nextCounter(before.mergedInto), peer: state.self };
    await state.components.merge([{ ...before, mergedInto }]);
    state.roster.invalidate();
  }
  await adopt();
}

/** This node is in a farm: what was asked and wanted before is done with. */
function settled(state: FarmState): void {
  state.listening = undefined;
  state.asked.clear();
  state.wanted.clear();
  state.letIn.clear();
  state.joining = undefined;
  if (state.joinAddresses.length > 0) {
    state.joinAddresses = [];
    void state.components.store.setLocal({ [LOCAL.join]: undefined }).catch(() => undefined);
  }
  state.notify();
}

/** Whether to ask that this farm dissolves into another one: what this side wants (SPEC R66). */
export function wantsInto(state: FarmState, neighbour: Neighbour): 'confirmed' | 'fresh' | undefined {
  const { roster, door } = state;
  const { who } = neighbour;
  const farm = roster.ownFarm;
  const other = who?.farm;
  if (farm === undefined || who === undefined || other === undefined || other.id === farm.id)
    return undefined;
  if (who.standing === 'removed' || !roster.isArtist) return undefined;
  // One farm at a time: the other may have acted on what it was asked.
  if (state.intent !== undefined) {
    if (state.intent.into !== other.id) return undefined;
    return state.intent.confirmed ? 'confirmed' : 'fresh';
  }
  if (state.joining === other.id && roster.isAlone) return 'confirmed';
  if (other.id > farm.id) return undefined;
  if (state.wanted.has(other.id)) return 'confirmed';
  if (!door.isOpen) return undefined;
  if (who.confirmed) return 'fresh';
  return roster.jobs === 0 && who.jobs === 0 && who.openMs > 0 ? 'fresh' : undefined;
}

/** Asks that this farm dissolves into that of a neighbour; whether this node is in it when this resolves. */
export async function dissolveInto(
  state: FarmState,
  neighbour: Neighbour,
  how: 'confirmed' | 'fresh',
): Promise<boolean> {
  const { roster, neighbours, options } = state;
  const farm = roster.ownFarm;
  const into = neighbour.who?.farm?.id;
  if (farm === undefined || into === undefined) return false;
  if (state.intent === undefined) await state.setIntent({ into, confirmed: how === 'confirmed' });
  // Who is admitted here meanwhile follows by itself: it sees where its farm has gone.
  const parts = partsOf(state);
  for (const part of parts) {
    const reply = await askLobby(state, neighbour.lobby, {
      kind: 'dissolve',
      into,
      farm: { id: farm.id, name: farm.name.value },
      members: part,
      total: roster.members.size,
      jobs: roster.jobs,
      confirmed: how === 'confirmed',
      mesh: [...state.components.mesh.status().meshAddresses].slice(0, 16),
    });
    neighbours.asked(neighbour, 'dissolve', reply === undefined ? 0 : options.waitingPollMs);
    // Without an answer it may have acted: it is asked again until the intent is given up.
    if (reply === undefined || reply.peer !== neighbour.peer) {
      neighbours.failed(neighbour);
      return false;
    }
    if (reply.answer.kind !== 'admitted') {
      await state.setIntent(undefined);
      noteAnswer(state, neighbour, reply.answer);
      if (reply.answer.kind === 'closed') neighbours.asked(neighbour, 'who', 0);
      return false;
    }
    if (part === parts.at(-1)) return enter(state, reply.peer, reply.answer);
  }
  return false;
}

/** The members' records in parts that fit a request: this machine first, which speaks for them. */
function partsOf(state: FarmState): MemberRecord[][] {
  const { roster, self } = state;
  const peers = [self, ...[...roster.members.keys()].filter((peer) => peer !== self)];
  const parts: MemberRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of peers.flatMap((peer) => roster.records.get(peer) ?? [])) {
    const size = encode(record).byteLength;
    bytes += size;
    if (bytes > LOBBY_RECORDS_BYTES_MAX || parts.at(-1)?.length === LOBBY_RECORDS_MAX) {
      parts.push([]);
      bytes = size;
    }
    parts.at(-1)?.push(record);
  }
  return parts;
}

/** The farm that this one dissolved into, where this node hasn't followed yet. */
export function destination(state: FarmState): FarmId | undefined {
  return state.roster.farm?.mergedInto?.value;
}
