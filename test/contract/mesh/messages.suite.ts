import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { GOSSIP_BYTES_MAX, LOBBY_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../../node/src/mesh/limits.ts';
import {
  bytesOf,
  bytesOfText,
  FARM,
  gather,
  introduce,
  type MeshUnderTest,
  membersOf,
  type NetworkUnderTest,
  type Node,
  nodeOn,
  textOf,
  until,
} from './harness.ts';

/** Messages, gossip, the lobby, provider records. */
export function messagesContract(subject: MeshUnderTest): void {
  describe(`mesh contract, messages: ${subject.name}`, () => {
    let network: NetworkUnderTest;
    beforeEach(() => {
      network = subject.network();
    });
    afterEach(() => network.stop());

    it('carries messages of every size both ways, whole and in order', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      const sizes = [0, 1, 4, 5, 1_000, 1_199, 1_200, 65_519, 65_520, 200_000, MESSAGE_BYTES_MAX];
      const messages = [
        ...Array.from({ length: 500 }, (_, index) => bytesOf(index % 97, index)),
        ...sizes.map((size) => bytesOf(size, size)),
        ...Array.from({ length: 500 }, (_, index) => bytesOf(300, index)),
      ];
      for (const message of messages) {
        a.mesh.send(b.peer, message);
        b.mesh.send(a.peer, message);
      }
      await until('all arrive', () => [a, b].every(({ told }) => told.messages.length === messages.length));
      for (const [node, other] of [
        [a, b],
        [b, a],
      ] as const) {
        for (const [index, { from, bytes }] of node.told.messages.entries()) {
          assert.equal(from, other.peer);
          assert.ok(Buffer.from(messages[index] ?? []).equals(bytes), `message ${index}`);
        }
      }
    });

    it('answers a message that comes right behind the hello', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      for (const { mesh } of [a, b])
        mesh.subscribe({
          peer: (peer, state) => state === 'reachable' && mesh.send(peer, bytesOfText('first')),
        });
      await gather(network, a, b);
      await until('both first messages arrive', () =>
        [a, b].every(({ told }) => told.messages.map(({ bytes }) => textOf(bytes)).join() === 'first'),
      );
    });

    it('refuses what is too large', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await gather(network, a, b);
      const tooLarge = { code: 'too-large' };
      assert.throws(() => a.mesh.send(b.peer, new Uint8Array(MESSAGE_BYTES_MAX + 1)), tooLarge);
      assert.throws(() => a.mesh.gossip('claims', new Uint8Array(GOSSIP_BYTES_MAX + 1)), tooLarge);
      const lobby = b.mesh.status().lobbyAddresses;
      await assert.rejects(a.mesh.askLobby(lobby, new Uint8Array(LOBBY_BYTES_MAX + 1)), tooLarge);
      a.mesh.send(b.peer, bytesOfText('still there'));
      await until('the connection lives', () => b.told.messages.length === 1);
    });

    it('drops and counts what is for nobody reachable', async () => {
      const [a, b] = [nodeOn(network), nodeOn(network)];
      await a.mesh.start();
      a.mesh.send(b.peer, Uint8Array.of(1));
      a.mesh.gossip('claims', Uint8Array.of(1));
      const status = a.mesh.status();
      assert.deepEqual(status.refused['message-to-unreachable'], { count: 1, peer: b.peer });
      assert.equal(status.gossip.dropped, 1);
    });

    it('R100: takes no gossip of one that is no member any more, also by way of others who do not know so', async () => {
      const [a, b, c] = [nodeOn(network), nodeOn(network), nodeOn(network)];
      await gather(network, a, b, c);
      a.mesh.setMembership({ farm: FARM, members: membersOf(a, c) });
      await until('they have parted', () => b.statesOf(a.peer).at(-1) === 'lost');
      let said = 0;
      /** Said until it is heard: gossip may lose some. */
      const heardBy = async (from: Node, to: Node): Promise<void> => {
        await until('it is heard', () => {
          from.mesh.gossip('claims', bytesOfText(`word ${(said += 1)}`));
          return to.told.gossip.some((told) => told.from === from.peer);
        });
      };
      await heardBy(b, c);
      // What the one between them passes on goes before what it says itself.
      await heardBy(c, a);
      assert.deepEqual(
        a.told.gossip.filter(({ from }) => from === b.peer),
        [],
      );
    });

    it('gossips to all members and to nobody else, also right after they met', async () => {
      const [a, b, c] = [nodeOn(network), nodeOn(network), nodeOn(network)];
      const stranger = nodeOn(network);
      await stranger.mesh.start();
      await gather(network, a, b, c);
      await introduce(network, a, stranger);
      a.mesh.gossip('claims', bytesOfText('early'));
      await until('somebody hears it', () => [b, c].some(({ told }) => told.gossip.length > 0));
      // Best effort, and in no order: what was said before two had heard of each other may come late or never. Who is
      // heard by both has heard of both: what that machine says from then on reaches everybody.
      const heard = ({ told }: typeof a, text: string): boolean =>
        told.gossip.some(({ bytes }) => textOf(bytes) === text);
      let round = 0;
      for (const [speaker, topic, others] of [
        [a, 'pulse', [b, c]],
        [b, 'records', [a, c]],
      ] as const)
        await until('both hear what is said now', () => {
          const said = round;
          round += 1;
          speaker.mesh.gossip(topic, bytesOfText(`round ${round}`));
          return others.every((node) => heard(node, `round ${said}`));
        });
      b.mesh.gossip('records', bytesOf(GOSSIP_BYTES_MAX, 7));
      const largestOf = ({ told }: typeof a) =>
        told.gossip.find(({ bytes }) => bytes.length === GOSSIP_BYTES_MAX);
      await until('the largest arrives', () => [a, c].every((node) => largestOf(node) !== undefined));
      const largest = largestOf(c);
      assert.equal(largest?.topic, 'records');
      assert.equal(largest?.from, b.peer);
      assert.ok(Buffer.from(largest?.bytes ?? []).equals(bytesOf(GOSSIP_BYTES_MAX, 7)));
      assert.equal(
        a.told.gossip.some(({ from }) => from === a.peer),
        false,
        'no own messages',
      );
      for (const node of [b, c])
        assert.equal(
          new Set(node.told.gossip.map(({ bytes }) => textOf(bytes))).size,
          node.told.gossip.length,
        );
      assert.deepEqual(stranger.told.gossip, []);
      const sent = [a, b].map(({ mesh }) => mesh.status().gossip.sent);
      assert.ok((sent[0] ?? 0) + (sent[1] ?? 0) > round && c.mesh.status().gossip.received > 0);
    });

    it('answers strangers in the lobby, by whoever proves its key', async () => {
      const [host, stranger, silent] = [nodeOn(network), nodeOn(network), nodeOn(network)];
      host.mesh.serveLobby(async (from, request) => bytesOfText(`${from} said ${textOf(request)}`));
      for (const { mesh } of [host, stranger, silent]) await mesh.start();
      const { lobbyAddresses } = host.mesh.status();
      const gone = silent.mesh.status().lobbyAddresses;
      await silent.mesh.stop();
      for (const addresses of [lobbyAddresses, [...gone, ...lobbyAddresses]]) {
        const { peer, answer } = await stranger.mesh.askLobby(addresses, bytesOfText('hello'));
        assert.equal(peer, host.peer);
        assert.equal(textOf(answer), `${stranger.peer} said hello`);
      }
      const largest = bytesOf(LOBBY_BYTES_MAX, 3);
      const { answer } = await stranger.mesh
        .askLobby(lobbyAddresses, largest)
        .catch(() => ({ answer: undefined }));
      assert.equal(answer, undefined, 'an answer larger than the bound is none');
      await assert.rejects(stranger.mesh.askLobby(gone, bytesOfText('x')), { code: 'peer-unreachable' });
      await assert.rejects(stranger.mesh.askLobby([], bytesOfText('x')), { code: 'peer-unreachable' });
      const reason = new Error('enough');
      const aborted = { signal: AbortSignal.abort(reason) };
      await assert.rejects(stranger.mesh.askLobby(lobbyAddresses, bytesOfText('x'), aborted), reason);
    });

    it('says no more than no in the lobby when its handler fails', async () => {
      const [host, stranger] = [nodeOn(network), nodeOn(network)];
      host.mesh.serveLobby(async () => {
        throw new Error('a secret');
      });
      for (const { mesh } of [host, stranger]) await mesh.start();
      await assert.rejects(
        stranger.mesh.askLobby(host.mesh.status().lobbyAddresses, bytesOfText('x')),
        (error: Error & { code?: string }) =>
          error.code === 'protocol-refused' && !/secret/.test(error.message),
      );
    });

    it('does not answer in the lobby while it is stopped', async () => {
      const node = nodeOn(network);
      await assert.rejects(node.mesh.askLobby(['/ip4/127.0.0.1/tcp/1'], bytesOfText('x')), {
        code: 'mesh-stopped',
      });
    });

    it('finds the members that provide a blob', async () => {
      const nodes = [nodeOn(network), nodeOn(network), nodeOn(network), nodeOn(network)] as const;
      await gather(network, ...nodes);
      const [a, b, c, d] = nodes;
      const [held, unknown] = ['ab'.repeat(32), 'cd'.repeat(32)];
      // The records go to whoever is known to keep them, which takes the nodes a moment to learn.
      const found = async (node: typeof a, hash: string): Promise<string[]> => {
        const peers: string[] = [];
        for await (const peer of node.mesh.findProviders(hash)) peers.push(peer);
        return peers.sort();
      };
      let last: string[] = [];
      for (let round = 0; last.length < 2 && round < 50; round += 1) {
        for (const { mesh } of [b, c]) await mesh.provide(held);
        last = await found(d, held);
      }
      assert.deepEqual(last, [b.peer, c.peer].sort());
      assert.deepEqual(await found(b, held), [c.peer], 'nobody is told of itself');
      assert.deepEqual(await found(a, unknown), []);
      const reason = new Error('enough');
      await assert.rejects(a.mesh.provide(held, { signal: AbortSignal.abort(reason) }), reason);
      d.mesh.setMembership({ farm: FARM, members: membersOf(a, b, d) });
      // Its table forgets who left, and fills anew; whatever it finds meanwhile, only members are named.
      let named: string[] = [];
      for (let round = 0; named.length === 0 && round < 50; round += 1) named = await found(d, held);
      assert.deepEqual(named, [b.peer]);
    });
  });
}
