import {
  type ChangeView,
  CuadroError,
  EXIT,
  type ExitCode,
  heldOnlyBy,
  heldOnlyInAll,
  heldOnlyText,
  type HeldOnly,
  type JobView,
  whyStuck,
} from '@cuadro/protocol';
import type { NodeClient } from '../client.ts';
import type { Context } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { count, hasEnded, jobTitle, progressBar } from '../text.ts';

/** How often it is asked how far it is. */
const pollMs = 250;
/** For so long it may be in somebody's way before it is given up; the node itself has tried for longer by then. */
const patienceMs = 3_000;
/** Jobs named one by one; of more there is only the sum. */
const jobsNamed = 8;

/** `cuadro leave`: says what only this machine holds, has it moved, and leaves. */
export async function leave(
  context: Context,
  { yes, lose }: { yes?: boolean; lose?: boolean },
): Promise<ExitCode> {
  const { output, line } = context;
  const node = context.client();
  const [door, { peer, copiesToGive }, jobs] = await Promise.all([
    node.call('door', {}),
    node.call('here', {}),
    node.call('jobs', {}),
  ]);
  if (door.state !== 'member') throw refused(door.message);
  if (door.members.length < 2)
    throw refused('This machine is the only one in its farm: there is nobody to leave.');
  const held = heldOnlyBy(jobs, peer);
  const logs = copiesToGive?.logs ?? 0;
  // On standard error, so that whoever reads the JSON sees it all the same.
  noteHeld(output, { held, logs }, lose === true);
  noteOwnJobs(output, jobs, peer);
  if (yes !== true && line.ask !== undefined && !output.json) {
    const question = `Leave ${plain(door.farm?.name ?? 'the farm')}? That is final for this machine's key. [y/N] `;
    if (!(await line.ask(question))) {
      output.note('It stays.');
      return EXIT.failure;
    }
  }
  if (lose === true) return answer(output, await node.call('leaveNow', {}));
  await node.call('setNode', { params: { node: 'here' }, body: { leaving: { wanted: true, reason: '' } } });
  await follow(context, node, {
    node: 'here',
    atMost: held.reduce((sum, one) => sum + sizeOf(one), logs),
    lose: 'cuadro leave --lose leaves at once, and loses it.',
    look: async () => {
      const view = await node.call('departure', {});
      const { results, scenes, logs = 0 } = view.left;
      return { ...view, left: results + scenes + logs };
    },
  });
  return answer(output, { machines: 1, message: (await node.call('door', {})).message });
}

/** Another machine leaves, since a person here wants it removed; resolves once it has. */
export async function letLeave(
  context: Context,
  node: NodeClient,
  init: { peer: string; name: string; reason: string; held: readonly HeldOnly[]; logs: number },
): Promise<ChangeView> {
  const { peer, name, reason, held, logs } = init;
  const body = { leaving: { wanted: true, reason } };
  const { machines } = await node.call('setNode', { params: { node: peer }, body });
  await follow(context, node, {
    node: peer,
    atMost: held.reduce((sum, one) => sum + sizeOf(one), logs),
    lose: `cuadro door remove ${name} --lose removes it at once, and loses that.`,
    look: async () => {
      const [door, jobs, machine] = await Promise.all([
        node.call('door', {}),
        node.call('jobs', {}),
        // Once it has left, nobody knows a machine of this key any more.
        node.call('node', { params: { node: peer } }).catch(() => undefined),
      ]);
      const member = door.members.find((one) => one.peer === peer);
      if (member === undefined) return { state: 'left', left: 0, message: '' };
      const logsLeft = machine?.logsOnlyThere ?? 0;
      const left = heldOnlyBy(jobs, peer).reduce((sum, one) => sum + sizeOf(one), logsLeft);
      if (!member.reachable) return { state: 'blocked', left, message: `${name} can't be reached any more.` };
      const stuck = whyStuck(machine?.live.idleReason);
      return stuck === undefined
        ? { state: 'moving', left, message: `What only ${name} holds goes to others.` }
        : { state: 'blocked', left, message: stuck };
    },
  });
  return { machines, message: `${name} is no member any more: it gave away what only it held, and left.` };
}

interface Standing {
  state: 'staying' | 'moving' | 'blocked' | 'left';
  /** Results, scenes and plans, and logs that are still to be moved. */
  left: number;
  message: string;
}

interface Following {
  node: string;
  /** What there was to move before it began. */
  atMost: number;
  /** What can be done instead, where it can't be moved. */
  lose: string;
  look(): Promise<Standing>;
}

/** Draws how far it is, until the machine has left. @throws CuadroError `leave-refused`, `aborted`; then it stays. */
async function follow({ output, line }: Context, node: NodeClient, init: Following): Promise<void> {
  let most = init.atMost;
  let moved = { left: Number.NaN, at: performance.now() };
  const stay = async (): Promise<void> => {
    const body = { leaving: { wanted: false, reason: '' } };
    await node.call('setNode', { params: { node: init.node }, body });
  };
  try {
    for (;;) {
      const { state, left, message } = await init.look();
      if (state === 'left') return;
      if (state === 'staying') throw refused('Somebody decided that it stays.');
      most = Math.max(most, left);
      output.draw(`${plain(message)}  ${most === 0 ? '' : progressBar(most - left, most)}`.trimEnd());
      if (left !== moved.left) moved = { left, at: performance.now() };
      if (line.signal.aborted) {
        await stay();
        throw new CuadroError('aborted');
      }
      if (state === 'blocked' && performance.now() - moved.at > patienceMs) {
        await stay();
        throw refused(
          `${message} ${left > 0 ? `${count(left, 'thing')} of ${most} could not be moved, so` : 'So'} it stays in the farm. Start another machine or make room on one, and try again; ${init.lose}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  } finally {
    output.clear();
  }
}

const sizeOf = ({ results, scene }: HeldOnly): number => results + (scene ? 1 : 0);
const refused = (why: string): CuadroError => new CuadroError('leave-refused', { why });

function noteHeld(
  output: Output,
  { held, logs }: { held: readonly HeldOnly[]; logs: number },
  lose: boolean,
): void {
  if (held.length + logs === 0) {
    output.note('Everything that this machine holds is on another one, too.');
    return;
  }
  const what = lose ? 'is lost to the farm' : 'goes to other machines first';
  output.note(
    `Only this machine holds ${heldOnlyInAll(held, logs)}; that ${what}${held.length > 0 ? ':' : '.'}`,
  );
  for (const one of held.slice(0, jobsNamed)) output.note(`  ${heldOnlyText(one)} of ${jobTitle(one.job)}`);
  if (held.length > jobsNamed) output.note(`  … and of ${count(held.length - jobsNamed, 'more job')}`);
}

/** Nobody brings their files here any more. */
function noteOwnJobs(output: Output, jobs: readonly JobView[], peer: string): void {
  const open = jobs.filter((job) => job.submitter === peer && !hasEnded(job));
  if (open.length === 0) return;
  output.note(
    `${count(open.length, 'job')} of this machine ${open.length === 1 ? 'goes' : 'go'} on without it; \`cuadro fetch\` on another brings the files.`,
  );
}

function answer(output: Output, change: ChangeView): ExitCode {
  if (output.json) output.printJson(change);
  else output.print(plain(change.message));
  return EXIT.ok;
}
