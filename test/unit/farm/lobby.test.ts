import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  admissionKey,
  decode,
  encode,
  fieldSubject,
  LOBBY_BYTES_MAX,
  lobbyAnswerSchema,
  signAdmission,
  signField,
  signRemoval,
  type LobbyAnswer,
  type LobbyRequest,
  type MemberRecord,
} from '@cuadro/protocol';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { identityOf, type Identity } from '../../../node/src/system/identity.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { House, type Machine } from './house.ts';

/** A stranger with a key of its own, who asks whatever it likes. */
class Stranger {
  readonly identity: Identity;
  readonly mesh: Mesh;
  readonly #at: Machine;

  constructor(house: House, at: Machine, seed: number) {
    this.identity = identityOf(createSeededRandom(seed).bytes(32));
    const init = { listen: [], meshPort: 0, lobbyPort: 0, serviceName: undefined };
    this.mesh = house.network.mesh({ ...init, privateKey: this.identity.privateKey() });
    this.#at = at;
  }

  get peer(): string {
    return this.identity.peer;
  }

  async askBytes(bytes: Uint8Array): Promise<LobbyAnswer> {
    const { lobbyAddresses } = this.#at.parts.mesh.status();
    const { answer } = await this.mesh.askLobby(lobbyAddresses, bytes);
    return lobbyAnswerSchema.parse(decode(answer, LOBBY_BYTES_MAX));
  }

  ask(request: LobbyRequest | Record<string, unknown>): Promise<LobbyAnswer> {
    return this.askBytes(encode(request));
  }

  name(of = this.peer, signer: Identity = this.identity) {
    return signField(signer, 'member-name', fieldSubject(of, 'name'), 'stranger', 1);
  }

  record(admissions: MemberRecord['admissions'] = {}): MemberRecord {
    return { kind: 'member', peer: this.peer, name: this.name(), admissions, removals: {} };
  }
}

let house: House;
let studio: Machine;
let stranger: Stranger;
let farm: string;

beforeEach(async () => {
  house = new House();
  studio = house.machine('studio');
  await studio.start();
  await house.pass(3_100);
  await studio.farm.closeDoor();
  farm = studio.farmId ?? '';
  stranger = new Stranger(house, studio, 99);
  await stranger.mesh.start();
});
afterEach(async () => {
  await stranger.mesh.stop();
  await house.stop();
});

const reason = (answer: LobbyAnswer): unknown => (answer.kind === 'closed' ? answer.reason : answer.kind);

