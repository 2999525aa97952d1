import { compareText, typedAddress, type DoorView, type FoundFarmView } from '@cuadro/protocol';
import type { FarmState } from './state.ts';

/** The door's page, made only when it is shown. */
export function doorView(state: FarmState): DoorView {
  const { roster, door, components } = state;
  const farm = roster.farm;
  const alone = aloneOf(state);
  const phase = phaseOf(state);
  return {
    state: phase,
    message: messageOf(state, phase),
    ...(farm !== undefined && { farm: { id: farm.id, name: farm.name.value } }),
    ...(door.isOpen && phase === 'member' && { open: { leftMs: Math.round(door.leftMs) } }),
    newcomers: newcomersOf(state),
    asked: [...state.asked.values()].map(({ farm: asked, machine, state: how }) => ({
      farm: asked,
      machine,
      words: state.words(state.self, asked.id),
      state: how,
    })),
    found: foundFarms(state),
    ...(alone !== undefined && { alone }),
    addresses: addressesForOthers(components.mesh.status().lobbyAddresses),
    members: membersOf(state),
    removed: [...roster.removed.values()].map(({ peer, name, by, reason, wallTime }) => ({
      peer,
      name,
      by: roster.nameOf(by),
      reason,
      removedAt: wallTime,
    })),
  };
}

/** What people type on another machine: this machine's loopback leads nowhere from there, unless it is all there is. */
function addressesForOthers(lobby: readonly string[]): string[] {
  const typed = [...new Set(lobby.map(typedAddress))];
  const outside = typed.filter((address) => !/^(127\.|\[::1\])/.test(address));
  return outside.length > 0 ? outside : typed;
}

type Phase = DoorView['state'];

function phaseOf(state: FarmState): Phase {
  const { roster } = state;
  if (state.isRemoved) return 'removed';
  if (roster.farm?.mergedInto !== undefined) return 'moving';
  if (roster.ownFarm !== undefined) return 'member';
  return state.asked.size > 0 ? 'waiting' : 'looking';
}

function messageOf(state: FarmState, phase: Phase): string {
  const { roster, door } = state;
  const name = roster.farm?.name.value ?? '';
  switch (phase) {
    case 'looking':
      if (roster.farm !== undefined)
        return `This machine is no member of ${name} any more: whoever let it in was removed before the others knew of it. It asks them to let it in again.`;
      return state.joinAddresses.length > 0
        ? 'This machine tries to reach the machine that it is to join.'
        : 'This machine looks for a farm on the local network; without one it founds its own.';
    case 'waiting':
      return waitingMessage(state);
    case 'moving':
      return `${name} dissolves into another farm; this machine follows as soon as it reaches it.`;
    case 'removed':
      return removedMessage(state);
    case 'member':
      return door.isOpen
        ? `The door of ${name} is open: machines of the local network join by themselves.`
        : `The door of ${name} is closed on this machine: newcomers wait until a member admits them.`;
  }
}

function waitingMessage(state: FarmState): string {
  const asked = [...state.asked.values()];
  const waits = asked.find((one) => one.state === 'waiting');
  if (waits !== undefined) {
    return `This machine waits to be let into ${waits.farm.name}: admit it on ${waits.machine} or another member, where the same three words are shown.`;
  }
  const [first] = asked;
  if (first?.state === 'removed') {
    return `This machine was removed from ${first.farm.name}, and that is final for its key. It can found a farm of its own.`;
  }
  return `${first?.machine ?? 'A member'} refused to let this machine in. It asks again in a while, or founds a farm of its own.`;
}

function removedMessage(state: FarmState): string {
  const removal = state.roster.removed.get(state.self);
  if (removal?.by === state.self) {
    return `This machine has left ${state.roster.farm?.name.value ?? 'its farm'}. What it holds stays here. That is final for its key: start its node with a new data folder to join a farm again (cuadro up --data FOLDER).`;
  }
  const by = removal === undefined ? 'a member' : state.roster.nameOf(removal.by);
  const why = removal?.reason ? ` (${removal.reason})` : '';
  return `This machine was removed from ${state.roster.farm?.name.value ?? 'its farm'} by ${by}${why}. It no longer takes part, and what it holds stays here. That is final for its key: start its node with a new data folder to join a farm again (cuadro up --data FOLDER).`;
}

