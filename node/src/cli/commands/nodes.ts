import {
  EXIT,
  heldOnlyBy,
  heldOnlyText,
  formatHours,
  parseHours,
  type ChangeView,
  type ExitCode,
  type FarmView,
  type JobView,
  type NodeView,
  type RouteBody,
} from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { type Output, plain } from '../output.ts';
import { noteRemoval } from '../removal.ts';
import { duration, jobTitle, size, table } from '../text.ts';

/** The machines of the farm: what each can do and does, who coordinated, and what they are to do. */

/** Jobs named in one line on a machine. */
const jobsNamed = 3;

export async function nodes(
  context: Context,
  machine: string | undefined,
  options: { history?: boolean } = {},
): Promise<ExitCode> {
  const { client, output } = context;
  if (options.history === true) {
    if (machine !== undefined) throw new UsageError('The history is of the farm: cuadro nodes --history');
    return history(context);
  }
  if (machine !== undefined) return (await import('./machine-page.ts')).machinePage(context, machine);
  const node = client();
  const all = await node.call('nodes', {});
  if (output.json) {
    output.printJson(all);
    return EXIT.ok;
  }
  // As the dashboard orders them; the node gives them by their keys, which nobody knows by heart.
  const shown = all.toSorted((a, b) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name));
  const head = ['NAME', 'ROLE', 'SLOTS', 'CORES', 'MEMORY', 'DISK FREE', 'ENGINES', 'TAGS', 'STATE'];
  output.print(
    table(
      output,
      head,
      shown.map((node) => row(output, node)),
    ),
  );
  if (all.length > 1) printNeeded(output, all, await node.call('jobs', {}));
  await noteRemoval(context);
  return EXIT.ok;
}

/** Machines that hold alone what jobs need: until others have copies, these are better left on. */
function printNeeded(output: Output, all: readonly NodeView[], jobs: readonly JobView[]): void {
  for (const { name, peer } of all) {
    const held = heldOnlyBy(jobs, peer);
    if (held.length === 0) continue;
    const named = held.slice(0, jobsNamed).map((only) => `${heldOnlyText(only)} of ${jobTitle(only.job)}`);
    const more = held.length > jobsNamed ? `, and of ${held.length - jobsNamed} more jobs` : '';
    output.note(`Only on ${plain(name)}: ${named.join(', ')}${more}.`);
  }
}

function row(output: Output, node: NodeView): string[] {
  const { live } = node;
  const can = live.capabilities;
  const state = stateOf(node);
  return [
    `${plain(node.name)}${node.here ? ' (here)' : ''}`,
    node.coordinator ? 'coordinator' : '',
    String(node.slots),
    can === undefined ? '' : String(can.cores),
    can === undefined ? '' : size(can.memoryBytes),
    // What a machine told before it was lost may be wrong by now.
    live.reachable ? size(live.freeDiskBytes) : '',
    plain(enginesOf(node)),
    plain(node.tags.join(', ')),
    live.reachable ? plain(state) : output.style('red', plain(state)),
  ];
}

/** Only engines whose version shows in what they make; what else a machine runs is in `--json`. */
function enginesOf({ live }: NodeView): string {
  const { blender, ffmpeg } = live.capabilities?.engines ?? {};
  return [
    ...(blender === undefined ? [] : [`Blender ${blender}`]),
    ...(ffmpeg === undefined ? [] : [`ffmpeg ${ffmpeg}`]),
  ].join(', ');
}

export function stateOf({ live, desired, ownerDesired }: NodeView): string {
  const wanted = desired === 'active' ? ownerDesired : desired;
  const state = wanted === 'active' ? '' : `${wanted}: `;
  if (!live.reachable) return `not reachable${wanted === 'active' ? '' : `, ${wanted}`}`;
  // The reason says already where it is paused.
  if (live.running.length === 0) return live.idleReason ?? 'idle';
  const running = live.running.map(({ name, fraction }) => `${name} ${Math.floor(fraction * 100)} %`);
  return `${state}renders ${running.join(', ')}`;
}

