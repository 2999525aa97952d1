import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Connection } from '@libp2p/interface';
import {
  decode,
  encode,
  EXIT,
  LOBBY_BYTES_MAX,
  lobbyAnswerSchema,
  ROUTES,
  type LobbyAnswer,
} from '@cuadro/protocol';
import { encodeFrame, FRAME, FrameDecoder } from '../../node/src/mesh/frames.ts';
import { LOBBY_CONNECTIONS_PER_ADDRESS } from '../../node/src/mesh/limits.ts';
import { farmProtocols, LOBBY_PROTOCOL } from '../../node/src/mesh/names.ts';
import { loadIdentity, temporaryIdentity } from '../../node/src/system/identity.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { LocalFarm, type LocalNode, until } from '../../scripts/farm/local-farm.ts';
import { answeredInTheEnd, answeredOf, connectTo, type Guest, guestOf } from '../contract/mesh/guest.ts';
import { House } from './support/house.ts';
import { LOOPBACKS, listenersOf } from './support/listeners.ts';

/**
 * A farm of real processes, and somebody on its network who knows its id, its names and all its ports, with keys of
 * every kind but a member's. What the mesh alone does is held by `test/contract/mesh/stranger.test.ts`.
 */

let house: House;
let farm: LocalFarm;
let otherFarm: LocalFarm | undefined;
let [studio, laptop]: LocalNode[] = [];
let farmId: string;
/** The two ports of the studio that speak libp2p, told apart by what they answer. */
let ports: { readonly mesh: string; readonly lobby: string };
const guests: Guest[] = [];

const guestWith = async (seed: Uint8Array): Promise<Guest> => {
  const guest = await guestOf(seed, farmId);
  guests.push(guest);
  return guest;
};
const keyOf = async ({ dataFolder }: LocalNode): Promise<Uint8Array> =>
  (await loadIdentity({ random: createSystemRandom() }, join(dataFolder, 'identity.key'))).privateKey();
