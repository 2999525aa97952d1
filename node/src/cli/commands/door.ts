import {
  type ChangeView,
  CuadroError,
  type DoorView,
  EXIT,
  type ExitCode,
  heldOnlyBy,
  heldOnlyInAll,
  type HeldOnly,
  typedAddress,
} from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { type Output, plain } from '../output.ts';
import { count, duration, table } from '../text.ts';

/** The farm's door: who is in, who wants in, what else is around. */

const ACTIONS = ['open', 'close', 'admit', 'refuse', 'remove', 'merge', 'found'] as const;
type Action = (typeof ACTIONS)[number];

const openDefaultMs = 15 * 60_000;
const openMaxMs = 24 * 3_600_000;

export async function door(
  context: Context,
  action: string | undefined,
  operands: readonly string[],
  options: RemoveOptions,
): Promise<ExitCode> {
  if (action === undefined) return show(context);
  if (!isAction(action)) throw new UsageError(`cuadro door can't "${action}"; it can ${ACTIONS.join(', ')}.`);
  const change = await perform(context, action, operands, options);
  if (change === undefined) return EXIT.failure;
  return answer(context.output, change);
}

interface RemoveOptions {
  yes?: boolean;
  reason?: string;
  lose?: boolean;
}

const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text);

/** Undefined where a person was asked and said no. */
async function perform(
  context: Context,
  action: Action,
  operands: readonly string[],
  options: RemoveOptions,
): Promise<ChangeView | undefined> {
  const named = operands.join(' ');
  switch (action) {
    case 'open': {
      const forMs = operands.length === 0 ? openDefaultMs : durationOf(named);
      return context.client().call('openDoor', { body: { forMs } });
    }
    case 'close':
      takesNothing(action, operands);
      return context.client().call('closeDoor', {});
    case 'admit':
    case 'refuse':
      return context.client().call(action, { body: named === '' ? {} : { newcomer: named } });
    case 'remove':
      return remove(context, named, options);
    case 'merge':
      return context.client().call('mergeFarm', { body: named === '' ? {} : { farm: named } });
    case 'found':
      takesNothing(action, operands);
      return context.client().call('foundFarm', {});
  }
}

async function remove(
  context: Context,
  member: string,
  { yes, reason = '', lose }: RemoveOptions,
): Promise<ChangeView | undefined> {
  if (member === '')
    throw new UsageError('Name the machine: cuadro door remove MACHINE (cuadro door lists them).');
  const { output, line } = context;
  const node = context.client();
  // Who isn't a machine of the farm is told by the removal itself.
  const found = await node.call('node', { params: { node: member } }).catch(() => undefined);
  const held = found === undefined ? [] : heldOnlyBy(await node.call('jobs', {}), found.peer);
  const logs = found?.logsOnlyThere ?? 0;
  const holdsAlone = held.length + logs > 0;
  // A log only helps to look at a failure: a machine that is gone is not kept for it.
  const isWorthIt = held.length > 0 || found?.live.reachable === true;
  const moves = holdsAlone && isWorthIt && lose !== true;
  // On standard error, so that whoever reads the JSON sees it all the same.
  if (holdsAlone && found?.here === false) output.note(heldSentence({ held, logs }, moves));
  if (moves && found?.live.reachable === false) {
    throw new CuadroError('leave-refused', {
      why: `${found.name} can't be reached, so that can't be moved. Start it and try again, or lose it: cuadro door remove ${found.name} --lose`,
    });
  }
  if (yes !== true && line.ask !== undefined && !output.json) {
    const question = `Remove ${plain(member)} from the farm? That is final for its key. [y/N] `;
    if (!(await line.ask(question))) {
      output.note('Nothing was changed.');
      return undefined;
    }
  }
  if (!moves || found === undefined || found.here)
    return node.call('removeMember', { body: { member, ...(reason !== '' && { reason }) } });
  const { letLeave } = await import('./leave.ts');
  return letLeave(context, node, { peer: found.peer, name: plain(found.name), reason, held, logs });
}

/** What is only there, and what becomes of it. */
function heldSentence({ held, logs }: { held: readonly HeldOnly[]; logs: number }, moves: boolean): string {
  const what = heldOnlyInAll(held, logs);
  if (moves) return `Only it holds ${what}; that goes to other machines first.`;
  if (held.length === 0) return `Only it holds ${what}, and that is lost.`;
  return `Only it holds ${what}: results are then rendered again, and a scene has to be submitted again.`;
}

