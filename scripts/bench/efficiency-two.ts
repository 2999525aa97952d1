import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findOnPath } from '../../node/src/render/blender/confinement.ts';
import { LocalFarm } from '../farm/local-farm.ts';
import { type Course, type FarmRun, SMALL, submitAndWait, takeTurns } from './efficiency.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, probed, rounded } from './harness.ts';

const NODES = 2;

/**
 * What a farm costs where it has work to pass on: the scene goes to the second machine, every frame of the second
 * comes to the first, which collects it, and each is kept twice. Each node and its Blender are bound to their half of
 * the cores (`taskset`), so that both sides have the same.
 */
export const bench: Bench = {
  name: 'efficiency-two',
  measures:
    'seconds from submitting a job of cheap frames to the last frame in the output folder of the machine that submitted, ' +
    `by ${NODES} nodes with half of the cores each; the baseline is one plain warm Blender on all of these cores with the ` +
    'same settings, from its start to its last frame. The ratio is baseline ÷ farm: 1 would mean that the farm costs nothing.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const blender = await findOnPath(process.env['CUADRO_BLENDER'] ?? 'blender');
  if (blender === undefined) throw new CouldNotMeasure('There is no Blender on the PATH.');
  if ((await findOnPath('taskset')) === undefined)
    throw new CouldNotMeasure('There is no taskset on the PATH: cores can be shared out on Linux only.');
  const cores = availableParallelism();
  if (cores < NODES) throw new CouldNotMeasure(`${NODES} nodes need as many cores.`);
  const figures = await takeTurns(context, blender, SMALL, (course, scene, folder) =>
    runTwo(course, scene, folder, cores),
  );
  return {
    value: rounded(figures.farmS, 2),
    unit: 's',
    baseline: rounded(figures.baselineS, 2),
    ratio: rounded(figures.ratio, 3),
    frames: figures.frames,
    frameS: rounded(figures.frameS, 3),
    phases: figures.phases,
    nodes: NODES,
    ratioStarted: rounded((figures.baselineS - figures.baselineLaunchS) / figures.farmS, 3),
  };
}

/** A farm of its own each time: nothing of the scene is stored or loaded when the clock starts. */
async function runTwo(course: Course, scene: string, folder: string, cores: number): Promise<FarmRun> {
  const share = Math.floor(cores / NODES);
  const farm = await LocalFarm.open({
    folder,
    nodes: NODES,
    wrap: (index) => ['taskset', '-c', `${index * share}-${(index + 1) * share - 1}`],
  });
  try {
    for (const node of farm.living)
      if (!(await probed(node))) throw new CouldNotMeasure('A node found no Blender that works.');
    return await submitAndWait(farm.node(0), course, scene, join(folder, 'frames'));
  } finally {
    await farm.close();
  }
}
