import type { Fetched } from './content/member.ts';
import { startMembers } from './content/members.ts';
import type { SceneCommand, Submitted } from './content/scene.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded } from './harness.ts';

const TEXTURES = 40;
const TEXTURE_BYTES = Number(process.env['CUADRO_BENCH_MEGABYTES'] ?? 1_000) * (1_000_000 / TEXTURES);

export const bench: Bench = {
  name: 'changed-scene',
  measures:
    `MB that a scene of ${TEXTURES} textures, ${rounded((TEXTURES * TEXTURE_BYTES) / 1e6)} MB in all, brings over the wire when it is ` +
    'submitted again with one texture painted anew, to a node that has it as it was: real mesh, transfer and store in processes of ' +
    'their own, all that comes on the streams of the transfer counted. The baseline is that texture; the ratio is what came ÷ texture. ' +
    'Beside it what the submitting node took to store the scene, the first time and again, and how much it read for that.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const special = (): { countsSenders: boolean } => ({ countsSenders: true });
  const [from, to] = await startMembers(context, { count: 2, listen: () => '127.0.0.1', special });
  if (from === undefined || to === undefined) throw new CouldNotMeasure('Two members are needed.');
  const submit = (version: number): Promise<Submitted> => {
    const scene: SceneCommand = { do: 'submit', files: TEXTURES, fileBytes: TEXTURE_BYTES, version };
    return from.ask<Submitted>(scene);
  };
  let cameBefore = 0;
  const fetched = async ({ bundle }: Submitted): Promise<{ seconds: number; cameBytes: number }> => {
    const { seconds, receivedFrom } = await to.ask<Fetched>({ do: 'fetch', bundle, holders: [from.number] });
    const came = receivedFrom[from.number] ?? 0;
    const cameBytes = came - cameBefore;
    cameBefore = came;
    return { seconds, cameBytes };
  };
  const whole = await submit(0);
  const first = await fetched(whole);
  const changed = await submit(1);
  const again = await fetched(changed);
  const same = await submit(1);
  if (same.bundle !== changed.bundle) throw new CouldNotMeasure('The same scene was another bundle.');
  for (const [words, { seconds, readMB }] of Object.entries({
    First: whole,
    Again: changed,
    Unchanged: same,
  }))
    context.say(
      `${words}: stored in ${seconds.toFixed(1)} s, for which ${readMB?.toFixed(0) ?? 'unknown'} MB were read.`,
    );
  context.say(`First: ${(first.cameBytes / 1e6).toFixed(1)} MB came, in ${first.seconds.toFixed(1)} s.`);
  context.say(`Again: ${(again.cameBytes / 1e6).toFixed(1)} MB came, in ${again.seconds.toFixed(1)} s.`);
  await Promise.all([from.end(), to.end()]);
  return {
    value: rounded(again.cameBytes / 1e6, 3),
    unit: 'MB',
    baseline: rounded(TEXTURE_BYTES / 1e6, 3),
    ratio: rounded(again.cameBytes / TEXTURE_BYTES, 4),
    sceneMB: rounded((TEXTURES * TEXTURE_BYTES) / 1e6),
    firstCameMB: rounded(first.cameBytes / 1e6, 1),
    fetchFirstS: rounded(first.seconds, 1),
    fetchAgainS: rounded(again.seconds, 1),
    storeFirstS: rounded(whole.seconds, 1),
    storeAgainS: rounded(changed.seconds, 1),
    /** Processor time of the submitting node, all threads, and what its calls read, disk or memory. */
    storeFirstCpuS: rounded(whole.cpuSeconds, 1),
    storeAgainCpuS: rounded(changed.cpuSeconds, 1),
    readFirstMB: whole.readMB === null ? null : rounded(whole.readMB),
    readAgainMB: changed.readMB === null ? null : rounded(changed.readMB),
    readUnchangedMB: same.readMB === null ? null : rounded(same.readMB),
    storeUnchangedCpuS: rounded(same.cpuSeconds, 1),
  };
}
