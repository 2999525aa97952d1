import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Fetched, Looked } from '../../scripts/bench/content/member.ts';
import { type Member, startMembers } from '../../scripts/bench/content/members.ts';
import { tellFigure } from '../../scripts/test/figures.ts';
import { type Host, Lan, onHosts } from './support/hosts.ts';

const LINK_MEGABITS = 100;
const SLOW_MEGABITS = 20;
/** Of a slow one's time, what others may take at most that do not wait for it: its line has a fifth of theirs. */
const HELD_UP_SHARE = 2 / 3;
const FILES = 16;
const FILE_BYTES = 4_000_000;
const BUNDLE_BYTES = FILES * FILE_BYTES;
/** Of the small disk: what a node keeps in reserve for the system, and half of a bundle. */
const SMALL_DISK_BYTES = 2 * 2 ** 30 + BUNDLE_BYTES / 2;
const NAMES = ['source', 'a', 'b', 'c', 'full', 'spoiler'] as const;
type Name = (typeof NAMES)[number];

/** Mesh, transfer and store of a node each, on hosts whose links carry 100 Mbit/s, as most switches of old do. */
describe('a bundle that several hosts want at once', onHosts, () => {
  let folder: string;
  let smallDisk: string;
  let lan: Lan;
  const hosts = new Map<Name, Host>();
  const members = new Map<Name, Member>();
  let seed = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cuadro-swarm-'));
    smallDisk = join(folder, 'small-disk');
    await mkdir(smallDisk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK_BYTES}`, 'tmpfs', smallDisk]);
    lan = new Lan();
    for (const name of NAMES) {
      const host = lan.host({ name, networks: [1] });
      host.limit('eth0', LINK_MEGABITS);
      host.limitIncoming('eth0', LINK_MEGABITS);
      hosts.set(name, host);
    }
    const started = await startMembers(
      {
        folder: async (label) => mkdtemp(join(folder, `${label}-`)),
        spawn: (program, args, { env } = {}) => {
          const [, , , space] = [program, ...args];
          const host = [...hosts.values()].find((one) => one.space === space) as Host;
          return host.spawn(args[host.inside.length - 1] as string, args.slice(host.inside.length), env);
        },
      },
      {
        count: NAMES.length,
        listen: (number) => hostOf(nameOf(number)).addressOn(1),
        before: (number) => hostOf(nameOf(number)).inside,
        special: (number) => ({
          spoils: nameOf(number) === 'spoiler',
          countsSenders: true,
          ...(nameOf(number) === 'full' && { folder: join(smallDisk, 'member') }),
        }),
      },
    );
    for (const member of started) members.set(nameOf(member.number), member);
  });
  after(async () => {
    await lan?.remove();
    if (smallDisk !== undefined) execFileSync('umount', [smallDisk]);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  const nameOf = (number: number): Name => NAMES[number - 1] as Name;
  const hostOf = (name: Name): Host => hosts.get(name) as Host;
  const member = (name: Name): Member => members.get(name) as Member;

  /** A bundle that nobody had before, at these. */
  async function made(...names: Name[]): Promise<string> {
    seed += 1;
    const command = { do: 'make', seed, files: FILES, fileBytes: FILE_BYTES } as const;
    const bundles = await Promise.all(names.map((name) => member(name).ask<{ bundle: string }>(command)));
    await member('source').ask({ do: 'look' });
    return bundles[0]?.bundle as string;
  }

  /** Resolves when it has all of it, verified and durable. */
  const fetched = (name: Name, bundle: string, ...holders: Name[]): Promise<Fetched> =>
    member(name).ask<Fetched>({
      do: 'fetch',
      bundle,
      holders: (holders.length > 0 ? holders : (['source'] as const)).map((one) => member(one).number),
    });

  const covered = (bundle: string, ...names: Name[]): Promise<void> =>
    member('source').ask({ do: 'cover', bundle, members: names.map((name) => member(name).number) });

  async function sentCopies(before: number): Promise<number> {
    const { sentBytes } = await member('source').ask<Looked>({ do: 'look' });
    return (sentBytes - before) / BUNDLE_BYTES;
  }
  const sentSoFar = async (): Promise<number> =>
    (await member('source').ask<Looked>({ do: 'look' })).sentBytes;

  it('R151: reaches one that joins late, most of it from the others', async (t: TestContext) => {
    const bundle = await made('source');
    const before = await sentSoFar();
    const early = [fetched('a', bundle), fetched('b', bundle)];
    await covered(bundle, 'a', 'b');
    const { receivedFrom } = await fetched('c', bundle);
    await Promise.all(early);
    const copies = await sentCopies(before);
    // Its first fetch, so all that it ever received is of this one.
    const shareOf = (name: Name): number => (receivedFrom[member(name).number] ?? 0) / BUNDLE_BYTES;
    tellFigure(
      t,
      'three hosts, one of them late: percent of its copy that the late one had from the source',
      shareOf('source') * 100,
      '',
    );
    tellFigure(
      t,
      'three hosts, one of them late: percent of one copy that the source sent',
      copies * 100,
      '',
    );
    // While the others fetch it is asked for the end alone; once they have all, it is one holder of three like them.
    assert.ok(shareOf('source') < 0.5, `${shareOf('source')} of the late one's copy came from the source`);
    const fromOthers = shareOf('a') + shareOf('b');
    assert.ok(fromOthers > 0.5, `${fromOthers} of the late one's copy came from those who came before it`);
    assert.ok(copies < 2, `the source sent ${copies} copies to three`);
  });

  it('R151: waits for nobody who has a slow link, and reaches that one as well', async (t: TestContext) => {
    const bundle = await made('source');
    for (const limit of ['limit', 'limitIncoming'] as const) hostOf('c')[limit]('eth0', SLOW_MEGABITS);
    let isSlowDone = false;
    const slow = fetched('c', bundle).finally(() => {
      isSlowDone = true;
    });
    const quick = await Promise.all([fetched('a', bundle), fetched('b', bundle)]);
    assert.equal(isSlowDone, false, 'the others were done before it');
    const { seconds } = await slow;
    const slowest = Math.max(...quick.map((one) => one.seconds));
    for (const limit of ['limit', 'limitIncoming'] as const) hostOf('c')[limit]('eth0', LINK_MEGABITS);
    tellFigure(t, 'a link of 20 Mbit/s among those of 100: slowest of the others', slowest * 1_000);
    tellFigure(t, 'a link of 20 Mbit/s among those of 100: its own', seconds * 1_000);
    // Who waits for its units is done with it. By design they wait for some, until what it was given is asked of
    // another (3 s): that left them at 0.44 of its time on a busy machine.
    assert.ok(
      slowest < seconds * HELD_UP_SHARE,
      `the others took ${slowest} s, and the slow one ${seconds} s`,
    );
  });

  it('R56: names a holder that corrupts what it serves, and brings all without it', async () => {
    const bundle = await made('source', 'spoiler');
    const takers: Name[] = ['a', 'b', 'c'];
    await Promise.all(takers.map((name) => fetched(name, bundle, 'spoiler', 'source')));
    const looks = await Promise.all(takers.map((name) => member(name).ask<Looked>({ do: 'look' })));
    const named = new Set(looks.flatMap(({ liars }) => liars.map(nameOf)));
    assert.deepEqual([...named], ['spoiler']);
  });

  it('reaches all others where one has a full disk, which says so', async () => {
    const bundle = await made('source');
    const full = assert.rejects(fetched('full', bundle), /disk has only|room/i);
    await Promise.all([fetched('a', bundle), fetched('b', bundle), fetched('c', bundle), full]);
  });

  it('R151: reaches all though the source is killed once a copy of every unit is out', async () => {
    const bundle = await made('source');
    let done = 0;
    const takers: Name[] = ['a', 'b', 'c'];
    const fetches = takers.map((name) => fetched(name, bundle).finally(() => (done += 1)));
    await covered(bundle, ...takers);
    assert.ok(done < takers.length, 'somebody still needs what others have');
    const { child } = member('source');
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await Promise.all([...fetches, gone]);
  });
});
