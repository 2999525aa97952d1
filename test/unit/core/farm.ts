import {
  attemptKey,
  compileJob,
  jobType,
  signField,
  signJobSpec,
  signTaskRequest,
  signDeletion,
  type AttemptId,
  type Capabilities,
  type Grant,
  type JobDesired,
  type JobRecord,
  type KnownRecord,
  type Message,
  type NodeDesired,
  type NodeRecord,
  type Plan,
  type ResultMessage,
  type Signer,
  type TaskRequest,
} from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import type { Core, CoreEffect, CoreInput, CoreOptions } from '../../../node/src/core/interface.ts';

/** Peers of the tests, in the order of their ids. */
export const SELF = '12D3KooWAaaaaaaaaaaa';
export const BELEN = '12D3KooWBbbbbbbbbbbb';
export const CARMEN = '12D3KooWCccccccccccc';
export const DOLORES = '12D3KooWDddddddddddd';

/** Signatures are not the core's business: they are checked at the door. */
export const signer = (peer: string): Signer => ({ peer, sign: () => new Uint8Array(64) });

export const capabilities = (changes: Partial<Capabilities> = {}): Capabilities => ({
  engines: { node: '1', blender: '3.4.1', ffmpeg: '5.1', command: '1' },
  renderEngines: ['CYCLES', 'BLENDER_EEVEE'],
  denoisers: [],
  devices: ['CPU'],
  programs: [],
  scripts: false,
  tags: [],
  cores: 4,
  memoryBytes: 8e9,
  ...changes,
});

export const planHash = 'a'.repeat(64);
export const jobIdOf = (number: number): string =>
  `job${Array.from(String(number).padStart(13, '0'), (digit) => 'abcdefghij'[Number(digit)]).join('')}`;

/** A plan of frames, with a film of them all where asked. */
export function framesPlan(
  frames: string,
  { film = false, order = 'sequential' }: { film?: boolean; order?: Plan['order'] } = {},
): Plan {
  const type = film ? 'blender-animation' : 'echo-sleep';
  const { plan } = compileJob(jobType(type), film ? { frames, film: true } : { frames });
  return { ...plan, order };
}

/** Frames, a proxy of each, and a film of all proxies. */
export function chainedPlan(): Plan {
  const plan = framesPlan('1-2');
  const [group] = plan.groups;
  if (group === undefined) throw new Error('A plan of frames has a group.');
  return {
    ...plan,
    groups: [
      { ...group, name: 'frame' },
      { ...group, name: 'proxy', after: [{ group: 0, match: 'same' }] },
      {
        ...group,
        name: 'sheet',
        numbers: [{ start: 1, end: 1, step: 1 }],
        after: [{ group: 1, match: 'all' }],
      },
    ],
  };
}

export function jobRecord(
  plan: Plan,
  changes: { id?: number; order?: number; priority?: number; after?: string[]; author?: string } = {},
): JobRecord {
  const id = jobIdOf(changes.id ?? 1);
  const who = signer(changes.author ?? SELF);
  const tasks = plan.groups.reduce(
    (sum, group) =>
      sum + group.numbers.reduce((n, range) => n + Math.floor((range.end - range.start) / range.step) + 1, 0),
    0,
  );
  const spec = signJobSpec(who, {
    id,
    name: `job ${changes.id ?? 1}`,
    type: 'echo-sleep',
    settings: {},
    plan: planHash,
    tasks,
    order: changes.order ?? changes.id ?? 1,
    after: changes.after ?? [],
    outputFolder: '/out',
    wallTime: 1,
  });
  return {
    kind: 'job',
    id,
    spec,
    control:
      changes.priority === undefined
        ? {}
        : { priority: signField(who, 'job-control', id, changes.priority, 1) },
    requests: {},
    holders: { bundle: {}, plan: { [who.peer]: { held: true, counter: 1 } } },
    acknowledged: true,
  };
}

