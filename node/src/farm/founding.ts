import {
  admissionKey,
  fieldSubject,
  signAdmission,
  signField,
  type FarmRecord,
  type KnownRecord,
  type MemberRecord,
  type Signer,
} from '@cuadro/protocol';
import type { Clock, Random } from '../system/interface.ts';

/** The records of a farm of one: its farm, and its founder as a member admitted by itself. */
export function foundFarm(
  components: { clock: Clock; random: Random; signer: Signer },
  names: { farm: string; machine: string },
): KnownRecord[] {
  const { clock, random, signer } = components;
  const { peer } = signer;
  const farm: FarmRecord = {
    kind: 'farm',
    id: random.name(16),
    founder: peer,
    name: { value: names.farm, counter: 1, peer },
  };
  return [farm, admit({ clock, signer }, farm, ownRecord(signer, names.machine))];
}

/** This machine as a newcomer shows itself: its name, signed, and nothing more. */
export function ownRecord(signer: Signer, name: string, counter = 1): MemberRecord {
  const { peer } = signer;
  const field = signField(signer, 'member-name', fieldSubject(peer, 'name'), name, counter);
  return { kind: 'member', peer, name: field, admissions: {}, removals: {} };
}

/** The record of one who is admitted to a farm by this machine. */
export function admit(
  { clock, signer }: { clock: Clock; signer: Signer },
  farm: FarmRecord,
  newcomer: MemberRecord,
): MemberRecord {
  const content = { role: 'artist' as const, farm: farm.id, wallTime: clock.wallTime() };
  const admission = signAdmission(signer, newcomer.peer, content);
  return {
    ...newcomer,
    admissions: { ...newcomer.admissions, [admissionKey(admission)]: admission },
  };
}
