import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TopicValidatorResult } from '@libp2p/gossipsub';
import { type GossipComponents, Gossip } from '../../../node/src/mesh/gossip.ts';
import { GOSSIP_TOPICS } from '../../../node/src/mesh/interface.ts';
import { GOSSIP_AGAIN_MS, GOSSIP_BYTES_MAX } from '../../../node/src/mesh/limits.ts';
import { Listeners, Tally } from '../../../node/src/mesh/tally.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const GOSSIP_WAIT_MS = 3_000;

/** What the library does with each message in turn; the last one again and again. */
type Fate = 'nobody subscribed' | 'no stream yet' | 'sent';

/** Gossip over a library that treats what is published as told. */
function gossipWith(...fates: Fate[]) {
  const clock = new ManualClock();
  const tally = new Tally();
  const library = new EventTarget();
  const tried: string[] = [];
  const publish = async (_: string, bytes: Uint8Array): Promise<{ recipients: string[] }> => {
    tried.push(Buffer.from(bytes).toString());
    const fate = fates.length > 1 ? fates.shift() : fates[0];
    if (fate === 'nobody subscribed') throw new Error('PublishError.NoPeersSubscribedToTopic');
    return { recipients: fate === 'sent' ? ['somebody'] : [] };
  };
  const topicValidators = new Map<string, (from: unknown, message: unknown) => unknown>();
  const service = Object.assign(library, { publish, subscribe: () => undefined, topicValidators });
  const host = {
    services: { gossip: service },
    addEventListener: () => undefined,
  } as unknown as GossipComponents['host'];
  const limits = { gossipWaitMs: GOSSIP_WAIT_MS };
  const components = { clock, host, tally, listeners: new Listeners(), limits };
  const gossip = new Gossip(components, {
    farm: 'aaaaaaaaaaaaaaaa',
    isMember: (peer) => peer !== 'stranger',
  });
  gossip.start();
  const say = (text: string): void => gossip.publish('claims', Buffer.from(text));
  const subscribes = (): void => void library.dispatchEvent(new Event('subscription-change'));
  /** What each topic says to a message of so many bytes that this peer has signed, or nobody. */
  const judged = (from: string | undefined, sizeBytes: number): unknown[] => {
    const message = {
      type: from === undefined ? 'unsigned' : 'signed',
      from,
      data: new Uint8Array(sizeBytes),
    };
    return [...topicValidators.values()].map((judge) => judge('neighbour', message));
  };
  return { clock, tally, tried, say, subscribes, judged };
}

describe('gossip right after two met', () => {
  it('is said again soon where the other subscribed, and no stream to it was open yet', async () => {
    const { clock, tally, tried, say } = gossipWith('no stream yet', 'no stream yet', 'sent');
    say('early');
    await clock.advanceSettled(GOSSIP_AGAIN_MS - 1);
    assert.deepEqual([tried.length, tally.gossip], [1, { sent: 0, received: 0, dropped: 0 }]);
    await clock.advanceSettled(1);
    await clock.advanceSettled(GOSSIP_AGAIN_MS);
    assert.deepEqual(tried, ['early', 'early', 'early']);
    await clock.advanceSettled(GOSSIP_WAIT_MS);
    assert.deepEqual([tried.length, tally.gossip], [3, { sent: 1, received: 0, dropped: 0 }]);
  });

  it('is dropped, and counted, where no stream comes to be for long', async () => {
    const { clock, tally, tried, say } = gossipWith('no stream yet');
    say('for nobody');
    for (let ms = 0; ms < 2 * GOSSIP_WAIT_MS; ms += GOSSIP_AGAIN_MS)
      await clock.advanceSettled(GOSSIP_AGAIN_MS);
    assert.deepEqual(tally.gossip, { sent: 0, received: 0, dropped: 1 });
    assert.equal(tried.length, 1 + GOSSIP_WAIT_MS / GOSSIP_AGAIN_MS);
  });

  it('waits without trying while nobody subscribed, and is said once somebody did', async () => {
    const { clock, tally, tried, say, subscribes } = gossipWith('nobody subscribed', 'sent');
    say('early');
    await clock.advanceSettled(GOSSIP_WAIT_MS / 2);
    assert.equal(tried.length, 1);
    subscribes();
    await clock.advanceSettled(0);
    assert.deepEqual([tried.length, tally.gossip.sent], [2, 1]);
  });
});

describe('gossip that comes', () => {
  it('R4, R120: is refused where it is too large, is signed by no member, or by nobody, each counted and its sender named', () => {
    const { judged, tally } = gossipWith('sent');
    const all = (verdict: TopicValidatorResult): unknown[] => GOSSIP_TOPICS.map(() => verdict);
    assert.deepEqual(judged('member', GOSSIP_BYTES_MAX), all(TopicValidatorResult.Accept));
    assert.deepEqual(tally.counts().refused, {});
    assert.deepEqual(judged('member', GOSSIP_BYTES_MAX + 1), all(TopicValidatorResult.Reject));
    assert.deepEqual(judged('stranger', 1), all(TopicValidatorResult.Reject));
    assert.deepEqual(judged(undefined, 1), all(TopicValidatorResult.Reject));
    const { length: count } = GOSSIP_TOPICS;
    assert.deepEqual(tally.counts().refused, {
      'gossip-too-large': { count, peer: 'member' },
      'gossip-not-of-a-member': { count: 2 * count, peer: 'stranger' },
    });
  });
});
