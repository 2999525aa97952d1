import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { createMesh } from '../../../node/src/mesh/mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

test('two meshes that are told the same ports both run, and the second says that it moved', async () => {
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (line: string) => void warnings.push(line),
    error: (line: string) => void warnings.push(line),
    child: () => logger,
  } as unknown as Logger;
  const meshAt = (meshPort: number, lobbyPort: number): Mesh => {
    const identity = temporaryIdentity();
    const mesh = createMesh(
      { clock: createSystemClock(), random: createSystemRandom(), logger },
      {
        privateKey: identity.privateKey(),
        listen: ['127.0.0.1'],
        meshPort,
        lobbyPort,
        serviceName: undefined,
      },
    );
    mesh.setMembership({ farm: 'aaaaaaaaaaaaaaaa', members: new Set([mesh.self]) });
    return mesh;
  };
  const portOf = (address: string | undefined): number => Number(/\/tcp\/(\d+)/.exec(address ?? '')?.[1]);
  const first = meshAt(0, 0);
  await first.start();
  const taken = first.status();
  const second = meshAt(portOf(taken.meshAddresses[0]), portOf(taken.lobbyAddresses[0]));
  try {
    await second.start();
    const own = second.status();
    assert.ok(portOf(own.meshAddresses[0]) > 0 && portOf(own.lobbyAddresses[0]) > 0);
    assert.notEqual(portOf(own.meshAddresses[0]), portOf(taken.meshAddresses[0]));
    assert.notEqual(portOf(own.lobbyAddresses[0]), portOf(taken.lobbyAddresses[0]));
    assert.equal(warnings.length, 2);
    for (const line of warnings) assert.match(line, /is taken; a free one is used instead\.$/);
  } finally {
    await second.stop();
    await first.stop();
  }
});
