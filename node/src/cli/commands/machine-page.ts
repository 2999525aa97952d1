import {
  compareText,
  EXIT,
  formatHours,
  heldOnlyBy,
  heldOnlyText,
  machineSafety,
  type ExitCode,
  type HeldOnly,
  type HereView,
  type JobView,
  type NodeView,
} from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';
import { count, jobTitle, size } from '../text.ts';
import { stateOf } from './nodes.ts';

/** `cuadro nodes MACHINE`: what it can do and does, and whether it may be switched off. */
export async function machinePage({ client, output }: Context, name: string): Promise<ExitCode> {
  const node = client();
  const machine = await node.call('node', { params: { node: name } });
  const [farm, jobs] = await Promise.all([node.call('farm', {}), node.call('jobs', {})]);
  const here = machine.here ? await node.call('here', {}) : undefined;
  const held = heldOnlyBy(jobs, machine.peer);
  const safety = machineSafety(held, farm.members);
  if (output.json) {
    const onlyHere = held.map(({ job, results, scene }) => ({ job: job.id, results, scene }));
    const copiesToGive = here?.copiesToGive;
    output.printJson({ ...machine, safety, onlyHere, ...(copiesToGive && { copiesToGive }) });
    return EXIT.ok;
  }
  output.print(output.style('bold', `${plain(machine.name)}${machine.here ? ' (here)' : ''}`));
  const lines = [...stateLines(machine, jobs), ...abilityLines(machine), ...safetyLines(held, safety, here)];
  for (const [label, text] of lines) output.print(`  ${label.padEnd(10)} ${text}`);
  return EXIT.ok;
}

type Line = [label: string, text: string];

function stateLines(machine: NodeView, jobs: readonly JobView[]): Line[] {
  const { running, reachable, freeDiskBytes, load } = machine.live;
  const job = (id: string): string => {
    const known = jobs.find((other) => other.id === id);
    return known === undefined ? id : jobTitle(known);
  };
  return [
    ['key', machine.peer],
    ...(machine.coordinator ? ([['role', 'coordinator: gives out the work']] satisfies Line[]) : []),
    ['now', plain(stateOf(machine))],
    ...running.map((task): Line => {
      return ['', `${plain(task.name)} of ${job(task.job)}, ${Math.floor(task.fraction * 100)} %`];
    }),
    ...(reachable ? ([['disk', `${size(freeDiskBytes)} free`]] satisfies Line[]) : []),
    ...(reachable ? ([['load', load.toFixed(1)]] satisfies Line[]) : []),
  ];
}

function abilityLines({ live, slots, tags, hours }: NodeView): Line[] {
  const can = live.capabilities;
  const list = (values: readonly string[], none: string): string =>
    values.length === 0 ? none : values.map(plain).join(', ');
  const engines = Object.entries(can?.engines ?? {})
    .filter(([engine]) => engine !== 'node' && engine !== 'command')
    .sort(([a], [b]) => compareText(a, b));
  return [
    ...(can === undefined
      ? ([['can', "it hasn't said yet what it can do"]] satisfies Line[])
      : ([
          [
            'engines',
            list(
              engines.map(([engine, version]) => `${engine === 'blender' ? 'Blender' : engine} ${version}`),
              'none',
            ),
          ],
          ['renderers', list(can.renderEngines, 'none')],
          ['denoisers', list(can.denoisers, 'none')],
          ['devices', list(can.devices, 'none')],
          ['cores', `${can.cores}, ${size(can.memoryBytes)} of memory`],
          ['programs', list(can.programs, 'none for command jobs')],
        ] satisfies Line[])),
    ['slots', `${count(slots, 'task')} at a time`],
    ['tags', list(tags, 'none')],
    ['hours', formatHours(hours) || 'always'],
  ];
}

function safetyLines(held: readonly HeldOnly[], safety: string, here: HereView | undefined): Line[] {
  const { results = 0, jobs = 0, logs = 0 } = here?.copiesToGive ?? {};
  const waiting = results + jobs + logs;
  return [
    ['safety', safety],
    ...held.map((only): Line => ['', `${jobTitle(only.job)}: ${heldOnlyText(only)}`]),
    ...(waiting > 0
      ? ([['', `${waiting} of it still wait for another machine to take a copy`]] satisfies Line[])
      : []),
  ];
}