export function withControl<K extends keyof JobRecord['control']>(
  record: JobRecord,
  name: K,
  value: NonNullable<JobRecord['control'][K]>['value'],
): JobRecord {
  const counter = (record.control[name]?.counter ?? 0) + 1;
  return {
    ...record,
    control: { ...record.control, [name]: signField(signer(SELF), 'job-control', record.id, value, counter) },
  };
}

export const withDesired = (record: JobRecord, desired: JobDesired): JobRecord =>
  withControl(record, 'desired', desired);

export function withRequest(
  record: JobRecord,
  kind: TaskRequest['kind'],
  indices: number[],
  level: number,
): JobRecord {
  const tasks = indices.map((index) => ({ start: index, end: index, step: 1 }));
  const request = signTaskRequest(signer(SELF), record.id, { kind, level, tasks, wallTime: 1 });
  return { ...record, requests: { ...record.requests, [`${kind}.${level}.0.${SELF}`]: request } };
}

export const deleted = (record: JobRecord): JobRecord => ({
  ...record,
  deleted: signDeletion(signer(SELF), record.id, { wallTime: 1 }),
});

export function nodeDesired(peer: string, desired: NodeDesired, counter = 1): NodeRecord {
  return {
    kind: 'node',
    peer,
    fields: { desired: signField(signer(SELF), 'node-field', `${peer}/desired`, desired, counter) },
  };
}

type WithoutNow<T> = T extends unknown ? Omit<T, 'now'> : never;
export type Run = Extract<CoreEffect, { kind: 'run' }>;

/** Drives one core as its driver does, and keeps what it did. */
export class Farm {
  readonly core: Core;
  now = 1_000;
  readonly effects: CoreEffect[] = [];
  /** Attempts that this machine runs or keeps ahead. */
  readonly running = new Map<string, Run>();
  readonly stored = new Map<string, KnownRecord>();
  readonly plans = new Map<string, Plan>();
  wakeAt: number | undefined;

  constructor(records: KnownRecord[] = [], options: Partial<CoreOptions> = {}, term = 0) {
    this.core = createCore({ self: SELF, name: 'here', term, records, options });
  }

  step(input: WithoutNow<CoreInput>): CoreEffect[] {
    const effects = this.core.step({ ...input, now: this.now });
    this.effects.push(...effects);
    for (const effect of effects) this.#carryOut(effect);
    return effects;
  }

  start(slots = 1): this {
    this.step({ kind: 'start' });
    return this.work({ slots });
  }

  work(changes: { slots?: number; accepting?: boolean; can?: Capabilities; idleReason?: string } = {}): this {
    const { slots = 1, accepting = true, can = capabilities(), idleReason } = changes;
    this.step({
      kind: 'worker',
      capabilities: can,
      slots,
      bundles: [],
      accepting,
      ...(idleReason !== undefined && { idleReason }),
    });
    return this;
  }

  records(...records: KnownRecord[]): CoreEffect[] {
    return this.step({ kind: 'records', from: SELF, records });
  }

  submit(plan: Plan, changes: Parameters<typeof jobRecord>[1] = {}): JobRecord {
    const record = jobRecord(plan, changes);
    this.plans.set(record.id, plan);
    this.records(record);
    this.step({ kind: 'plan', job: record.id, plan });
    return record;
  }

  /** What this machine holds, in the order of granting. */
  held(): Run[] {
    return [...this.running.values()];
  }

  heldIndices(): number[] {
    return this.held().map((run) => run.task.index);
  }

  finish(attempt: AttemptId, renderMs = 500): CoreEffect[] {
    this.running.delete(attemptKey(attempt));
    return this.step({
      kind: 'ended',
      attempt,
      outcome: { kind: 'result', files: [], renderMs, wallTime: this.now },
    });
  }

  fail(attempt: AttemptId, code = 'blender-crashed'): CoreEffect[] {
    this.running.delete(attemptKey(attempt));
    return this.step({
      kind: 'ended',
      attempt,
      outcome: {
        kind: 'failure',
        cause: 'failed',
        code,
        message: `It broke: ${code}.`,
        lines: ['line'],
        wallTime: this.now,
      },
    });
  }

