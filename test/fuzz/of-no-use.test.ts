import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, lobbyAnswerSchema } from '@cuadro/protocol';
import { nextTurn } from '../../node/src/system/turn.ts';
import { signedRecords } from './decoders/signed-records.ts';
import { WholeNode } from './decoders/whole-node.ts';

const hostile = Uint8Array.of(0xff, 0x00);

async function withNode(use: (node: WholeNode) => Promise<void>): Promise<void> {
  const node = await WholeNode.start();
  try {
    await use(node);
  } finally {
    await node.stop();
  }
}

/** Whether nonsense was counted under the reason, its sender named, and nothing changed by it. */
async function assertCounted(
  node: WholeNode,
  reason: string,
  sender: string,
  say: () => Promise<unknown> | void,
): Promise<void> {
  const digest = node.digest();
  const before = node.reasons()[reason]?.count ?? 0;
  await say();
  for (let turn = 0; turn < 500 && (node.reasons()[reason]?.count ?? 0) === before; turn++) await nextTurn();
  assert.deepEqual(node.reasons()[reason], { count: before + 1, peer: sender }, reason);
  assert.equal(node.digest(), digest, `${reason} changed something`);
  assert.deepEqual(node.errors, []);
}

const framed = (head: Uint8Array): Uint8Array => Uint8Array.of(0, 0, 0, head.length, 0, 0, 0, 0, ...head);

test('R120: messages, gossip and streams of a member that make no sense are counted, and it is named', async () => {
  await withNode(async (node) => {
    const { member, peer } = node;
    const on = async (protocol: 'sync' | 'hold' | 'blobs', bytes: Uint8Array): Promise<void> => {
      const stream = await member.open(peer, protocol);
      await stream.write(bytes);
      await stream.end();
    };
    for (let i = 0; i < 2; i++) {
      await assertCounted(node, 'malformed-message', member.self, () => member.send(peer, hostile));
      await assertCounted(node, 'malformed-message', member.self, () => member.gossip('claims', hostile));
      await assertCounted(node, 'malformed-gossip', member.self, () => member.gossip('records', hostile));
      await assertCounted(node, 'malformed-bytes', member.self, () => on('hold', framed(hostile)));
      await assertCounted(node, 'frame-malformed', member.self, () =>
        on('hold', framed(encode({ kind: 'x' }))),
      );
      await assertCounted(node, 'frame-malformed', member.self, () =>
        on('blobs', framed(encode({ kind: 'x' }))),
      );
      const unsigned = encode({ kind: 'node', peer, fields: { future: null } });
      const item = { kind: 'records', id: 1, records: [unsigned] };
      const held = framed(encode({ kind: 'hold', items: [item] }));
      await assertCounted(node, 'invalid-record-to-hold', member.self, () => on('hold', held));
    }
    await assertCounted(node, 'malformed-frame', member.self, () =>
      on('sync', Uint8Array.of(0, 0, 0, 1, 0xff)),
    );
    assert.ok(node.metrics().includes('cuadro_mesh_refused_total{reason="malformed-message"} 4'));
    assert.ok(node.metrics().includes('cuadro_mesh_refused_total{reason="malformed-gossip"} 2'));
  });
});

test('R120: a member that floods with nonsense is counted each time, and logged once', async () => {
  await withNode(async (node) => {
    for (let i = 0; i < 50; i++) node.member.send(node.peer, hostile);
    for (let turn = 0; turn < 500 && node.refused() < 50; turn++) await nextTurn();
    assert.equal(node.refused(), 50);
    assert.equal(node.warnings.filter((warning) => warning.includes('makes no sense')).length, 1);
  });
});

test('R120: a stranger that asks unreadably is counted and named, and is told no more than that', async () => {
  await withNode(async (node) => {
    const { stranger, lobby } = node;
    for (const request of [hostile, encode({ kind: 'lamp' }), encode(signedRecords[0])]) {
      await assertCounted(node, 'lobby-request-unreadable', stranger.self, async () => {
        const { answer } = await stranger.askLobby(lobby, request);
        assert.deepEqual(lobbyAnswerSchema.parse(decode(answer)), { kind: 'closed', reason: 'unreadable' });
      });
    }
  });
});
