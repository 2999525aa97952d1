import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  signField,
  type Capabilities,
  type JobRecord,
  type NodeRecord,
  type Plan,
  type Requirements,
} from '@cuadro/protocol';
import {
  BELEN,
  capabilities,
  CARMEN,
  Farm,
  framesPlan,
  grantsTo,
  jobIdOf,
  jobRecord,
  nodeDesired,
  signer,
  withControl,
} from './farm.ts';
import { beaconOf } from './members.ts';

const requiring = (requires: Partial<Requirements>, frames = '1'): Plan => {
  const plan = framesPlan(frames);
  return {
    ...plan,
    groups: plan.groups.map((group) => ({ ...group, requires: { engine: 'blender', ...requires } })),
  };
};

const nodeField = (peer: string, name: 'ownerDesired' | 'tags', value: unknown): NodeRecord => ({
  kind: 'node',
  peer,
  fields: { [name]: signField(signer(peer), 'node-field', `${peer}/${name}`, value, 1) },
});

interface Case {
  what: string;
  /** What is needed, and what Belén has; all that is not named is there. */
  requires?: Partial<Requirements>;
  can?: Partial<Capabilities>;
  claim?: Parameters<Farm['claim']>[1] | null;
  before?: (farm: Farm) => void;
  sentence: string;
  /** What makes her eligible: the same case with this instead. */
  cure: Omit<Case, 'what' | 'sentence' | 'cure'>;
}

const bare = (): Farm => {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  return farm;
};

const desire = (value: 'active' | 'draining' | 'paused') => (farm: Farm) =>
  void farm.records(nodeDesired(BELEN, value));
const ownerWants = (value: 'active' | 'draining' | 'paused') => (farm: Farm) =>
  void farm.step({ kind: 'records', from: BELEN, records: [nodeField(BELEN, 'ownerDesired', value)] });

/** Its connection is gone, and its beacons come by way of others. */
const relay = (farm: Farm): void => {
  farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
  farm.step({ kind: 'message', from: BELEN, message: beaconOf(BELEN, []), gossiped: true });
};

