import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import type { BlenderSessions } from '../../../node/src/render/interface.ts';
import { defaultConfig } from '../../../node/src/system/config.ts';
import type { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createMachine, type Machine, type MachineComponents } from '../../../node/src/worker/machine.ts';
import { quiet } from '../jobs/node-of-one.ts';

/** Of a machine that has no Blender. */
export const withoutBlender: Pick<BlenderSessions, 'capabilities' | 'snapshot'> = {
  capabilities: () =>
    Promise.resolve({
      state: 'no-blender',
      sentence: 'None.',
      cores: 1,
      confinement: { kind: 'none', sentence: '' },
    }),
  snapshot: () => [],
};

/** A machine with an empty store, no program to render with, one slot and nothing that keeps it from work. */
export async function bareMachine(
  clock: ManualClock,
  {
    sessions = withoutBlender,
    ...other
  }: Partial<Omit<MachineComponents, 'sessions'>> & { sessions?: typeof withoutBlender },
): Promise<Machine> {
  const blobs = createMemoryBlobStore();
  await blobs.start();
  return createMachine({
    leaving: () => undefined,
    slowDisk: () => undefined,
    clock,
    logger: quiet,
    blobs,
    sessions: sessions as BlenderSessions,
    config: () => ({ ...defaultConfig(), ffmpeg: '/nowhere/ffmpeg' }),
    slots: () => 1,
    hours: () => undefined,
    bundles: () => [],
    onWorker: () => undefined,
    onLoad: () => undefined,
    ...other,
  });
}
