import { LOBBY_WANTS_MAX, type LobbyAnswerOf, type PeerId } from '@cuadro/protocol';
import { askLobby } from './asking.ts';
import { destination, dissolveInto, found, join, wantsInto } from './moves.ts';
import type { Neighbour } from './neighbours.ts';
import { ASKED_AT_ONCE } from './options.ts';
import type { FarmState } from './state.ts';

/**
 * What a node does about its farm, again and again: one round looks at what is known and takes the next step. Rounds
 * never overlap. Every step is asked anew until it is done, so a lost message costs a round.
 */
export async function runRound(state: FarmState): Promise<void> {
  const { roster, door } = state;
  // Newcomers that went away, and records that came meanwhile.
  door.newcomers();
  if (state.isRemoved) return;
  await askNamed(state);
  await askAround(state);
  if (roster.farm === undefined) return seekFarm(state);
  if (roster.ownFarm === undefined) return rejoin(state);
  if (isHopeless(state)) await state.setIntent(undefined);
  if (await follow(state)) return;
  if (destination(state) !== undefined) return;
  if (await dissolve(state)) return;
  await presentSelf(state);
}

/** Addresses that a person gave: who is there becomes a neighbour. */
async function askNamed(state: FarmState): Promise<void> {
  if (state.joinAddresses.length === 0) return;
  const known = new Set(state.neighbours.all().flatMap(({ lobby }) => lobby));
  await Promise.all(
    state.joinAddresses.filter((address) => !known.has(address)).map((address) => meet(state, address)),
  );
}

/** Asks who is at an address; undefined where nobody answers. */
export async function meet(state: FarmState, address: string): Promise<Neighbour | undefined> {
  const { neighbours, roster } = state;
  const farm = roster.ownFarm?.id;
  const reply = await askLobby(state, [address], { kind: 'who', ...(farm !== undefined && { farm }) });
  if (reply?.answer.kind !== 'who' || reply.peer === state.self) return undefined;
  neighbours.remember(reply.peer, { lobby: [address], mesh: reply.answer.mesh });
  const neighbour = neighbours.get(reply.peer);
  if (neighbour !== undefined) noteWho(state, neighbour, reply.answer);
  return neighbour;
}

function noteWho(state: FarmState, neighbour: Neighbour, who: LobbyAnswerOf<'who'>): void {
  const before = JSON.stringify({ ...neighbour.who, openMs: (neighbour.who?.openMs ?? 0) > 0 });
  state.neighbours.answered(neighbour, who);
  if (before !== JSON.stringify({ ...who, openMs: who.openMs > 0 })) state.notify();
}

/** Asks neighbours who they are, those of this farm that can be reached aside. */
async function askAround(state: FarmState): Promise<void> {
  const { neighbours, roster, options } = state;
  const own = roster.ownFarm?.id;
  const reachable = new Set(state.components.mesh.reachable());
  // At a door that it waits at, asking to be let in tells enough.
  const isListening = state.listening !== undefined && state.now < state.listening.untilMs;
  const pause = isListening ? options.roundMs : options.askAgainMs;
  const due = neighbours
    .all()
    .filter(({ peer }) => peer !== state.self && !(own !== undefined && reachable.has(peer)))
    .filter((neighbour) => neighbour.lobby.length > 0 && neighbours.isDue(neighbour, 'who'))
    .slice(0, ASKED_AT_ONCE);
  await Promise.all(
    due.map(async (neighbour) => {
      const reply = await askLobby(state, neighbour.lobby, {
        kind: 'who',
        ...(own !== undefined && { farm: own }),
      });
      if (reply?.answer.kind === 'who' && reply.peer === neighbour.peer)
        noteWho(state, neighbour, reply.answer);
      else neighbours.failed(neighbour);
      // Until a neighbour has said who it is, it may be the farm that this node is to join.
      neighbours.asked(neighbour, 'who', neighbour.who === undefined ? options.roundMs : pause);
    }),
  );
}

/** A node without a farm: joins an open one, waits at a closed one, or founds its own (SPEC R69). */
async function seekFarm(state: FarmState): Promise<void> {
  const { neighbours, listening } = state;
  const known = neighbours.all().filter(({ who }) => who?.farm !== undefined);
  const readmitted = known.filter(({ who }) => who?.standing === 'member');
  const open = known.filter(({ who }) => (who?.openMs ?? 0) > 0);
  for (const neighbour of [...readmitted, ...open]) {
    if (neighbours.isDue(neighbour, 'join') && (await join(state, neighbour))) return;
  }
  if (listening !== undefined && state.now < listening.untilMs) return;
  for (const neighbour of known.slice(0, ASKED_AT_ONCE)) {
    if (!neighbours.isDue(neighbour, 'join')) continue;
    if (await join(state, neighbour)) return;
  }
  // One that was asked may need hours until a person comes; it is not given up for a farm of one's own.
  if (known.length > 0 || state.asked.size > 0 || state.joinAddresses.length > 0) return;
  const isAnnounced = neighbours.all().some(({ farm, who }) => farm !== undefined && who === undefined);
  if (isAnnounced && listening !== undefined && state.now < listening.limitMs) return;
  await found(state, { open: true });
}