describe('requests of strangers (R68)', () => {
  const garbage: [string, () => Uint8Array][] = [
    ['nothing', () => new Uint8Array(0)],
    ['random bytes', () => createSeededRandom(5).bytes(2_000)],
    ['text', () => new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')],
    ['deep nesting', () => new Uint8Array(60_000).fill(0x81)],
    ['a number', () => encode(7)],
    ['no kind', () => encode({ farm: 'x' })],
    ['another kind', () => encode({ kind: 'shutdown' })],
    ['a farm that is none', () => encode({ kind: 'who', farm: '../../x' })],
    ['a name of 64 KB', () => encode({ kind: 'join', name: 'x'.repeat(60_000), mesh: [] })],
    ['too many addresses', () => encode({ kind: 'join', name: stranger.name(), mesh: Array(17).fill('x') })],
    ['names that reach into objects', () => encode({ kind: '__proto__', constructor: 1, toString: 2 })],
  ];
  for (const [what, bytes] of garbage) {
    test(`${what} is answered, and changes nothing`, async () => {
      const before = [...studio.disk.records.keys()];
      assert.equal(reason(await stranger.askBytes(bytes())), 'unreadable');
      assert.deepEqual([...studio.disk.records.keys()], before);
      assert.deepEqual(studio.farm.door().newcomers, []);
    });
  }

  test('any truncation or change of a good request is answered', async () => {
    const good = encode({ kind: 'join', name: stranger.name(), mesh: ['/ip4/10.0.0.1/tcp/1'] });
    const random = createSeededRandom(11);
    for (let i = 0; i < 400; i++) {
      const bytes = good.slice(0, i % 2 === 0 ? good.length : Math.floor(random.float() * good.length));
      if (bytes.length > 0)
        bytes[Math.floor(random.float() * bytes.length)] = Math.floor(random.float() * 256);
      assert.ok(['closed', 'waiting'].includes((await stranger.askBytes(bytes)).kind));
    }
    assert.equal(studio.members.length, 1);
  });

  test('a name signed by another, or of another, is refused', async () => {
    const other = new Stranger(house, studio, 98);
    assert.equal(reason(await stranger.ask({ kind: 'join', name: other.name(), mesh: [] })), 'unreadable');
    const forged = { ...stranger.name(), value: 'studio' };
    assert.equal(reason(await stranger.ask({ kind: 'join', name: forged, mesh: [] })), 'unreadable');
    assert.deepEqual(studio.farm.door().newcomers, []);
  });

  test('a crowd at the door has a bound, and leaves', async () => {
    const answers: unknown[] = [];
    for (let i = 0; i < 40; i++) {
      const one = new Stranger(house, studio, 1_000 + i);
      await one.mesh.start();
      answers.push(reason(await one.ask({ kind: 'join', name: one.name(), mesh: [] })));
      await one.mesh.stop();
    }
    assert.equal(answers.filter((answer) => answer === 'waiting').length, 32);
    assert.equal(answers.at(-1), 'crowded');
    await house.pass(17_000);
    assert.deepEqual(studio.farm.door().newcomers, []);
  });

  test('signatures of strangers are checked at a bounded rate', async () => {
    const admissions = Object.fromEntries(
      Array.from({ length: 250 }, (_, i) => {
        const admission = signAdmission(stranger.identity, stranger.peer, {
          role: 'artist',
          farm: `${'abcdefghijklmnopqrstuvwxyz'[i % 26]}${String.fromCharCode(97 + Math.floor(i / 26))}aaaaaaaaaaaaaa`,
          wallTime: 1,
        });
        return [admissionKey(admission), admission];
      }),
    );
    const flood = { kind: 'present', farm, members: [stranger.record(admissions)] };
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(reason(await stranger.ask(flood)));
    assert.deepEqual(answers, ['unknown', 'unknown', 'busy', 'busy']);
    await house.pass(2_000);
    assert.equal(reason(await stranger.ask(flood)), 'unknown');
  });

  test('who tells a stranger no more than it needs', async () => {
    const who = await stranger.ask({ kind: 'who' });
    assert.equal(who.kind, 'who');
    assert.deepEqual(Object.keys(who).sort(), [
      'absorbed',
      'confirmed',
      'farm',
      'jobs',
      'kind',
      'members',
      'mesh',
      'name',
      'openMs',
      'standing',
      'version',
    ]);
  });
});

describe('forged membership (R63, R64, R68)', () => {
  const admission = (by: Identity, to: string, of: string): MemberRecord['admissions'] => {
    const signed = signAdmission(by, of, { role: 'artist', farm: to, wallTime: 1 });
    return { [admissionKey(signed)]: signed };
  };
  const present = (members: MemberRecord[]) => stranger.ask({ kind: 'present', farm, members });

  test('one that admits itself is unknown', async () => {
    const own = stranger.record(admission(stranger.identity, farm, stranger.peer));
    assert.equal(reason(await present([own])), 'unknown');
    assert.equal(studio.members.length, 1);
  });

  test('an admission to another farm counts for nothing here', async () => {
    const own = stranger.record(admission(studio.identity, 'aaaaaaaaaaaaaaaa', stranger.peer));
    assert.equal(reason(await present([own])), 'unknown');
  });

  test("a member's signature on another's admission is refused", async () => {
    const [signed] = Object.values(admission(studio.identity, farm, studio.peer));
    const own = stranger.record({ [admissionKey(signed as never)]: signed as never });
    assert.equal(reason(await present([own])), 'unknown');
  });

  test('one admitted by a member that is known here is let in', async () => {
    const own = stranger.record(admission(studio.identity, farm, stranger.peer));
    assert.equal(reason(await present([own])), 'known');
    assert.ok(studio.members.includes(stranger.peer));
  });

  test('one admitted by a removed member is unknown, except where the remover knew it', async () => {
    const other = new Stranger(house, studio, 97);
    await studio.merge([other.record(admission(studio.identity, farm, other.peer))]);
    await studio.farm.removeMember(other.peer, '');
    const own = stranger.record(admission(other.identity, farm, stranger.peer));
    assert.equal(reason(await present([own])), 'unknown');
    assert.equal(studio.members.length, 1);
  });

  test('a stranger can not smuggle in a removal', async () => {
    const removal = signRemoval(stranger.identity, studio.peer, { reason: '', wallTime: 1 });
    const record = studio.parts.core.memberRecords()[0] as MemberRecord;
    const victim = { ...record, removals: { [stranger.peer]: removal } };
    const own = stranger.record(admission(stranger.identity, farm, stranger.peer));
    assert.equal(reason(await present([own, victim])), 'unknown');
    assert.equal(studio.members.length, 1);
  });

  test('a removed one that asks to join is shown its removal', async () => {
    await studio.merge([stranger.record(admission(studio.identity, farm, stranger.peer))]);
    await studio.farm.removeMember(stranger.peer, 'gone');
    const answer = await stranger.ask({ kind: 'join', name: stranger.name(), mesh: [] });
    assert.equal(answer.kind, 'removed');
  });

  test('a farm is not dissolved into this one without anybody wanting it', async () => {
    const dissolve = {
      kind: 'dissolve',
      into: farm,
      farm: { id: 'zzzzzzzzzzzzzzzz', name: 'theirs' },
      members: [stranger.record()],
      total: 1,
      jobs: 0,
      confirmed: false,
      mesh: [],
    };
    assert.equal(reason(await stranger.ask(dissolve)), 'busy');
    assert.equal(reason(await stranger.ask({ ...dissolve, into: 'aaaaaaaaaaaaaaaa' })), 'other-farm');
    assert.equal(reason(await stranger.ask({ ...dissolve, confirmed: true })), 'waiting');
    assert.equal(studio.members.length, 1);
  });

  test('a lobby that lets a machine in without proof is not believed', async () => {
    const liar = new Stranger(house, studio, 96);
    const victim = house.machine('victim');
    const proof = stranger.record(admission(stranger.identity, 'bbbbbbbbbbbbbbbb', stranger.peer));
    liar.mesh.serveLobby(async (_, bytes) => {
      const { kind } = decode(bytes) as { kind: string };
      const claimed = { id: 'bbbbbbbbbbbbbbbb', name: 'trap' };
      if (kind !== 'who') {
        const name = { value: 'trap', counter: 1, peer: liar.peer };
        const record = { kind: 'farm', id: claimed.id, founder: liar.peer, name };
        return encode({ kind: 'admitted', farm: record, members: [proof], addresses: [] });
      }
      return encode({
        kind: 'who',
        version: '1',
        name: 'liar',
        farm: claimed,
        openMs: 1_000,
        jobs: 0,
        members: 1,
        mesh: [],
        standing: 'stranger',
        confirmed: false,
        absorbed: true,
      });
    });
    await liar.mesh.start();
    house.network.multicast(false);
    await victim.start();
    await victim.farm.joinAddress(liar.mesh.status().lobbyAddresses[0] ?? '');
    await house.pass(5_000);
    assert.equal(victim.farmId, undefined);
    await studio.farm.joinAddress(liar.mesh.status().lobbyAddresses[0] ?? '');
    await house.pass(5_000);
    assert.equal(studio.farmId, farm);
    await liar.mesh.stop();
  });
});
