import type { Connection, Stream } from '@libp2p/interface';
import { compareText, type FarmId, type PeerId } from '@cuadro/protocol';
import type { Clock, Random } from '../system/interface.ts';
import { type AddressBook, addressOf, isLoopback, parseAddress } from './addresses.ts';
import { deadline } from './deadline.ts';
import { dialAny, type DialResult, stateAfter } from './dialer.ts';
import { endConnection } from './end-connection.ts';
import { FRAME, type Frame } from './frames.ts';
import { decodeHello, encodeHello, type Hello, readRefusal, refusalOf } from './hello.ts';
import type { FarmLibp2p } from './host.ts';
import type { PeerState } from './interface.ts';
import { CONNECTIONS_PER_MEMBER_MAX, type MeshLimits } from './limits.ts';
import { MESSAGES, protocolOf } from './names.ts';
import { pauseMs } from './pauses.ts';
import { Session } from './session.ts';
import type { Listeners, Tally } from './tally.ts';

export interface MembersComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly host: FarmLibp2p;
  readonly book: AddressBook;
  readonly tally: Tally;
  readonly listeners: Listeners;
  readonly limits: MeshLimits;
}

interface Member {
  readonly peer: PeerId;
  state: PeerState | undefined;
  session: Session | undefined;
  /** The connection that takes the session's place, while it does. */
  successor: Connection | undefined;
  sessionSinceMs: number;
  attempt: { readonly controller: AbortController; helloSent: boolean } | undefined;
  failures: number;
  /** Sessions in a row that ended as soon as they stood. */
  brief: number;
  attemptedAtMs: number;
  cancelPause: () => void;
}

/** Attempts at the same time: each costs two handshakes' worth of processor time, and a farm starts all at once. */
const ATTEMPTS_MAX = 16;
/** Addresses tried in one attempt. */
const ADDRESSES_TRIED_MAX = 8;
/**
 * Sessions in a row that end within the time of a hello, after which as many pauses grow: two machines with one key (a
 * copied data folder) take a member's session from each other, as fast as hands can be shaken; a bad cable has no more.
 */
const BRIEF_SESSIONS = 3;
/** An announcement makes an attempt begin at once, and never more often than this. */
const KNOCK_MS = 1_000;

/**
 * Keeps a proven connection to every member. The lower peer id dials; the higher does, too, when nothing came, and
 * both do at once after a connection ended, since that is how it becomes known whether the other's process lives.
 */
export class Members {
  readonly #components: MembersComponents;
  readonly #self: PeerId;
  readonly #farm: FarmId;
  readonly #protocol: string;
  readonly #members = new Map<PeerId, Member>();
  readonly #queue = new Set<Member>();
  readonly #attempts = new Set<Promise<void>>();
  #running = false;

  constructor(components: MembersComponents, init: { readonly self: PeerId; readonly farm: FarmId }) {
    this.#components = components;
    this.#self = init.self;
    this.#farm = init.farm;
    this.#protocol = protocolOf(init.farm, MESSAGES);
  }

  async start(): Promise<void> {
    this.#running = true;
    const { host } = this.#components;
    await host.handle(this.#protocol, (stream, connection) => this.#onHelloStream(stream, connection), {
      maxInboundStreams: 2,
    });
    host.addEventListener('connection:open', ({ detail }) => this.#watchIncoming(detail));
  }