/**
 * Records of this node's own membership were lost or damaged, and members of its farm have them; or whoever let it in was
 * removed by one that did not know of that, and it has to be let in again (SPEC R129).
 */
async function rejoin(state: FarmState): Promise<void> {
  const { neighbours, roster } = state;
  for (const neighbour of nodesOf(state, roster.farm?.id ?? '')) {
    if (neighbours.isDue(neighbour, 'join') && (await join(state, neighbour))) return;
  }
}

/** Whether a farm that was asked to take this one in has gone, or never answered. */
function isHopeless({ intent, now, neighbours, options }: FarmState): boolean {
  if (intent === undefined) return false;
  if (now >= intent.untilMs) return true;
  const askedMs = now - (intent.untilMs - options.intentMs);
  return askedMs > options.askAgainMs && !neighbours.all().some(({ farm }) => farm === intent.into);
}

/** A node whose farm dissolved into another goes there, too. True once it is there. */
async function follow(state: FarmState): Promise<boolean> {
  const { neighbours, roster } = state;
  const farm = roster.ownFarm;
  if (farm === undefined) return false;
  const into = destination(state);
  const hasGone = ({ peer, who }: Neighbour): boolean =>
    who?.absorbed === true && roster.members.get(peer)?.role === 'artist';
  for (const neighbour of neighbours.all()) {
    const there = neighbour.who?.farm?.id;
    if (there === undefined || there === farm.id) continue;
    if (there !== into && !hasGone(neighbour)) continue;
    if (neighbours.isDue(neighbour, 'join') && (await join(state, neighbour))) return true;
  }
  return false;
}

async function dissolve(state: FarmState): Promise<boolean> {
  for (const neighbour of state.neighbours.all()) {
    const how = wantsInto(state, neighbour);
    if (how === undefined || !state.neighbours.isDue(neighbour, 'dissolve')) continue;
    if (await dissolveInto(state, neighbour, how)) return true;
    // It did not answer, and may have acted.
    if (state.intent !== undefined) return false;
  }
  return false;
}

/** Shows this node's membership to members that can't be reached: they may not know of it yet, or no longer. */
async function presentSelf(state: FarmState): Promise<void> {
  const { neighbours, roster, components } = state;
  const farm = roster.ownFarm;
  if (farm === undefined) return;
  const reachable = new Set(components.mesh.reachable());
  const unmet = neighbours
    .all()
    .filter(({ peer, lobby }) => roster.members.has(peer) && !reachable.has(peer) && lobby.length > 0)
    .filter(({ who }) => who?.farm?.id === farm.id && who.standing !== 'member')
    .filter((neighbour) => neighbours.isDue(neighbour, 'present'))
    .slice(0, ASKED_AT_ONCE);
  await Promise.all(unmet.map((neighbour) => present(state, neighbour)));
  await askAddresses(state, reachable);
}

/** Where the network carries no announcements, one member tells where others are. */
async function askAddresses(state: FarmState, reachable: ReadonlySet<PeerId>): Promise<void> {
  const { neighbours, roster, components, self, options } = state;
  const wants = [...roster.members.keys()]
    .filter(
      (peer) => peer !== self && !reachable.has(peer) && components.mesh.knownAddresses(peer).length === 0,
    )
    .slice(0, LOBBY_WANTS_MAX);
  if (wants.length === 0 || state.now < state.addressesAt) return;
  state.addressesAt = state.now + options.askAgainMs;
  const known = neighbours.all().filter(({ peer, lobby }) => reachable.has(peer) && lobby.length > 0);
  // Each time another one: no single member knows where all are.
  const chosen = known[Math.floor(components.random.float() * known.length)];
  if (chosen !== undefined) await present(state, chosen, wants);
}

async function present(state: FarmState, neighbour: Neighbour, wants: PeerId[] = []): Promise<void> {
  const { neighbours, roster, options, self } = state;
  const farm = roster.ownFarm;
  if (farm === undefined) return;
  const reply = await askLobby(state, neighbour.lobby, {
    kind: 'present',
    farm: farm.id,
    members: roster.proof([self], false),
    ...(wants.length > 0 && { wants }),
  });
  neighbours.asked(neighbour, 'present', options.presentMs);
  if (reply === undefined || reply.peer !== neighbour.peer) neighbours.failed(neighbour);
  else if (reply.answer.kind === 'removed') await learnRemoval(state, reply.answer);
  else if (reply.answer.kind === 'known') {
    neighbours.asked(neighbour, 'who', 0);
    for (const { peer, mesh } of reply.answer.addresses ?? [])
      if (wants.includes(peer)) state.components.mesh.addAddresses(peer, mesh);
  }
}

/** Takes the word of others that this node was removed, or was let in by one that was, if its own records then say so, too. */
async function learnRemoval(state: FarmState, answer: LobbyAnswerOf<'removed'>): Promise<void> {
  const { roster, components } = state;
  const farm = roster.ownFarm;
  if (farm === undefined || farm.id !== answer.farm.id) return;
  if (roster.with(farm, answer.members).members.has(state.self)) return;
  await components.merge([...answer.members]);
  roster.invalidate();
}

/** The neighbours of a farm, for the door's page and for people who name it. */
export function nodesOf(state: FarmState, farm: string): Neighbour[] {
  return state.neighbours.all().filter(({ who }) => who?.farm?.id === farm);
}
