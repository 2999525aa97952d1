import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { EXIT } from '@cuadro/protocol';
import { runDaemon } from '../../../node/src/daemon.ts';

it('bears a closed terminal while it starts, and ends in order when it was asked to meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-run-'));
  try {
    const told: string[] = [];
    const asked = new AbortController();
    const heardBefore = process.listenerCount('SIGHUP');
    const running = runDaemon({
      dataFolder: folder,
      port: 0,
      config: { network: false },
      signal: asked.signal,
      onReady: () => told.push('ready'),
      onStopping: () => told.push('stopping'),
    });
    assert.equal(process.listenerCount('SIGHUP'), heardBefore + 1);
    asked.abort();
    assert.equal(await running, EXIT.ok);
    assert.deepEqual(told, ['stopping']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