/** Why a machine takes no task of any job. */
const OF_MACHINE: Case[] = [
  {
    what: 'that is heard by way of others',
    before: relay,
    sentence: 'The coordinator has no connection to it, and hears it only by way of others.',
    cure: {
      before: (farm) => {
        relay(farm);
        farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
        // A connection counts from the first beacon that it brings.
        farm.beacon(BELEN, []);
      },
    },
  },
  {
    what: 'that is unreachable',
    before: (farm) => void farm.step({ kind: 'peer', peer: BELEN, state: 'lost' }),
    sentence: "It can't be reached.",
    cure: { before: (farm) => void farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' }) },
  },
  {
    what: 'that claims nothing',
    claim: null,
    before: (farm) => void farm.beacon(BELEN, []),
    sentence: "It hasn't said yet what it can do.",
    cure: {},
  },
  { what: 'that wants nothing', claim: { wants: 0 }, sentence: 'It takes no work now.', cure: {} },
  {
    what: 'that is paused',
    before: desire('paused'),
    sentence: 'It is paused.',
    cure: { before: desire('active') },
  },
  {
    what: 'that is draining',
    before: desire('draining'),
    sentence: 'It ends what it runs and takes nothing new.',
    cure: { before: desire('active') },
  },
  {
    what: 'that its owner paused',
    before: ownerWants('paused'),
    sentence: 'Its owner paused it.',
    cure: { before: ownerWants('active') },
  },
  {
    what: 'that its owner drains',
    before: ownerWants('draining'),
    sentence: 'Its owner lets it end what it runs and take nothing new.',
    cure: { before: ownerWants('active') },
  },
];

/** Why it takes none of this job. */
const OF_JOB: Case[] = [
  {
    what: 'without the engine',
    can: { engines: { node: '1' } },
    sentence: 'It has no Blender.',
    cure: { can: { engines: { blender: '3.4.1' } } },
  },
  {
    what: 'with another version than the job asks for',
    requires: { engineVersion: '4.2.0' },
    sentence: 'The job asks for Blender 4.2.0, and it has 3.4.1.',
    cure: { can: { engines: { blender: '4.2.0' } }, requires: { engineVersion: '4.2.0' } },
  },
  {
    what: 'without the render engine',
    requires: { renderEngine: 'CYCLES' },
    can: { renderEngines: ['BLENDER_EEVEE'] },
    sentence: 'Its Blender has no CYCLES.',
    cure: { requires: { renderEngine: 'CYCLES' }, can: { renderEngines: ['CYCLES'] } },
  },
  {
    what: 'without the denoiser',
    requires: { denoiser: 'openimagedenoise' },
    sentence: 'Its Blender has no denoiser openimagedenoise.',
    cure: { requires: { denoiser: 'openimagedenoise' }, can: { denoisers: ['openimagedenoise'] } },
  },
  {
    what: 'without the program',
    requires: { engine: 'command', program: 'render' },
    can: { programs: ['renderer'] },
    sentence: "Its owner hasn't allowed the program render.",
    cure: { requires: { engine: 'command', program: 'render' }, can: { programs: ['render'] } },
  },
  {
    what: 'without the leave for scripts',
    requires: { scripts: true },
    sentence: "Its owner doesn't allow scenes' own scripts.",
    cure: { requires: { scripts: true }, can: { scripts: true } },
  },
  {
    what: 'without the tag',
    requires: { tags: ['gpu'] },
    sentence: "It hasn't the tag gpu.",
    cure: { requires: { tags: ['gpu'] }, can: { tags: ['gpu'] } },
  },
  {
    what: 'without one of the tags',
    requires: { tags: ['gpu', 'big'] },
    can: { tags: ['gpu'] },
    sentence: "It hasn't the tag big.",
    cure: {
      requires: { tags: ['gpu', 'big'] },
      can: { tags: ['gpu'] },
      // Tags of the claim and those that the farm gave count together.
      before: (farm) => void farm.records(nodeField(BELEN, 'tags', ['big'])),
    },
  },
];

/** Belén as the case has her, and a job of one task. */
function set({
  requires = {},
  can = {},
  claim = {},
  before,
}: Omit<Case, 'what' | 'sentence' | 'cure'>): Farm {
  const farm = bare();
  if (claim !== null) farm.claim(BELEN, { can: capabilities(can), ...claim });
  before?.(farm);
  farm.submit(requiring(requires));
  return farm;
}

const idleReason = (farm: Farm, peer = BELEN): string | undefined =>
  farm.core.nodes().find((node) => node.peer === peer)?.live.idleReason;

const isOneSentence = (text: string): boolean =>
  /^\p{Lu}[^]*\.$/u.test(text) && !/[.!?]\s+\p{Lu}/u.test(text);

describe('eligibility', () => {
  for (const [cases, prefix] of [
    [OF_MACHINE, ''],
    [OF_JOB, 'For the job job 1: '],
  ] as const) {
    for (const { what, sentence, cure, ...rest } of cases) {
      it(`R51: a machine ${what} is granted nothing, and says so in one sentence`, () => {
        const farm = set(rest);
        assert.deepEqual(grantsTo(BELEN, farm.effects), []);
        assert.equal(idleReason(farm), `${prefix}${sentence}`);
        assert.ok(isOneSentence(`${prefix}${sentence}`));
        assert.ok(farm.core.task(jobIdOf(1), 0)?.why.includes(`…bbbbbb: ${sentence}`));
        assert.equal(
          grantsTo(BELEN, set(cure).effects).length,
          1,
          'and is granted it once that is otherwise',
        );
      });
    }
  }

  it('R51: what the claim says of itself is the reason of a machine that wants nothing', () => {
    const farm = bare().work({ accepting: false, idleReason: 'It is outside its hours.' });
    farm.submit(requiring({}));
    assert.equal(idleReason(farm, farm.core.self), 'It is outside its hours.');
  });

  it('R51: a machine that is known by hearsay alone is not reachable', () => {
    const farm = bare();
    const claim = { kind: 'claim' as const, peer: BELEN, sequence: 1, wants: 2, slots: 1, bundles: [] };
    const message = { ...claim, capabilities: capabilities() };
    farm.step({ kind: 'message', from: BELEN, message, gossiped: true });
    farm.submit(requiring({}));
    assert.deepEqual(grantsTo(BELEN, farm.effects), []);
    assert.equal(idleReason(farm), "It can't be reached.");
    const effects = farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    assert.equal(grantsTo(BELEN, effects).length, 1, 'its claim stands');
  });

  it("R51: the job's limit of machines holds, and the next may come when one has left", () => {
    const farm = bare();
    farm.claim(BELEN);
    farm.claim(CARMEN);
    const plan = requiring({}, '1-9');
    const record = withControl(jobRecord(plan), 'machineLimit', 1);
    submit(farm, record, plan);
    const [first, second] = grantsTo(BELEN, farm.effects);
    assert.ok(first && second);
    assert.deepEqual(grantsTo(CARMEN, farm.effects), []);
    const sentence = 'The job is limited to 1 machine, and that many are at work on it.';
    assert.equal(idleReason(farm, CARMEN), `For the job job 1: ${sentence}`);
    farm.records(nodeDesired(BELEN, 'paused'));
    assert.equal(grantsTo(CARMEN, farm.effects).length, 2);
    assert.equal(grantsTo(CARMEN, farm.records(withControl(record, 'machineLimit', 2))).length, 0);
  });

  it('R51: a machine that is set aside for the job takes nothing of it, and takes others', () => {
    const farm = bare();
    farm.claim(BELEN);
    const record = farm.submit(requiring({}, '1-9'));
    for (let task = 0; task < 3; task++) {
      const grant = grantsTo(BELEN, farm.effects).find((one) => one.task === task);
      assert.ok(grant);
      farm.ended(BELEN, grant, 'failure');
    }
    farm.claim(CARMEN);
    for (let ended = 0; farm.core.job(record.id)?.counts.rendered !== 3; ended++) {
      const grant = grantsTo(CARMEN, farm.effects)[ended];
      assert.ok(grant);
      farm.ended(CARMEN, grant, 'result');
    }
    const sentence = 'It is set aside for this job: 3 tasks failed on it that others rendered.';
    for (const grant of grantsTo(BELEN, farm.effects).slice(3)) farm.ended(BELEN, grant, 'stopped');
    assert.equal(idleReason(farm), `For the job job 1: ${sentence}`);
    const before = farm.effects.length;
    farm.submit(requiring({}, '1'), { id: 2, priority: 99 });
    const [other] = grantsTo(BELEN, farm.effects.slice(before));
    assert.equal(other?.job, jobIdOf(2));
  });
});

function submit(farm: Farm, record: JobRecord, plan: Plan): void {
  farm.records(record);
  farm.step({ kind: 'plan', job: record.id, plan });
}