function newcomersOf(state: FarmState): DoorView['newcomers'] {
  const { farm, members } = state.roster;
  if (farm === undefined) return [];
  // Whom another member has admitted asks here no more, and would only be forgotten after a while.
  const newcomers = state.door.newcomers().filter(({ peer }) => !members.has(peer));
  return newcomers.map(({ peer, name, mesh, farm: theirs }) => ({
    peer,
    name,
    words: state.words(peer, farm.id),
    addresses: [...new Set(state.neighbours.get(peer)?.mesh ?? mesh)],
    ...(theirs !== undefined && { farm: theirs }),
  }));
}

/** Other farms, by what their nodes last answered. */
function foundFarms(state: FarmState): FoundFarmView[] {
  const own = state.roster.farm?.id;
  const farms = new Map<string, FoundFarmView>();
  for (const { who } of state.neighbours.all()) {
    const { farm } = who ?? {};
    if (who === undefined || farm === undefined || farm.id === own) continue;
    const known = farms.get(farm.id);
    farms.set(farm.id, {
      farm: { id: farm.id, name: farm.name },
      machines: [...(known?.machines ?? []), who.name],
      members: Math.max(known?.members ?? 0, who.members),
      jobs: Math.max(known?.jobs ?? 0, who.jobs),
      open: known?.open === true || who.openMs > 0,
      wantedHere: state.wanted.has(farm.id) || state.joining === farm.id,
      wantedThere: known?.wantedThere === true || who.confirmed,
    });
  }
  return [...farms.values()].sort((a, b) => compareText(a.farm.id, b.farm.id));
}

function membersOf(state: FarmState): DoorView['members'] {
  const { roster, components, self } = state;
  const reachable = new Set([self, ...components.mesh.reachable()]);
  return [...roster.members.values()]
    .map(({ peer, name, role, admittedBy, wallTime }) => ({
      peer,
      name,
      here: peer === self,
      reachable: reachable.has(peer),
      founder: roster.farm?.founder === peer,
      role,
      ...(admittedBy !== undefined && { admittedBy: roster.nameOf(admittedBy) }),
      ...(wallTime !== undefined && { admittedAt: wallTime }),
    }))
    .sort(
      (a, b) => Number(b.here) - Number(a.here) || compareText(a.name, b.name) || compareText(a.peer, b.peer),
    );
}

/** No other node was seen for a while: where it looked, and what a person can do. */
function aloneOf(state: FarmState): DoorView['alone'] {
  const { init, options, now, startedAt, neighbours, components } = state;
  if (!init.discovery || now - startedAt < options.aloneMs || neighbours.anySeen) return undefined;
  const { interfaces, lobbyAddresses } = components.mesh.status();
  if (components.mesh.reachable().length > 0) return undefined;
  const tried = interfaces.map(({ name, address, problem }) =>
    problem === undefined ? `${name} (${address})` : `${name} (${address}: ${problem})`,
  );
  const where =
    tried.length === 0 ? 'There is no network interface to look on' : `Looked on ${tried.join(', ')}`;
  const [own] = lobbyAddresses.map(typedAddress);
  const typed = own === undefined ? '' : ` (this one is ${own})`;
  return {
    message: `No other node was seen for ${Math.round(options.aloneMs / 1_000)} s. ${where}. If there should be one: start Cuadro there, put both into the same network, let UDP port 5353 through the firewalls, or name the other machine's address: cuadro join ADDRESS${typed}.`,
    interfaces: interfaces.map(({ name, address, problem }) => ({
      name,
      address,
      ...(problem !== undefined && { problem }),
    })),
  };
}
