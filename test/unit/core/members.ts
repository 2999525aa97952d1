import assert from 'node:assert/strict';
import {
  admissionKey,
  signAdmission,
  signField,
  type Beacon,
  type Epoch,
  type FarmRecord,
  type Grant,
  type HeldAttempt,
  type KnownRecord,
  type MemberRecord,
  type Message,
  type Plan,
  type Pulse,
  type PulseRow,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { Farm, jobRecord, SELF, signer } from './farm.ts';

/** One core among several members, whose words the test says itself. */

export const FARM = 'farmfarmfarmfarm';

export const farmRecord = (id = FARM, changes: Partial<FarmRecord> = {}): FarmRecord => ({
  kind: 'farm',
  id,
  founder: SELF,
  name: { value: id.slice(0, 4), counter: 1, peer: SELF },
  ...changes,
});

/** A member that the founder, or another, admitted to the farm. */
export function memberOf(peer: string, farm = FARM, author = SELF): MemberRecord {
  const admission = signAdmission(signer(author), peer, { role: 'artist', farm, wallTime: 1 });
  return {
    kind: 'member',
    peer,
    name: signField(signer(peer), 'member-name', `${peer}/name`, `machine ${peer.at(-1)}`, 1),
    admissions: { [admissionKey({ author, farm })]: admission },
    removals: {},
  };
}

/** The records of a farm that this machine founded, with these other members. */
export const farmOf = (...others: readonly string[]): KnownRecord[] => [
  farmRecord(),
  ...[SELF, ...others].map((peer) => memberOf(peer)),
];

export const held = (grant: Grant, running = true): HeldAttempt => {
  const { attempt, job, task, redo, retry } = grant;
  return { attempt, job, task, redo, retry, running, fraction: running ? 0.5 : 0 };
};

export const rowOf = (peer: string, grants: readonly Grant[], running = true): PulseRow => ({
  peer,
  reachable: true,
  load: 0,
  freeDiskBytes: 0,
  held: grants.map((grant) => held(grant, running)),
});

export const pulseOf = (epoch: Epoch, changes: Partial<Pulse> = {}): Pulse => ({
  kind: 'pulse',
  epoch,
  sequence: 1,
  successors: [SELF],
  followers: 2,
  stale: [],
  rows: [],
  ...changes,
});

export const grantOf = (epoch: Epoch, sequence: number, job: string, task: number): Grant => ({
  attempt: { epoch, sequence },
  job,
  task,
  redo: 0,
  retry: 0,
  leaseMs: 4_000,
});

/** A core of a farm with these other members, connected to all of them; nobody was heard yet. */
export function meeting(...others: string[]): Farm {
  const farm = new Farm(farmOf(...others)).start();
  for (const peer of others) farm.step({ kind: 'peer', peer, state: 'reachable' });
  return farm;
}

/** A core that leads these members; each has claimed one slot and follows. It takes no work itself. */
export function leading(...others: string[]): Farm {
  const farm = meeting(...others).work({ accepting: false });
  for (const peer of others) farm.claim(peer);
  farm.advance(3_000);
  assert.ok(farm.core.isCoordinator);
  for (const peer of others) farm.beacon(peer, []);
  return farm;
}

/** A core that follows `leader`, with the other members around. */
export function following(epoch: Epoch, ...others: string[]): Farm {
  const farm = meeting(epoch.peer, ...others);
  farm.message(epoch.peer, pulseOf(epoch));
  assert.deepEqual(farm.core.epoch, epoch);
  return farm;
}

/** A job that another machine submitted; its plan is there. */
export function learn(farm: Farm, plan: Plan, author: string): string {
  const record = jobRecord(plan, { author });
  farm.step({ kind: 'records', from: author, records: [record] });
  farm.step({ kind: 'plan', job: record.id, plan });
  return record.id;
}

/** Messages of one kind that these effects send to a member. */
export function sentTo<K extends Message['kind']>(
  peer: string,
  kind: K,
  effects: readonly CoreEffect[],
): Extract<Message, { kind: K }>[] {
  return effects.flatMap((effect) =>
    effect.kind === 'send' && effect.to === peer && effect.message.kind === kind
      ? [effect.message as Extract<Message, { kind: K }>]
      : [],
  );
}

/** Grants of these effects to anyone, this machine too, as `peer task`. */
export function granted(effects: readonly CoreEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind === 'run') return [`${SELF} ${effect.grant.task}`];
    if (effect.kind !== 'send' || effect.message.kind !== 'grants') return [];
    return effect.message.grants.map(({ task }) => `${effect.to} ${task}`);
  });
}

/** A machine's beacon: what it runs, and what it only keeps ahead. */
export const beaconOf = (peer: string, running: readonly Grant[], ahead: readonly Grant[] = []): Beacon => ({
  kind: 'beacon',
  peer,
  held: [...running.map((grant) => held(grant)), ...ahead.map((grant) => held(grant, false))],
  load: 0,
  freeDiskBytes: 0,
});
