import {
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
  const member: MemberRecord = {
    kind: 'member',
    peer,
    name: signField(signer, 'member-name', fieldSubject(peer, 'name'), names.machine, 1),
    admissions: { [peer]: signAdmission(signer, peer, { role: 'artist', wallTime: clock.wallTime() }) },
    removals: {},
  };
  return [farm, member];
}
