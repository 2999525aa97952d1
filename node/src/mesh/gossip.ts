import { TopicValidatorResult } from '@libp2p/gossipsub';
import type { Connection } from '@libp2p/interface';
import type { FarmId, PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import type { FarmLibp2p } from './host.ts';
import { GOSSIP_TOPICS, type GossipTopic } from './interface.ts';
import {
  GOSSIP_AGAIN_MS,
  GOSSIP_BYTES_MAX,
  GOSSIP_LOOK_MS,
  GOSSIP_MOVES_MS,
  GOSSIP_WAITING_MAX,
  type MeshLimits,
} from './limits.ts';
import { topicOf } from './names.ts';
import type { Listeners, Tally } from './tally.ts';

interface Waiting {
  readonly topic: GossipTopic;
  readonly bytes: Uint8Array;
  readonly untilMs: number;
}

export interface GossipComponents {
  readonly clock: Clock;
  readonly host: FarmLibp2p;
  readonly tally: Tally;
  readonly listeners: Listeners;
  readonly limits: Pick<MeshLimits, 'gossipWaitMs'>;
}

/** The farm's topics on gossipsub: signed by their origin, taken from members only, best effort. */
export class Gossip {
  readonly #components: GossipComponents;
  readonly #isMember: (peer: PeerId) => boolean;
  readonly #topics: ReadonlyMap<string, GossipTopic>;
  readonly #names: ReadonlyMap<GossipTopic, string>;
  /** What nobody could hear yet: peers tell each other what they subscribe to a moment after they connect. */
  readonly #waiting: Waiting[] = [];
  /** Calls off the next attempt for those that wait for a stream. */
  #again: (() => void) | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    components: GossipComponents,
    init: { readonly farm: FarmId; readonly isMember: (peer: PeerId) => boolean },
  ) {
    this.#components = components;
    this.#isMember = init.isMember;
    const names = GOSSIP_TOPICS.map((topic) => [topicOf(init.farm, topic), topic] as const);
    this.#topics = new Map(names);
    this.#names = new Map(names.map(([name, topic]) => [topic, name]));
  }

  start(): void {
    const { clock, host } = this.#components;
    const { gossip } = host.services;
    host.addEventListener('connection:close', ({ detail }) => {
      for (const ms of GOSSIP_MOVES_MS) clock.after(ms, () => this.#move(detail.remotePeer));
    });
    for (const name of this.#topics.keys()) {
      gossip.topicValidators.set(name, (_, message) => this.#judge(message));
      gossip.subscribe(name);
    }
    gossip.addEventListener('message', ({ detail }) => {
      const topic = this.#topics.get(detail.topic);
      if (topic === undefined || detail.type !== 'signed') return;
      this.#components.tally.gossip.received += 1;
      this.#components.listeners.gossip(topic, detail.from.toString(), detail.data);
    });
    gossip.addEventListener('subscription-change', () => this.#sendWaiting());
  }

  /** Called often. Has a stream opened to each peer that is connected and has none. */
  tick(): void {
    const { clock, host } = this.#components;
    const nowMs = clock.now();
    if (nowMs - this.#lookedAtMs < GOSSIP_LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    for (const peer of host.getPeers()) this.#move(peer);
  }

  publish(topic: GossipTopic, bytes: Uint8Array): void {
    const { clock, limits } = this.#components;
    void this.#publish({ topic, bytes, untilMs: clock.now() + limits.gossipWaitMs });
  }

  async #publish(message: Waiting): Promise<void> {
    const { host, tally } = this.#components;
    try {
      const name = this.#names.get(message.topic) ?? '';
      const { recipients } = await host.services.gossip.publish(name, message.bytes);
      if (recipients.length > 0) tally.gossip.sent += 1;
      else this.#wait(message, { isNear: true });
    } catch {
      this.#wait(message, { isNear: false });
    }
  }

  /**
   * Until somebody subscribes; any other failure (the host stops) ends by the same bound. Who is near has subscribed, but
   * the stream to it is still being opened, which nothing tells: the message went to nobody, and soon will to somebody.
   */
  #wait(message: Waiting, { isNear }: { readonly isNear: boolean }): void {
    const { clock, tally } = this.#components;
    if (message.untilMs > clock.now()) {
      this.#waiting.push(message);
      if (isNear) this.#again ??= clock.after(GOSSIP_AGAIN_MS, () => this.#sendWaiting());
    } else tally.gossip.dropped += 1;
    if (this.#waiting.length > GOSSIP_WAITING_MAX) {
      this.#waiting.shift();
      tally.gossip.dropped += 1;
    }
  }

  #sendWaiting(): void {
    this.#again?.();
    this.#again = undefined;
    for (const message of this.#waiting.splice(0)) void this.#publish(message);
  }

  /** To the oldest of the connections with the peer that stay, which is the one that the session is on. */
  #move(peer: Connection['remotePeer']): void {
    const { gossip, gossipPeers } = this.#components.host.services;
    const [oldest] = this.#components.host
      .getConnections(peer)
      .filter(({ status }) => status === 'open')
      .sort((a, b) => a.timeline.open - b.timeline.open);
    if (oldest !== undefined) gossipPeers.announce(oldest, gossip.protocols);
  }

  #judge(message: { type: string; from?: { toString(): string }; data: Uint8Array }): TopicValidatorResult {
    const from = message.type === 'signed' ? message.from?.toString() : undefined;
    const isOfMember = from !== undefined && this.#isMember(from);
    if (isOfMember && message.data.length <= GOSSIP_BYTES_MAX) return TopicValidatorResult.Accept;
    this.#components.tally.refuse(isOfMember ? 'gossip-too-large' : 'gossip-not-of-a-member', from);
    return TopicValidatorResult.Reject;
  }
}
