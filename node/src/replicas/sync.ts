import { RecordBytes, recordKey, type KnownRecord, type PeerId, type Verify } from '@cuadro/protocol';
import type { Mesh, MeshStream } from '../mesh/interface.ts';
import type { Clock, Logger, Random, SignalOption } from '../system/interface.ts';
import { digestOf, digestText, RecordDigests } from './digests.ts';
import { RecordDoor } from './door.ts';
import { SyncEndedError, SyncFault } from './errors.ts';
import { FrameStream } from './frames.ts';
import { Intake } from './intake.ts';
import type { DeliverRecords, ExchangeOutcome, HeldRecords, RecordSync, SyncStatus } from './interface.ts';
import { EXCHANGE_MAX_MS, EXCHANGES_SERVED_MAX } from './limits.ts';
import { openExchange } from './opener.ts';
import { RecordPublisher } from './publisher.ts';
import { createRecordReader, type ReadTask, type RecordReader } from './reader.ts';
import { Refusals } from './refusals.ts';
import { createRememberingVerify } from './remembering-verify.ts';
import { OwnRoots } from './roots.ts';
import { ExchangeSchedule } from './schedule.ts';
import { serveExchange } from './server.ts';
import { inSlices } from './slices.ts';
import { Spread } from './spread.ts';

export interface RecordSyncComponents {
  readonly mesh: Pick<Mesh, 'self' | 'subscribe' | 'reachable' | 'gossip' | 'serve' | 'open'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly verify: Verify;
  readonly records: HeldRecords;
  readonly deliver: DeliverRecords;
  /** The digest of all records is another than before. */
  readonly onRoot?: () => void;
  /** Shared with the store, so that no record is encoded twice. */
  readonly bytes?: RecordBytes;
  /** A quicker way to read task records than the general one, which is taken without it. */
  readonly readTask?: ReadTask;
  /** Made of `verify` and `readTask` where it isn't given. */
  readonly reader?: RecordReader;
}

export function createRecordSync(components: RecordSyncComponents): RecordSync {
  return new Replicas(components);
}

/** What goes with one stream of an exchange. */
interface Session {
  readonly frames: FrameStream;
  readonly intake: Intake;
}