  stopped(attempt: AttemptId): CoreEffect[] {
    this.running.delete(attemptKey(attempt));
    return this.step({ kind: 'ended', attempt, outcome: { kind: 'stopped', reason: 'stopped' } });
  }

  /** Finishes whatever is granted until nothing is. */
  finishAll(limit = 10_000): number[] {
    const order: number[] = [];
    for (let run = this.held()[0]; run !== undefined && order.length < limit; run = this.held()[0]) {
      order.push(run.task.index);
      this.finish(run.grant.attempt);
    }
    return order;
  }

  advance(ms: number): CoreEffect[] {
    this.now += ms;
    return this.step({ kind: 'wake' });
  }

  /** Another machine's claim arrives. */
  claim(
    peer: string,
    changes: { slots?: number; wants?: number; sequence?: number; can?: Capabilities } = {},
  ): CoreEffect[] {
    const slots = changes.slots ?? 1;
    const message: Message = {
      kind: 'claim',
      peer,
      sequence: changes.sequence ?? 1,
      wants: changes.wants ?? slots * 2,
      slots,
      capabilities: changes.can ?? capabilities(),
      bundles: [],
    };
    return this.message(peer, message);
  }

  message(from: string, message: Message): CoreEffect[] {
    return this.step({ kind: 'message', from, message });
  }

  beacon(peer: string, grants: readonly Grant[]): CoreEffect[] {
    return this.message(peer, {
      kind: 'beacon',
      peer,
      held: grants.map(({ attempt, job, task, redo, retry }) => {
        return { attempt, job, task, redo, retry, running: true, fraction: 0.5 };
      }),
      load: 0.5,
      freeDiskBytes: 1e9,
    });
  }

  /** Another machine tells how its attempt ended. */
  ended(peer: string, grant: Grant, how: 'result' | 'failure' | 'stopped', code = 'broken'): CoreEffect[] {
    const { attempt, job, task, redo, retry } = grant;
    const common = { attempt, peer, wallTime: this.now };
    const outcome: ResultMessage['outcome'] =
      how === 'result'
        ? {
            kind: how,
            result: {
              ...common,
              state: 'rendered',
              files: [],
              holders: { [peer]: { held: true, counter: 1 } },
              renderMs: 500,
            },
          }
        : how === 'failure'
          ? {
              kind: how,
              failure: { ...common, cause: 'failed', code, message: `It broke: ${code}.`, lines: [] },
            }
          : { kind: how, reason: 'stopped' };
    return this.message(peer, { kind: 'result', job, task, redo, retry, attempt, outcome });
  }

  #carryOut(effect: CoreEffect): void {
    if (effect.kind === 'run') this.running.set(attemptKey(effect.grant.attempt), effect);
    if (effect.kind === 'wake-at') this.wakeAt = effect.at;
    if (effect.kind !== 'persist') return;
    for (const record of effect.records) this.stored.set(keyOf(record), record);
    for (const key of effect.removed) this.stored.delete(key);
  }
}

function keyOf(record: KnownRecord): string {
  if (record.kind === 'task') return `task/${record.job}/${String(record.index).padStart(10, '0')}`;
  return record.kind === 'job' || record.kind === 'farm'
    ? `${record.kind}/${record.id}`
    : `${record.kind}/${record.peer}`;
}

/** Grants sent to a machine by these effects. */
export function grantsTo(peer: string, effects: readonly CoreEffect[]): Grant[] {
  return effects.flatMap((effect) =>
    effect.kind === 'send' && effect.to === peer && effect.message.kind === 'grants'
      ? effect.message.grants
      : [],
  );
}

/** Attempts that these effects take back from a machine. */
export function stopsTo(peer: string, effects: readonly CoreEffect[]): AttemptId[] {
  return effects.flatMap((effect) => {
    if (effect.kind === 'stop-attempt') return peer === SELF ? [effect.attempt] : [];
    if (effect.kind !== 'send' || effect.to !== peer || effect.message.kind !== 'stop') return [];
    return effect.message.attempts;
  });
}
