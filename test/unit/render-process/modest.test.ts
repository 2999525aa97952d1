import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { confine, findConfiner } from '../../../node/src/render/blender/confinement.ts';
import { type GroupCommand, startProcessGroup } from '../../../node/src/render/process/group.ts';
import { inModestSession, modestly } from '../../../node/src/render/process/modest.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';

/** What renders gives way to everything else, also where the kernel weighs whole sessions (promise 6). */

const skip = !existsSync('/proc/self/autogroup') && 'This kernel has no autogroups.';
const show = { file: '/bin/cat', arguments: ['/proc/self/autogroup'] };

async function said(command: GroupCommand): Promise<string> {
  const group = startProcessGroup({ clock: createSystemClock() }, command, { killWaitMs: 1_000 });
  assert.ok(group.output !== null);
  const [words] = await Promise.all([text(group.output), group.ended]);
  return words;
}

test('a program of the farm is in a session that gives way', { skip }, async () => {
  const words = await said(modestly(inModestSession({ ...show, environment: {}, directory: '/' })));
  assert.match(words, / nice 10\n$/);
});

test('so is a confined one, which has a session of its own', { skip }, async (t) => {
  const confiner = await findConfiner({ enabled: true });
  if (confiner.confinement.kind === 'none') return t.skip('Bubblewrap is not installed.');
  const reach = { readable: [], writable: [] };
  const command = confine(confiner, reach, { ...inModestSession(show), environment: {} });
  const words = await said(modestly({ ...command, environment: {}, directory: '/' }));
  assert.match(words, / nice 10\n$/);
});

test('many that begin at once take turns, and each gives way', { skip }, async (t) => {
  const confiner = await findConfiner({ enabled: true });
  if (confiner.confinement.kind === 'none') return t.skip('Bubblewrap is not installed.');
  const reach = { readable: [], writable: [] };
  const command = confine(confiner, reach, { ...inModestSession(show), environment: {} });
  const start = (): Promise<string> => said(modestly({ ...command, environment: {}, directory: '/' }));
  for (const words of await Promise.all(Array.from({ length: 12 }, start)))
    assert.match(words, / nice 10\n$/);
});

test('a program that is not there stays as it is, so that its own start tells', () => {
  const missing = { file: '/nowhere/program', arguments: [] };
  assert.equal(inModestSession(missing), missing);
});