/** Who led, newest last, as the node of this machine saw it since its start. */
async function history({ client, output }: Context): Promise<ExitCode> {
  const { coordinators } = await client().call('farm', {});
  if (output.json) {
    output.printJson(coordinators);
    return EXIT.ok;
  }
  if (coordinators.length === 0) {
    output.note('No coordinator was seen yet.');
    return EXIT.ok;
  }
  const rows = coordinators.map((reign, i) => [
    new Date(reign.at).toLocaleString(),
    plain(reign.name),
    reign.cause === 'lost' ? duration(reign.leaderlessMs) : '',
    plain(causeOf(reign, coordinators[i - 1])),
  ]);
  output.print(table(output, ['SINCE', 'COORDINATOR', 'NOBODY LED', 'WHY'], rows));
  return EXIT.ok;
}

type Reign = FarmView['coordinators'][number];

function causeOf({ cause, peer }: Reign, before: Reign | undefined): string {
  const other = before !== undefined && before.peer !== peer ? before.name : undefined;
  switch (cause) {
    case 'first':
      return 'nobody led, so it stood';
    case 'found':
      return 'it led already when this machine found it';
    case 'lost':
      return `it took over: ${other ?? 'the one before'} was lost`;
    case 'yielded':
      return `two led at once, and met: ${other ?? 'the other'} gave way`;
  }
}

type Desired = 'active' | 'draining' | 'paused';

/** Pauses, drains or resumes machines by name; of this machine (`here`) it is its owner who speaks. */
export async function setMachines(
  context: Context,
  machines: readonly string[],
  desired: Desired,
): Promise<ExitCode> {
  const node = context.client();
  const changes = [];
  for (const machine of machines) {
    const body: RouteBody<'setNode'> = machine === 'here' ? { ownerDesired: desired } : { desired };
    const change = await node.call('setNode', { params: { node: machine }, body });
    changes.push(change);
    if (!context.output.json) context.output.print(change.message);
  }
  if (context.output.json) context.output.printJson(changes.length === 1 ? changes[0] : changes);
  return EXIT.ok;
}

/** `cuadro drain`: machines by name, or this one. */
export async function drain(
  context: Context,
  machines: readonly string[],
  options: { here?: boolean },
): Promise<ExitCode> {
  if (options.here === true) {
    if (machines.length > 0) throw new UsageError('Name machines or give --here, not both.');
    return setMachines(context, ['here'], 'draining');
  }
  if (machines.length === 0)
    throw new UsageError('Name a machine: cuadro drain MACHINE (cuadro nodes lists them).');
  return setMachines(context, machines, 'draining');
}

/** Gives a machine these tags in place of those that it had; none takes them away. */
export async function tag(context: Context, machine: string, tags: readonly string[]): Promise<ExitCode> {
  const body = { tags: [...tags] };
  const change = await context.client().call('setNode', { params: { node: machine }, body });
  return answer(context.output, change);
}

/** Said of a machine that works at any time, and to it. */
const ALWAYS = 'always';

/** Sets the hours in which a machine takes work, or tells them where none are given. */
export async function hours(context: Context, machine: string, words: readonly string[]): Promise<ExitCode> {
  const { output } = context;
  const params = { node: machine };
  const text = words.join(' ').trim();
  if (text === '') {
    const node = await context.client().call('node', { params });
    if (output.json) output.printJson(node.hours ?? { spans: [] });
    else output.print(`${node.name}: ${formatHours(node.hours) || ALWAYS}`);
    return EXIT.ok;
  }
  const wanted = text.toLowerCase() === ALWAYS ? { spans: [] } : parseHours(text);
  if (wanted === undefined) {
    throw new UsageError(
      `"${text}" are no hours; write them like Mon-Fri 19:00-07:00, Sat-Sun, or ${ALWAYS}.`,
    );
  }
  return answer(output, await context.client().call('setNode', { params, body: { hours: wanted } }));
}

/** Sets how many tasks a machine runs at a time; never more than its owner set. */
export async function slots(context: Context, machine: string, number: number): Promise<ExitCode> {
  const params = { node: machine };
  return answer(context.output, await context.client().call('setNode', { params, body: { slots: number } }));
}

function answer(output: Output, change: ChangeView): ExitCode {
  if (output.json) output.printJson(change);
  else output.print(change.message);
  return EXIT.ok;
}
