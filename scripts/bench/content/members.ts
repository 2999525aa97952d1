import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { allocatorEnvironment, SEMI_SPACE_MAX_MB } from '../../../node/src/cli/start-again.ts';
import { type BenchContext, CouldNotMeasure } from '../harness.ts';
import type { MemberCommand, MemberInit } from './member.ts';

const script = fileURLToPath(new URL('member.ts', import.meta.url));

/** A member in a process of its own; one command at a time. */
export class Member {
  readonly number: number;
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #addresses: readonly string[] = [];

  private constructor(number: number, child: ChildProcess, lines: Interface) {
    this.number = number;
    this.child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** `before`: words in front of the command, such as those that run it in a network namespace. */
  static async start(
    context: Pick<BenchContext, 'spawn'>,
    init: MemberInit,
    before: readonly string[] = [],
  ): Promise<Member> {
    const [program, ...words] = [...before, process.execPath];
    // Memory as a node has it: it decides how often what came in is collected.
    const args = [...words, `--max-semi-space-size=${SEMI_SPACE_MAX_MB}`, script, JSON.stringify(init)];
    const env = allocatorEnvironment(process.env) ?? process.env;
    const child = context.spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    const member = new Member(
      init.number,
      child,
      createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }),
    );
    const { addresses } = await member.#answer<{ addresses: readonly string[] }>();
    member.#addresses = addresses;
    return member;
  }

  async ask<T>(command: MemberCommand): Promise<T> {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
    return this.#answer<T>();
  }

  async knows({ number }: Member, addresses: readonly string[]): Promise<void> {
    if (number !== this.number) await this.ask({ do: 'address', of: number, addresses });
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const closed = once(this.child, 'close');
    this.child.stdin?.end();
    await closed;
  }

  async #answer<T>(): Promise<T> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new CouldNotMeasure(`Member ${this.number} ended before its time.`);
    const answer = JSON.parse(value) as T & { error?: string };
    if (answer?.error !== undefined) throw new CouldNotMeasure(`Member ${this.number}: ${answer.error}`);
    return answer;
  }
}

/** Starts `count` members that reach each other, all with the first or all with all. */
export async function startMembers(
  context: Pick<BenchContext, 'folder' | 'spawn'>,
  init: {
    readonly count: number;
    readonly listen: (number: number) => string;
    readonly before?: (number: number) => readonly string[];
    /** What is special about one. */
    readonly special?: (
      number: number,
    ) => Pick<MemberInit, 'spoils' | 'countsSenders'> & { readonly folder?: string };
    /** The address by which others are to reach what listens at one; the same without it. */
    readonly reachedAt?: (address: string) => Promise<string>;
  },
): Promise<Member[]> {
  const folder = await context.folder('members');
  const members = await Promise.all(
    Array.from({ length: init.count }, (_, i) =>
      Member.start(
        context,
        {
          folder: `${folder}/${i + 1}`,
          number: i + 1,
          members: init.count,
          listen: init.listen(i + 1),
          ...init.special?.(i + 1),
        },
        init.before?.(i + 1),
      ),
    ),
  );
  for (const member of members) {
    const addresses = await Promise.all(
      member.addresses.map(async (address) => init.reachedAt?.(address) ?? address),
    );
    for (const other of members) await other.knows(member, addresses);
  }
  const numbers = members.map(({ number }) => number);
  for (const member of members)
    await member.ask({ do: 'reach', members: numbers.filter((number) => number !== member.number) });
  return members;
}