  /** Ends all sessions and attempts. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#queue.clear();
    for (const member of this.#members.values()) this.#dismiss(member, 'The node stops.');
    await Promise.all(this.#attempts);
  }

  setMembers(peers: ReadonlySet<PeerId>): void {
    for (const member of [...this.#members.values()]) {
      if (peers.has(member.peer)) continue;
      this.#members.delete(member.peer);
      this.#dismiss(member, 'No member any more.');
      this.#cut(member.peer, undefined);
    }
    for (const peer of peers) {
      if (peer === this.#self || this.#members.has(peer)) continue;
      const member: Member = {
        peer,
        state: undefined,
        session: undefined,
        successor: undefined,
        sessionSinceMs: 0,
        attempt: undefined,
        failures: 0,
        brief: 0,
        attemptedAtMs: Number.NEGATIVE_INFINITY,
        cancelPause: () => undefined,
      };
      this.#members.set(peer, member);
      this.#dialFirst(member);
    }
  }

  /** There is news of where a peer may be; or, without news, it just said once more that it is there. */
  knock(peer: PeerId, isNews: boolean): void {
    const member = this.#members.get(peer);
    if (member === undefined || member.session !== undefined || member.attempt !== undefined) return;
    if (!isNews && this.#components.clock.now() - member.attemptedAtMs < KNOCK_MS) return;
    member.cancelPause();
    this.#dial(member);
  }

  isMember(peer: PeerId): boolean {
    return this.#members.has(peer);
  }

  session(peer: PeerId): Session | undefined {
    return this.#members.get(peer)?.session;
  }

  reachable(): PeerId[] {
    return [...this.#members.values()].filter(({ session }) => session !== undefined).map(({ peer }) => peer);
  }

  /** Beats, and finds who fell silent; `gapMs` is how long this node itself stood still. */
  tick(gapMs: number): void {
    for (const { session } of this.#members.values()) {
      if (gapMs > 0) session?.forgive(gapMs);
      session?.tick(this.#components.limits);
    }
  }

  #isLower(peer: PeerId): boolean {
    return compareText(this.#self, peer) < 0;
  }

  /** The lower id dials at once; the other leaves it the time to. */
  #dialFirst(member: Member): void {
    if (this.#isLower(member.peer)) return this.#dial(member);
    const { clock, random, limits } = this.#components;
    member.cancelPause = clock.after(limits.yieldMs * (1 + random.float()), () => this.#dial(member));
  }

  #dial(member: Member): void {
    if (!this.#running || member.session !== undefined || member.attempt !== undefined) return;
    if (this.#members.get(member.peer) !== member) return;
    if (this.#components.book.of(member.peer).length === 0) return;
    if (this.#attempts.size >= ATTEMPTS_MAX) {
      this.#queue.add(member);
      return;
    }
    const attempt = this.#attempt(member).finally(() => {
      this.#attempts.delete(attempt);
      const [next] = this.#queue;
      if (next === undefined) return;
      this.#queue.delete(next);
      this.#dial(next);
    });
    this.#attempts.add(attempt);
  }

  async #attempt(member: Member): Promise<void> {
    const { book, clock, host, limits, tally } = this.#components;
    const controller = new AbortController();
    const attempt = { controller, helloSent: false };
    member.attempt = attempt;
    member.attemptedAtMs = clock.now();
    const failed: DialResult[] = [];
    const connection = await dialAny(
      { clock, host, limits },
      {
        addresses: book.of(member.peer).slice(0, ADDRESSES_TRIED_MAX),
        peer: member.peer,
        signal: controller.signal,
        failed: (result) => {
          failed.push(result);
          if (result.outcome === 'other') book.drop(member.peer, result.address);
          const isKnown = result.address === book.lastReached(member.peer);
          if (isKnown && result.outcome === 'refused' && member.attempt === attempt)
            this.#become(member, 'refused');
        },
      },
    );
    const outcome =
      connection === undefined ? stateAfter(failed) : await this.#sayHello(member, connection, attempt);
    if (member.attempt === attempt) member.attempt = undefined;
    if (!this.#running || member.session !== undefined || controller.signal.aborted) return;
    if (outcome !== 'duplicate') member.failures += 1;
    if (outcome === 'unwanted') tally.refuse('turned-away', member.peer);
    if (outcome === 'silent' && member.state === 'refused' && knownRefused(failed, book, member.peer)) {
      // The address at which it was last reached answers that nobody listens; other, older ones say nothing.
    } else if (outcome === 'refused' || outcome === 'silent') this.#become(member, outcome);
    this.#dialLater(member, Math.max(member.failures, 1));
  }

  #dialLater(member: Member, failures: number): void {
    const { clock, limits, random } = this.#components;
    const waitMs = pauseMs(failures, this.#isLower(member.peer), random, limits);
    member.cancelPause();
    member.cancelPause = clock.after(Math.max(waitMs, 1), () => this.#dial(member));
  }

  /** As the one who dialled. Resolves when the session stands or the other side would not have it. */
  async #sayHello(
    member: Member,
    connection: Connection,
    attempt: NonNullable<Member['attempt']>,
  ): Promise<'met' | 'duplicate' | 'unwanted'> {
    const { clock, limits, tally } = this.#components;
    const bound = deadline(clock, limits.helloMs, attempt.controller, () => new Error('No hello.'));
    try {
      const stream = await connection.newStream(this.#protocol, { signal: bound.signal });
      const session = new Session({ connection, stream, tally, now: () => clock.now() });
      const { promise, resolve } = Promise.withResolvers<Frame | undefined>();
      const onAbort = (): void => session.close('No hello came, or it was not needed any more.');
      bound.signal.addEventListener('abort', onAbort, { once: true });
      attempt.helloSent = true;
      session.listen({
        frame: (frame) => {
          bound.signal.removeEventListener('abort', onAbort);
          resolve(frame);
          // In the same turn, so that a message right behind the hello finds its listener.
          this.#onAnswer(member, session, frame);
        },
        closed: () => resolve(undefined),
      });
      session.send(FRAME.hello, encodeHello(this.#hello(connection)));
      const frame = await promise;
      if (member.session === session) return 'met';
      session.close('The hello was not answered as it should be.');
      const refusal = frame === undefined ? undefined : readRefusal(frame);
      return refusal === 'duplicate' ? 'duplicate' : 'unwanted';
    } catch {
      endConnection(connection, 'No hello.');
      return 'unwanted';
    } finally {
      bound.release();
    }
  }

  #onAnswer(member: Member, session: Session, frame: Frame): void {
    const hello = frame.kind === FRAME.hello ? decodeHello(frame.content) : undefined;
    const isWanted = this.#running && this.#members.get(member.peer) === member;
    if (hello?.farm === this.#farm && isWanted && member.session === undefined) {
      this.#components.book.reached(member.peer, session.connection.remoteAddr.toString());
      this.#establish(member, session, hello);
    } else session.close('The hello was not as it should be.');
  }

  /** Somebody that the gater let in opened its kept-open stream. */
  #onHelloStream(stream: Stream, connection: Connection): void {
    const { clock, limits, tally } = this.#components;
    const peer = connection.remotePeer.toString();
    const session = new Session({ connection, stream, tally, now: () => clock.now() });
    const cancel = clock.after(limits.helloMs, () => session.close('No hello came.'));
    session.listen({
      frame: (frame) => {
        cancel();
        const hello = frame.kind === FRAME.hello ? decodeHello(frame.content) : undefined;
        const member = this.#members.get(peer);
        if (hello === undefined) {
          tally.refuse('hello-invalid', peer);
          return session.close('That is no hello.');
        }
        const standing = { isMember: member !== undefined, isDuplicate: this.#isDuplicate(member) };
        const refusal = refusalOf(hello, this.#farm, standing);
        if (refusal !== undefined || member === undefined) {
          if (refusal !== 'duplicate') tally.refuse(`hello-${refusal}`, peer);
          session.send(FRAME.refusal, Buffer.from(refusal ?? 'not-a-member'));
          return session.closeSoon('The connection is not wanted.');
        }
        member.attempt?.controller.abort(new Error('The peer came by itself.'));
        member.attempt = undefined;
        member.successor = connection;
        member.session?.close('The peer connected anew.');
        member.successor = undefined;
        session.send(FRAME.hello, encodeHello(this.#hello(connection)));
        this.#establish(member, session, hello);
      },
      closed: cancel,
    });
  }

  /**
   * Both may dial at the same time; the lower id's attempt then stands. Once its hello is on the way, and while the
   * session that came of it is young, the other's is one too many. Later it means that the other has lost the session.
   */
  #isDuplicate(member: Member | undefined): boolean {
    if (member === undefined || !this.#isLower(member.peer)) return false;
    if (member.attempt?.helloSent === true) return true;
    const ageMs = this.#components.clock.now() - member.sessionSinceMs;
    return member.session !== undefined && ageMs < this.#components.limits.helloMs;
  }

  #establish(member: Member, session: Session, hello: Hello): void {
    const { book, clock, listeners, tally } = this.#components;
    member.cancelPause();
    member.session = session;
    member.sessionSinceMs = clock.now();
    member.failures = 0;
    session.returnsMarks = hello.returnsMarks === true;
    const seen = parseAddress(session.connection.remoteAddr.toString());
    const direct = seen === undefined ? [] : [addressOf({ host: seen.host, port: hello.port })];
    book.add(member.peer, [...hello.addresses, ...direct]);
    session.listen({
      frame: (frame) => {
        if (frame.kind === FRAME.message) listeners.message(member.peer, frame.content);
        // Kinds of newer versions are passed over; a second hello is one.
        else if (frame.kind !== FRAME.beat && !session.takesMark(frame))
          tally.refuse('frame-unknown', member.peer);
      },
      closed: () => this.#onLost(member, session),
    });
    this.#become(member, 'reachable');
  }

  #onLost(member: Member, session: Session): void {
    if (member.session !== session) return;
    member.session = undefined;
    // What else it had open here, it had with that session.
    this.#cut(member.peer, member.successor);
    this.#become(member, 'lost');
    // What takes its place is there already; one that is dialled beside it would end that, and be missed in turn.
    if (this.#members.get(member.peer) !== member || member.successor !== undefined) return;
    member.failures = 0;
    member.cancelPause();
    const { clock, limits } = this.#components;
    member.brief = clock.now() - member.sessionSinceMs < limits.helloMs ? member.brief + 1 : 0;
    if (member.brief <= BRIEF_SESSIONS) this.#dial(member);
    else this.#dialLater(member, Math.min(member.brief, 2 * BRIEF_SESSIONS) - BRIEF_SESSIONS);
  }

  #become(member: Member, state: PeerState): void {
    if (member.state === state) return;
    member.state = state;
    this.#components.listeners.peer(member.peer, state);
  }

  #dismiss(member: Member, reason: string): void {
    member.cancelPause();
    this.#queue.delete(member);
    member.attempt?.controller.abort(new Error(reason));
    member.session?.close(reason);
  }

  #cut(peer: PeerId, except: Connection | undefined): void {
    for (const connection of this.#components.host.getConnections())
      if (connection.remotePeer.toString() === peer && connection !== except)
        endConnection(connection, 'The session has ended.');
  }

  /** A connection is of use beside a session, or with a hello, and its maker may never say one. */
  #watchIncoming(connection: Connection): void {
    if (connection.direction !== 'inbound') return;
    const { clock, host, limits } = this.#components;
    const peer = connection.remotePeer.toString();
    if (host.getConnections(connection.remotePeer).length > CONNECTIONS_PER_MEMBER_MAX)
      return endConnection(connection, 'It has too many connections.');
    const cancel = clock.after(limits.helloMs, () => {
      if (this.session(peer) === undefined) endConnection(connection, 'No hello came.');
    });
    connection.addEventListener('close', cancel);
  }

  /** What this node says of itself to one that sees it by this connection. */
  #hello(connection: Connection): Hello {
    const own = this.#components.host
      .getMultiaddrs()
      .map((address) => parseAddress(address.toString()))
      .filter((place) => place !== undefined);
    const seen = parseAddress(connection.remoteAddr.toString());
    const near = seen !== undefined && isLoopback(seen.host);
    const addresses = own.filter(({ host }) => near || !isLoopback(host)).map(addressOf);
    return {
      farm: this.#farm,
      addresses: addresses.slice(0, ADDRESSES_TRIED_MAX),
      port: own[0]?.port ?? 1,
      returnsMarks: true,
    };
  }
}

function knownRefused(failed: readonly DialResult[], book: AddressBook, peer: PeerId): boolean {
  return failed.some(({ address, outcome }) => outcome === 'refused' && address === book.lastReached(peer));
}
