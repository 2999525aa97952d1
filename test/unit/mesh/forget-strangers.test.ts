import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Libp2p } from '@libp2p/interface';
import { forgetStrangers } from '../../../node/src/mesh/forget-strangers.ts';
import { createLobbyLibp2p } from '../../../node/src/mesh/host.ts';
import { LOBBY_PROTOCOL } from '../../../node/src/mesh/names.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const UPGRADE_MS = 2_000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function lobby(): Promise<Libp2p> {
  const privateKey = temporaryIdentity().privateKey();
  return createLobbyLibp2p({ privateKey, listen: ['127.0.0.1'], port: 0, upgradeMs: UPGRADE_MS });
}

it('keeps nothing of a stranger who has left, and what there is of one who is here', async () => {
  const clock = new ManualClock();
  const [host, left, here] = [await lobby(), await lobby(), await lobby()];
  try {
    await host.handle(LOBBY_PROTOCOL, (stream) => void stream.close());
    forgetStrangers({ clock, host }, UPGRADE_MS);
    for (const each of [host, left, here]) await each.start();
    const known = async (): Promise<string[]> => (await host.peerStore.all()).map(({ id }) => id.toString());
    const visit = async (guest: Libp2p) => {
      const connection = await guest.dial(host.getMultiaddrs());
      await connection.newStream(LOBBY_PROTOCOL);
      while (!(await known()).includes(guest.peerId.toString())) await turn();
      return connection;
    };
    await visit(here);
    await (await visit(left)).close();
    while (host.getConnections(left.peerId).length > 0) await turn();
    assert.equal((await known()).length, 2, 'libp2p itself drops nobody');
    clock.advance(UPGRADE_MS);
    while ((await known()).length > 1) await turn();
    assert.deepEqual(await known(), [here.peerId.toString()]);
  } finally {
    for (const each of [host, left, here]) await each.stop();
  }
});
