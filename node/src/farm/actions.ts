import {
  CuadroError,
  lobbyAddress,
  marksOf,
  REMOVAL_JOBS_MAX,
  sameWords,
  signRemoval,
  wordsOf,
  type ChangeView,
  type FarmMember,
  type FarmRecord,
  type MemberRecord,
} from '@cuadro/protocol';
import { admitAll } from './desk.ts';
import type { Newcomer } from './door.ts';
import { endFounding, found } from './moves.ts';
import { OPEN_MAX_MS } from './options.ts';
import type { LeaveOptions } from './interface.ts';
import { meet, nodesOf } from './rounds.ts';
import { LOCAL, type FarmState } from './state.ts';

/** What people do at the door. Each answers once it is durable. */

const answer = (message: string): ChangeView => ({ machines: 1, message });
const refused = (why: string): CuadroError => new CuadroError('door-refused', { why });

/** The farm in which this machine may let others in and out. @throws CuadroError `door-refused`. */
function ownFarm(state: FarmState): FarmRecord {
  const { ownFarm: farm, isArtist } = state.roster;
  if (farm === undefined) throw refused('This machine is in no farm yet.');
  if (!isArtist) throw refused('This machine renders for the farm only; an artist admits and removes.');
  if (farm.mergedInto !== undefined || state.intent !== undefined) {
    throw refused('This farm is just dissolving into another; try again when that is done.');
  }
  return farm;
}

export async function openDoor(state: FarmState, forMs: number): Promise<ChangeView> {
  ownFarm(state);
  const ms = Math.min(forMs, OPEN_MAX_MS);
  await endFounding(state);
  state.door.open(ms);
  return answer(
    `The door is open for ${durationText(ms)}: machines of the local network join by themselves.`,
  );
}

export async function closeDoor(state: FarmState): Promise<ChangeView> {
  await endFounding(state);
  state.door.close();
  // Each member has a door of its own, so this can't promise that nobody comes in elsewhere.
  const others = state.roster.members.size > 1 ? ' A door that another member opened stays open.' : '';
  return answer(`This machine's door is closed: newcomers wait until a member admits them.${others}`);
}

export async function admitNewcomer(state: FarmState, text: string | undefined): Promise<ChangeView> {
  const farm = ownFarm(state);
  const newcomer = findNewcomer(state, farm, text);
  if (newcomer.farm !== undefined) state.letInFarm(newcomer.farm.id);
  await admitAll(state, farm, newcomer.records);
  state.components.mesh.addAddresses(newcomer.peer, newcomer.mesh);
  state.door.leave(newcomer.peer);
  if (newcomer.farm === undefined) return answer(`${newcomer.name} is a member of ${farm.name.value} now.`);
  return answer(`${newcomer.farm.name} is taken into ${farm.name.value}, with its jobs.`);
}

export async function refuseNewcomer(state: FarmState, text: string | undefined): Promise<ChangeView> {
  const newcomer = findNewcomer(state, ownFarm(state), text);
  state.door.refuse(newcomer.peer);
  return answer(`${newcomer.name} was sent away.`);
}

/** By three words, peer id, or name. @throws CuadroError `newcomer-not-found`, `newcomer-ambiguous`. */
function findNewcomer(state: FarmState, farm: FarmRecord, text: string | undefined): Newcomer {
  const all = state.door.newcomers();
  const words = (newcomer: Newcomer): string => state.words(newcomer.peer, farm.id);
  const matches =
    text === undefined
      ? all
      : all.filter(
          (newcomer) =>
            newcomer.peer === text ||
            sameWords(words(newcomer), text) ||
            newcomer.name.toLowerCase() === text.toLowerCase(),
        );
  if (matches.length > 1) {
    const named = matches.map((newcomer) => `${newcomer.name} (${words(newcomer)})`).join(', ');
    throw new CuadroError('newcomer-ambiguous', { newcomers: named });
  }
  const [match] = matches;
  if (match !== undefined) return match;
  throw text === undefined
    ? new CuadroError('door-empty')
    : new CuadroError('newcomer-not-found', { newcomer: text });
}

/** Removes a member for good (SPEC R64). Its jobs and frames stay. */
export async function removeMember(state: FarmState, text: string, reason: string): Promise<ChangeView> {
  ownFarm(state);
  const { roster, components, self } = state;
  const { peer, name } = findMember(state, text);
  if (peer === self)
    throw refused('A machine can not remove itself: it leaves (cuadro leave), or another member removes it.');
  const record = roster.records.get(peer);
  if (record === undefined) throw new CuadroError('node-not-found', { node: text });
  await components.merge([withRemoval(state, record, reason)]);
  roster.invalidate();
  return answer(`${name} is no member any more. What it rendered stays.`);
}

/** A member's record with this machine's word that it is removed (SPEC R64). */
function withRemoval(state: FarmState, record: MemberRecord, reason: string): MemberRecord {
  const { roster, components, self } = state;
  const { queries, clock, signer } = components;
  const { peer } = record;
  const stands = wordsOf(peer, roster.records.values());
  const jobs = queries.jobIds().flatMap((id) => queries.jobRecord(id) ?? []);
  const removal = signRemoval(signer, peer, {
    reason,
    wallTime: clock.wallTime(),
    stands,
    jobs: marksOf(peer, jobs, REMOVAL_JOBS_MAX),
  });
  return { ...record, removals: { ...record.removals, [self]: removal } };
}

/**
 * Takes this machine out of its farm (SPEC R160). Another machine is told first: this one's own word is its end here,
 * and nobody would hear of it after that. False where none has answered; then nothing has changed here, unless it
 * `mayBeSilent`; but one that was asked may take it in all the same.
 */