function takesNothing(action: Action, operands: readonly string[]): void {
  if (operands.length > 0) throw new UsageError(`cuadro door ${action} takes no more words.`);
}

/** `10m`, `90s`, `2h`, or minutes. */
function durationOf(text: string): number {
  const match = /^(\d{1,6})\s*(s|m|min|h)?$/.exec(text.trim());
  const unitMs = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 }[match?.[2] ?? 'm'] ?? 60_000;
  const ms = Number(match?.[1] ?? Number.NaN) * unitMs;
  if (!(ms >= 1_000 && ms <= openMaxMs)) {
    throw new UsageError(`"${text}" is no time for a door; write 90s, 10m or 2h, a day at most.`);
  }
  return ms;
}

export async function join(context: Context, address: string): Promise<ExitCode> {
  return answer(context.output, await context.client().call('joinAddress', { body: { address } }));
}

function answer(output: Output, change: ChangeView): ExitCode {
  if (output.json) output.printJson(change);
  else output.print(plain(change.message));
  return EXIT.ok;
}

async function show({ client, output }: Context): Promise<ExitCode> {
  const view = await client().call('door', {});
  if (output.json) {
    output.printJson(view);
    return EXIT.ok;
  }
  output.print(plain(view.message));
  if (view.open !== undefined) output.print(`${duration(view.open.leftMs)} left; cuadro door close ends it.`);
  printAsked(output, view);
  printNewcomers(output, view);
  printFound(output, view);
  if (view.alone !== undefined) section(output, plain(view.alone.message));
  printMembers(output, view);
  if (view.addresses.length > 0) {
    section(output, `Others reach this machine with: cuadro join ${view.addresses.map(plain).join(' or ')}`);
  }
  return EXIT.ok;
}

function section(output: Output, text: string): void {
  output.print();
  output.print(text);
}

function printAsked(output: Output, { asked }: DoorView): void {
  for (const { farm, machine, words, state } of asked) {
    if (state !== 'waiting') continue;
    section(output, `At the door of ${plain(farm.name)} (${plain(machine)}), this machine's three words:`);
    output.print(`  ${output.style('bold', words)}`);
  }
}

function printNewcomers(output: Output, { newcomers }: DoorView): void {
  if (newcomers.length === 0) return;
  const rows = newcomers.map(({ name, words, addresses, farm }) => [
    plain(name),
    output.style('bold', words),
    farm === undefined
      ? ''
      : `${plain(farm.name)}: ${count(farm.members, 'machine')}, ${count(farm.jobs, 'job')}`,
    plain(typedAddress(addresses[0] ?? '')),
  ]);
  section(output, table(output, ['WANTS IN', 'THREE WORDS', 'ITS FARM', 'SEEN AT'], rows));
  output.print('If the words are the same on its own screen: cuadro door admit WORDS');
}

function printFound(output: Output, { found }: DoorView): void {
  if (found.length === 0) return;
  const rows = found.map(({ farm, machines, members, jobs, open, wantedHere, wantedThere }) => [
    plain(farm.name),
    farm.id,
    String(members),
    String(jobs),
    open ? 'open' : 'closed',
    plain(machines.join(', ')),
    wantedHere ? 'wanted here' : wantedThere ? 'wanted there: cuadro door merge' : '',
  ]);
  section(output, table(output, ['OTHER FARM', 'ID', 'MACHINES', 'JOBS', 'DOOR', 'SEEN', 'MERGING'], rows));
}

function printMembers(output: Output, { members, removed }: DoorView): void {
  if (members.length + removed.length === 0) return;
  const rows = members.map(({ name, here, role, reachable, founder, admittedBy, peer }) => [
    `${plain(name)}${here ? ' (here)' : ''}`,
    role,
    reachable ? 'reachable' : 'not reachable',
    founder ? 'founder' : plain(`by ${admittedBy ?? '?'}`),
    peer,
  ]);
  for (const { name, by, peer } of removed) {
    rows.push([plain(name), '', output.style('red', 'removed'), plain(`by ${by}`), peer]);
  }
  section(output, table(output, ['MEMBER', 'ROLE', '', 'ADMITTED', 'KEY'], rows));
}