const addressOf = (port: number): string => `/ip4/127.0.0.1/tcp/${port}`;
const names = (): string[] => [
  ...farmProtocols(farmId),
  LOBBY_PROTOCOL,
  '/ipfs/id/1.0.0',
  '/ipfs/ping/1.0.0',
];
const refusedAt = async (node: LocalNode, reason: string): Promise<number> => {
  const page = await node.client.text('metrics', {});
  return Number(
    new RegExp(`^cuadro_mesh_refused_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0,
  );
};

before(async () => {
  house = await House.open();
  farm = await LocalFarm.open({
    folder: house.fresh('farm'),
    nodes: 3,
    // A scene is submitted to the last, in vain.
    config: (index) => (index === 2 ? {} : house.noEngines),
    env: { TMPDIR: house.temporary },
  });
  [studio, laptop] = farm.nodes;
  farmId = (await node(studio).client.call('farm', {})).id ?? '';
});
after(async () => {
  for (const guest of guests) await guest.stop();
  await farm?.close();
  await otherFarm?.close();
  await house?.close();
});

const node = (one: LocalNode | undefined): LocalNode => {
  assert.ok(one !== undefined);
  return one;
};

test('a node listens on three ports, and its API on the loopback only', async () => {
  const { pid, client } = node(studio);
  const listeners = await listenersOf(pid);
  assert.equal(listeners.length, 3, JSON.stringify(listeners));
  const api = listeners.find(({ port }) => port === client.file.port);
  assert.ok(api !== undefined && LOOPBACKS.includes(api.address), JSON.stringify(listeners));
  const stranger = await guestWith(temporaryIdentity().privateKey());
  const answers = new Map<string, string[]>();
  for (const { port } of listeners)
    if (port !== client.file.port)
      answers.set(addressOf(port), await answeredOf(stranger, addressOf(port), [LOBBY_PROTOCOL]));
  const lobby = [...answers].find(([, answered]) => answered.length > 0)?.[0] ?? '';
  const mesh = [...answers].find(([, answered]) => answered.length === 0)?.[0] ?? '';
  assert.ok(lobby !== '' && mesh !== '', JSON.stringify([...answers]));
  ports = { mesh, lobby };
});

test('R91: no route of the API answers without the token', async () => {
  const { address } = node(studio).client.file;
  for (const [name, { method, path }] of Object.entries(ROUTES)) {
    const url = new URL(`/api/v1${path.replaceAll(/:\w+/g, 'x')}`, address);
    const { status } = await fetch(url, { method });
    assert.equal(status, 401, `${name}: ${status}`);
  }
});

test('R63, R64, R100: only a member’s key is answered, and no more once it was removed', async () => {
  const removed = farm.node(2);
  await farm.kill(2);
  otherFarm = await LocalFarm.open({
    folder: house.fresh('other'),
    nodes: 1,
    config: house.noEngines,
    env: { TMPDIR: house.temporary },
  });
  const elsewhere = await keyOf(otherFarm.node(0));
  await otherFarm.close();
  const guest = await guestWith(await keyOf(removed));
  assert.deepEqual(
    await answeredInTheEnd(guest, ports.mesh, farmProtocols(farmId)),
    [...farmProtocols(farmId)].sort(),
    'a member’s key is answered at all names of the farm',
  );
  const others = names().filter((name) => !farmProtocols(farmId).includes(name));
  assert.deepEqual(await answeredOf(guest, ports.mesh, others), []);
  await node(laptop).client.call('removeMember', { body: { member: removed.name, reason: 'sold' } });
  await until('the studio knows that it was removed', async () =>
    (await node(studio).client.call('door', {})).removed.some(({ name }) => name === removed.name),
  );
  for (const outsider of [
    guest,
    await guestWith(elsewhere),
    await guestWith(temporaryIdentity().privateKey()),
  ]) {
    assert.deepEqual(await answeredOf(outsider, ports.mesh, names()), []);
    assert.deepEqual(await answeredOf(outsider, ports.lobby, names()), [LOBBY_PROTOCOL]);
  }
});

test('R107: the removed machine learns it when it starts again, and says by whom and what to do', async () => {
  const removed = await farm.start(2);
  const view = await until('it to know that it was removed', async () => {
    const door = await removed.client.call('door', {});
    return door.state === 'removed' && door;
  });
  const by = `was removed from .* by ${node(laptop).name} \\(sold\\)`;
  assert.match(view.message, new RegExp(`${by}.*cuadro up --data FOLDER`));
  const shown = await house.cuadro(['nodes'], { data: removed.dataFolder });
  assert.match(shown.stderr, new RegExp(by));
  const refused = await house.cuadro(['submit', await house.scene()], { data: removed.dataFolder });
  assert.equal(refused.code, EXIT.refused);
  assert.match(refused.stderr, /This machine was removed from/);
  assert.deepEqual(
    (await removed.client.call('nodes', {})).filter(({ live }) => live.reachable).map(({ name }) => name),
    [removed.name],
    'it reaches nobody any more',
  );
  await farm.kill(2);
});

/** What the lobby says to some bytes on a stream of their own; undefined where it cuts the stream without a word. */
async function say(connection: Connection, bytes: Uint8Array): Promise<LobbyAnswer | 'refused' | undefined> {
  const stream = await connection.newStream(LOBBY_PROTOCOL, { signal: AbortSignal.timeout(5_000) });
  const decoder = new FrameDecoder(LOBBY_BYTES_MAX);
  const { promise, resolve } = Promise.withResolvers<LobbyAnswer | 'refused' | undefined>();
  stream.addEventListener('message', ({ data }) => {
    for (const frame of decoder.decode(data.subarray()))
      resolve(
        frame.kind === FRAME.message
          ? lobbyAnswerSchema.parse(decode(frame.content, LOBBY_BYTES_MAX))
          : 'refused',
      );
  });
  stream.addEventListener('close', () => resolve(undefined));
  stream.send(bytes);
  return promise.finally(() => stream.abort(new Error('Heard.')));
}

test('R68, R109: garbage, what is too large, and floods at the lobby are bounded and counted, and the node goes on', async () => {
  const stranger = await guestWith(temporaryIdentity().privateKey());
  const onLobby = async (bytes: Uint8Array): Promise<LobbyAnswer | 'refused' | undefined> => {
    const connection = await connectTo(stranger, ports.lobby);
    return say(connection, bytes).finally(() => connection.abort(new Error('Said.')));
  };
  const who = encodeFrame(FRAME.message, encode({ kind: 'who' }));
  const answer = await onLobby(who);
  assert.ok(typeof answer === 'object' && answer.kind === 'who');
  assert.equal(answer.farm?.id, farmId, 'the lobby answers its one question');
  const failed = await refusedAt(node(studio), 'lobby-request-failed');
  const garbage = encodeFrame(FRAME.message, Buffer.alloc(2_000, 0xa5));
  assert.deepEqual(await onLobby(garbage), { kind: 'closed', reason: 'unreadable' });
  for (const bytes of [
    Buffer.from([0x7f, 0xff, 0xff, 0xff, FRAME.message]),
    encodeFrame(FRAME.message, new Uint8Array(LOBBY_BYTES_MAX + 1)),
    encodeFrame(FRAME.beat, new Uint8Array(10)),
  ])
    assert.equal(await onLobby(bytes), undefined);
  assert.equal(await refusedAt(node(studio), 'lobby-request-failed'), failed + 3);

  const connection = await connectTo(stranger, ports.lobby);
  let refused = 0;
  for (let count = 0; count < 100; count += 1) {
    const said = await say(connection, who).catch(() => undefined);
    if (said === 'refused') refused += 1;
  }
  assert.ok(refused > 0, 'one address is answered only so often');
  assert.ok((await refusedAt(node(studio), 'lobby-too-often')) >= refused, 'it is counted');
  await floodWithConnections(Number(ports.lobby.split('/').at(-1)));
  await goesOn();
});

/** Many connections that say nothing: the lobby holds no more of them than it has places for one address. */
async function floodWithConnections(port: number): Promise<void> {
  const bound = LOBBY_CONNECTIONS_PER_ADDRESS;
  const sockets = Array.from({ length: 20 * bound }, () =>
    connect(port, '127.0.0.1').on('error', () => undefined),
  );
  const open = (): number => sockets.filter(({ destroyed }) => !destroyed).length;
  try {
    await until('all were taken or turned away', () => sockets.every(({ connecting }) => !connecting));
    await until('no more are held than there are places', () => open() <= bound);
    for (const socket of sockets) if (socket.writable) socket.write(Buffer.alloc(10_000, 0x5a));
    await until('those that talk nonsense are cut', () => open() === 0);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** The members still are one farm and do its work. */
async function goesOn(): Promise<void> {
  await farm.whole();
  const { job } = await node(studio).client.call('submit', {
    body: { type: 'echo-sleep', name: 'after the flood', settings: { frames: '1-8' } },
  });
  await until('a job is done', async () => {
    const view = await node(laptop).client.call('job', { params: { job: job.id } });
    return view.state === 'done';
  });
}