export async function leaveFarm(
  state: FarmState,
  reason: string,
  { mayBeSilent, isWanted = () => true }: LeaveOptions,
): Promise<boolean> {
  const { roster, components, self } = state;
  const record = roster.records.get(self);
  if (record === undefined || !roster.members.has(self)) return true;
  const left = withRemoval(state, record, reason);
  const isTold = await components.tell(left, isWanted);
  // Whoever took it in turns this machine away at once, so the answer may have come through the lobby (SPEC R107).
  if (!roster.members.has(self)) return true;
  if (!isTold && !mayBeSilent) return false;
  await components.merge([left]);
  roster.invalidate();
  return isTold;
}

/** Leaves whatever only this machine holds. @throws CuadroError `door-refused`. */
export async function leaveNow(state: FarmState): Promise<ChangeView> {
  const { roster } = state;
  const name = ownFarmOf(state).name.value;
  if (roster.isAlone) throw refused('This machine is the only one in its farm: there is nobody to leave.');
  const isTold = await leaveFarm(state, '', { mayBeSilent: true });
  if (isTold) return answer(`This machine has left ${name}.`);
  const own = roster.nameOf(state.self);
  return answer(
    `This machine has left ${name}, and no other was there to hear of it. Say it on one of them: cuadro door remove ${own} --lose`,
  );
}

/** The farm of which this machine is a member. @throws CuadroError `door-refused`. */
function ownFarmOf(state: FarmState): FarmRecord {
  const { ownFarm: farm } = state.roster;
  if (farm === undefined) throw refused('This machine is in no farm.');
  return farm;
}

function findMember(state: FarmState, text: string): FarmMember {
  const all = [...state.roster.members.values()];
  const named = all.filter(({ peer, name }) => peer === text || name.toLowerCase() === text.toLowerCase());
  const matches = named.length > 0 ? named : all.filter(({ peer }) => peer.startsWith(text));
  if (matches.length > 1) {
    const peers = matches.map(({ peer }) => peer).join(', ');
    throw new CuadroError('node-ambiguous', { node: text, matches: peers });
  }
  if (matches[0] === undefined) throw new CuadroError('node-not-found', { node: text });
  return matches[0];
}

/** A person wants two farms to be one. */
export async function mergeFarm(state: FarmState, text: string | undefined): Promise<ChangeView> {
  const farm = ownFarm(state);
  const others = new Map(
    state.neighbours
      .all()
      .flatMap(({ who }) => (who?.farm && who.farm.id !== farm.id ? [[who.farm.id, who.farm.name]] : [])),
  );
  const matches = [...others].filter(
    ([id, name]) => text === undefined || id === text || name.toLowerCase() === text.toLowerCase(),
  );
  const [match] = matches;
  if (matches.length > 1) {
    const farms = matches.map(([id, name]) => `${name} (${id})`).join(', ');
    throw new CuadroError('farm-ambiguous', { farms });
  }
  if (match === undefined) {
    throw text === undefined
      ? new CuadroError('no-other-farm')
      : new CuadroError('farm-not-found', { farm: text });
  }
  const [id, name] = match;
  const waiting = state.door.newcomers().find((newcomer) => newcomer.farm?.id === id);
  if (waiting !== undefined) return admitNewcomer(state, waiting.peer);
  state.want(id);
  const isThere = nodesOf(state, id).some(({ who }) => who?.confirmed === true || (who?.openMs ?? 0) > 0);
  const next = isThere
    ? 'It is under way.'
    : `Now a person of ${name} has to want it, too: cuadro door merge there.`;
  return answer(`${farm.name.value} and ${name} are to become one farm, with the jobs of both. ${next}`);
}

/** Joins the farm at an address that a person gives, where the network carries no announcements. */
export async function joinAddress(state: FarmState, text: string): Promise<ChangeView> {
  const address = lobbyAddress(text);
  if (address === undefined) throw new CuadroError('address-invalid', { address: text });
  if (state.isRemoved) throw refused('This machine was removed from its farm; that has to be settled first.');
  const neighbour = await meet(state, address);
  if (neighbour === undefined) throw new CuadroError('lobby-unreachable', { address: text });
  const { ownFarm: farm, isAlone } = state.roster;
  const other = neighbour.who?.farm;
  if (farm !== undefined && other === undefined) {
    throw refused(
      `${neighbour.who?.name ?? text} is in no farm; run \`cuadro join\` there, with this machine's address.`,
    );
  }
  if (farm !== undefined && other?.id === farm.id)
    return answer(`This machine is a member of ${farm.name.value} already.`);
  if (farm === undefined) {
    state.joinAddresses = [...new Set([...state.joinAddresses, address])].slice(-8);
    await state.components.store.setLocal({ [LOCAL.join]: state.joinAddresses });
  } else if (other !== undefined) {
    ownFarm(state);
    state.want(other.id);
    // Nobody else is bound by where a farm of one goes; its own door says nothing any more.
    if (isAlone) {
      state.joining = other.id;
      state.door.close();
    }
  }
  return answer(`Asking ${neighbour.who?.name ?? text} to let this machine in.`);
}

export async function foundOwn(state: FarmState): Promise<ChangeView> {
  if (state.roster.farm !== undefined)
    throw refused(`This machine is in a farm: ${state.roster.farm.name.value}.`);
  await found(state, { open: false });
  return answer(`This machine has a farm of its own now. \`cuadro door open\` lets others in.`);
}

function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds % 3_600 === 0 ? `${seconds / 3_600} h` : `${Math.round(seconds / 60)} min`;
}
