import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@cuadro/protocol';
import { createBlenderSessions } from '../render/blender/pool.ts';
import { ffmpegCapabilities } from '../render/film/capabilities.ts';
import type { FfmpegCapabilities } from '../render/film/interface.ts';
import type { BlenderCapabilities } from '../render/interface.ts';
import { createSystemClock } from '../system/clock.ts';
import { createLogger } from '../system/logger.ts';
import { createSystemRandom } from '../system/random.ts';

export interface FoundEngines {
  readonly blender: BlenderCapabilities;
  readonly ffmpeg: FfmpegCapabilities;
}

/** Tries Blender and ffmpeg as a node does at its start, without one: for `cuadro doctor`. */
export async function probeEngines({
  blender,
  ffmpeg,
  confine,
}: Pick<Config, 'blender' | 'ffmpeg' | 'confine'>): Promise<FoundEngines> {
  const clock = createSystemClock();
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-probe-'));
  const sessions = createBlenderSessions(
    { clock, random: createSystemRandom(), logger: createLogger({ clock }, {}) },
    {
      sessionsDirectory: join(folder, 'sessions'),
      readableDirectories: [],
      confine,
      ...(blender !== '' && { blender }),
    },
  );
  try {
    await sessions.start();
    const [found, film] = await Promise.all([
      sessions.capabilities(),
      ffmpegCapabilities({ clock }, ffmpeg === '' ? {} : { ffmpeg }),
    ]);
    return { blender: found, ffmpeg: film };
  } finally {
    await sessions.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