class Replicas implements RecordSync {
  readonly #components: RecordSyncComponents;
  readonly #recordBytes: RecordBytes;
  readonly #digests = new RecordDigests();
  readonly #roots = new OwnRoots();
  readonly #reader: RecordReader;
  readonly #door: RecordDoor;
  readonly #refusals: Refusals;
  readonly #publisher: RecordPublisher;
  readonly #schedule: ExchangeSchedule;
  readonly #spread: Spread;
  readonly #ending = new AbortController();
  /** Exchanges that others opened; each resolves when it has ended. */
  readonly #serving = new Map<PeerId, Promise<void>>();
  readonly #supervised = new Set<Promise<unknown>>();
  readonly #exchanges: Record<ExchangeOutcome['kind'] | 'served', number> = {
    equal: 0,
    exchanged: 0,
    busy: 0,
    failed: 0,
    fault: 0,
    served: 0,
  };
  readonly #bytes = { sent: 0, received: 0 };
  readonly #moved = { pulled: 0, pushed: 0 };
  #state: 'new' | 'building' | 'built' | 'stopped' = 'new';
  #unsubscribe: (() => void) | undefined;

  constructor(components: RecordSyncComponents) {
    this.#components = components;
    const { clock, random, mesh, logger, verify, readTask } = components;
    const remembering = {
      verify: createRememberingVerify(verify),
      ...(readTask !== undefined && { readTask }),
    };
    this.#reader = components.reader ?? createRecordReader(remembering);
    const bytes = components.bytes ?? new RecordBytes();
    this.#recordBytes = bytes;
    this.#door = new RecordDoor({
      bytes,
      verify,
      held: (key) => this.#digests.get(key),
      reader: this.#reader,
    });
    this.#refusals = new Refusals(logger);
    this.#publisher = new RecordPublisher({ clock, mesh, bytes });
    this.#schedule = new ExchangeSchedule({ clock, random, own: this.#roots }, (peer) => this.#open(peer));
    this.#spread = new Spread({
      clock,
      random,
      reachable: () => mesh.reachable(),
      root: () => this.#roots.current,
      exchange: (peer) => void this.#schedule.request(peer),
    });
  }

  start(): Promise<void> {
    if (this.#state !== 'new') return Promise.resolve();
    this.#state = 'building';
    const { mesh } = this.#components;
    mesh.serve('sync', (stream) => this.#supervise(this.#serve(stream)));
    this.#unsubscribe = mesh.subscribe({
      gossip: (topic, from, bytes) => {
        if (topic === 'records') this.#hear(from, bytes);
      },
      peer: (peer, state) => {
        if (state !== 'reachable') {
          this.#schedule.lost(peer);
          return;
        }
        this.#schedule.met(peer);
        // One of the two is enough; whoever is not met so is heard of by its root.
        if (mesh.self < peer) void this.#schedule.request(peer);
      },
    });
    void this.#supervise(this.#build());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#unsubscribe?.();
    this.#publisher.stop();
    this.#schedule.stop();
    this.#spread.stop();
    this.#ending.abort(new SyncEndedError('sync-stopped'));
    while (this.#supervised.size > 0) await Promise.allSettled(this.#supervised);
  }

  root(): string | undefined {
    return this.#roots.current;
  }

  persisted(put: readonly KnownRecord[], removed: readonly string[]): void {
    for (const record of put) this.#digest(record);
    for (const key of removed) this.#digests.remove(key);
    if (this.#state === 'built') this.#rootChanged();
  }

  publish(records: readonly KnownRecord[]): void {
    this.#publisher.publish(records);
  }

  learned(from: PeerId): void {
    if (this.#state !== 'stopped') this.#spread.learned(from);
  }

  heardRoot(peer: PeerId, root: string): void {
    this.#schedule.heard(peer, root);
  }

  async syncWith(peer: PeerId, options: SignalOption = {}): Promise<ExchangeOutcome> {
    const { signal } = options;
    signal?.throwIfAborted();
    const exchange = this.#schedule.request(peer);
    if (signal === undefined) return exchange;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([exchange, promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  status(): SyncStatus {
    return {
      records: this.#digests.count,
      waiting: this.#publisher.waiting,
      gossip: { ...this.#publisher.counts },
      exchanges: { ...this.#exchanges },
      bytes: { ...this.#bytes },
      exchanged: { ...this.#moved },
      refused: this.#refusals.counts(),
    };
  }

  /** Reads what is held already, beside everything else; what is persisted meanwhile is newer and stands. */
  async #build(): Promise<void> {
    const { records } = this.#components;
    await inSlices(records.all(), (record: KnownRecord) => {
      if (this.#state === 'stopped') return;
      if (this.#digests.get(recordKey(record)) === undefined) this.#digest(record);
    });
    if (this.#state !== 'building') return;
    this.#state = 'built';
    this.#rootChanged();
    this.#schedule.ready();
  }

  #digest(record: KnownRecord): void {
    const key = recordKey(record);
    this.#digests.put(key, this.#door.digestOf(record) ?? digestOf(key, this.#recordBytes.of(record)));
  }

  #rootChanged(): void {
    const root = digestText(this.#digests.root());
    if (root === this.#roots.current) return;
    this.#roots.set(root, this.#components.clock.now());
    this.#components.onRoot?.();
  }

  /** A gossiped batch: what is good in it is delivered, whatever else there is (SPEC R46). */
  #hear(from: PeerId, bytes: Uint8Array): void {
    this.#publisher.heard(from);
    const records = this.#reader.batch(bytes);
    if (records === undefined) {
      this.#refusals.count('malformed-gossip', from);
      return;
    }
    const fresh: KnownRecord[] = [];
    for (const one of records) {
      const read = this.#door.read(one);
      if (read.kind === 'record') fresh.push(read.record);
      else if (read.kind === 'refused') this.#refusals.count(read.reason, from);
    }
    if (fresh.length === 0) return;
    this.#components.deliver(from, fresh).catch((error: unknown) => {
      this.#components.logger.warn('Gossiped records could not be stored.', { from, error: String(error) });
    });
  }

  async #serve(stream: MeshStream): Promise<void> {
    const { peer } = stream;
    const session = this.#session(stream);
    // Of two that open at once, the one of the lower peer id goes on (SPEC R47).
    const yields = this.#schedule.isOpening(peer) && this.#components.mesh.self < peer;
    const isBusy =
      this.#state !== 'built' ||
      yields ||
      this.#serving.has(peer) ||
      this.#serving.size >= EXCHANGES_SERVED_MAX ||
      this.#schedule.isLeftAlone(peer);
    if (isBusy) return session.frames.write({ kind: 'busy' });
    const ended = Promise.withResolvers<void>();
    this.#serving.set(peer, ended.promise);
    this.#exchanges.served += 1;
    try {
      await this.#bounded(stream, () => serveExchange({ ...session, ...this.#held() }));
    } catch (error) {
      stream.abort(error);
      const outcome = this.#judge(peer, error);
      if (outcome.kind === 'fault') this.#schedule.leaveAlone(peer);
    } finally {
      this.#serving.delete(peer);
      this.#account(peer, session);
      ended.resolve();
    }
  }

  async #open(peer: PeerId): Promise<ExchangeOutcome> {
    const outcome = await this.#supervise(this.#tryOpen(peer));
    // It goes on with the one that it opened itself, which brings everything as well.
    if (outcome.kind === 'busy') await this.#serving.get(peer);
    this.#exchanges[outcome.kind] += 1;
    if (outcome.kind === 'exchanged') {
      this.#moved.pulled += outcome.pulled;
      this.#moved.pushed += outcome.pushed;
      this.#components.logger.debug('Exchanged records.', { peer, ...outcome });
    }
    return outcome;
  }

  async #tryOpen(peer: PeerId): Promise<ExchangeOutcome> {
    const { mesh } = this.#components;
    let stream: MeshStream;
    try {
      stream = await mesh.open(peer, 'sync', { signal: this.#ending.signal });
    } catch (error) {
      return this.#judge(peer, error);
    }
    const session = this.#session(stream);
    try {
      return await this.#bounded(stream, async () => {
        const outcome = await openExchange({ ...session, ...this.#held() });
        await stream.end();
        return outcome;
      });
    } catch (error) {
      stream.abort(error);
      return this.#judge(peer, error);
    } finally {
      this.#account(peer, session);
    }
  }

  #held(): { digests: RecordDigests; records: HeldRecords; bytes: RecordBytes } {
    return { digests: this.#digests, records: this.#components.records, bytes: this.#recordBytes };
  }

  #session(stream: MeshStream): Session {
    const { clock, deliver } = this.#components;
    const intake = new Intake({ door: this.#door, deliver, refusals: this.#refusals }, { peer: stream.peer });
    return { frames: new FrameStream({ clock, stream }), intake };
  }

  /** Runs one side of an exchange; the stream is aborted when it takes too long or this node stops. */
  async #bounded<T>(stream: MeshStream, run: () => Promise<T>): Promise<T> {
    const { signal } = this.#ending;
    signal.throwIfAborted();
    const onAbort = (): void => stream.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = this.#components.clock.after(EXCHANGE_MAX_MS, () =>
      stream.abort(new SyncEndedError('exchange-too-long')),
    );
    try {
      return await run();
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** What an error makes of an exchange; a peer that broke the rules is counted. */
  #judge(peer: PeerId, error: unknown): Extract<ExchangeOutcome, { kind: 'fault' | 'failed' }> {
    if (error instanceof SyncFault) {
      this.#refusals.count(error.code, peer);
      return { kind: 'fault', reason: error.code };
    }
    const code = (error as { code?: unknown } | undefined)?.code;
    const known = typeof code === 'string';
    const reason = known ? code : String(error);
    const { logger } = this.#components;
    // Cut streams are everyday life; an error without a code is a mistake of ours.
    logger[known ? 'debug' : 'error']('An exchange of records failed.', { peer, reason });
    return { kind: 'failed', reason };
  }

  #account(peer: PeerId, { frames, intake }: Session): void {
    if (intake.stored > 0) this.learned(peer);
    this.#bytes.sent += frames.bytes.sent;
    this.#bytes.received += frames.bytes.received;
  }

  async #supervise<T>(work: Promise<T>): Promise<T> {
    this.#supervised.add(work);
    try {
      return await work;
    } finally {
      this.#supervised.delete(work);
    }
  }
}
