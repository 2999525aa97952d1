import type { JobId } from '@cuadro/protocol';
import { createEventHub, type EventHub } from '../api/event-hub.ts';
import type { Core } from '../core/interface.ts';
import { createDiary } from '../diary/diary.ts';
import type { Diary } from '../diary/interface.ts';
import { createNight } from '../diary/night.ts';
import { createDriver, type Driver } from '../driver.ts';
import type { FarmMembership } from '../farm/interface.ts';
import { createActivity } from '../jobs/activity.ts';
import { createCollection, type Collection } from '../jobs/collection.ts';
import { createCopyWatch } from '../jobs/copy-watch.ts';
import { readPlan } from '../jobs/content.ts';
import { createPinKeeper } from '../jobs/pins.ts';
import { createRetention } from '../jobs/retention.ts';
import { withLocal } from '../jobs/queries.ts';
import type { LifecyclePart } from '../system/lifecycle.ts';
import type { Foundation, NodeInit } from './foundation.ts';
import type { Network } from './network.ts';
import type { Rendering } from './rendering.ts';

/** The brain with its driver, and what people do with jobs. `hub` hears of every change once it is durable. */
export function assembleBrain(
  init: NodeInit,
  base: Foundation,
  core: Core,
  others: {
    rendering: () => Rendering;
    network: Network;
    farm: () => Pick<FarmMembership, 'changed' | 'membersKnown'>;
    /** The farm's, a member's or this machine's own record may have changed. */
    departureChanged: () => void;
    /** Days after which a collected job goes by itself, as its owner has set it now. */
    keepDays: () => number;
  },
) {
  const { rendering, network, farm, departureChanged } = others;
  const { clock, random, logger, signer, store, blobs, temporaries } = base;
  const { content, copies } = network;
  const driver: Driver = createDriver({
    core,
    store,
    clock,
    logger,
    ...network.out,
    worker: {
      run: (grant, job, task) => rendering().run(grant, job, task),
      stop: (attempt, reason) => rendering().worker.stopAttempt(attempt, reason),
    },
    readPlan: (hash) => readPlan({ blobs, content, logger }, hash),
    onChanges: (changes) => {
      night.changed(changes);
      hub.notify(changes);
      diary.changed(changes);
      network.changed(changes);
      if (changes.members === true) farm().changed();
      if (changes.members === true || changes.nodes.includes(signer.peer)) departureChanged();
      for (const { job, indices } of changes.tasks) collection.changed(job, indices);
      for (const job of changes.removed) {
        collection.removed(job);
        pins.removed(job);
      }
    },
    onMembersKnown: () => farm().membersKnown(),
    isDiskSlow: () => store.disk.isSlow,
    onBroken: (error) => init.onEnd?.({ error }),
  });
  const shared = { clock, random, logger, blobs, content, copies, temporaries, store, signer, driver };
  /** What this machine alone knows of it has changed. */
  const showAgain = (job: JobId): void =>
    hub.notify({ jobs: [job], removed: [], tasks: [], nodes: [], farm: false });
  /** A submitted job is known to the collection, and with it where its scene lies, before its first result. */
  const accepted = (job: JobId): void => collection.changed(job);
  const isComplete = base.leftOut === 0 && base.lacks === undefined;
  const collection: Collection = createCollection(shared, { onCollected: showAgain, isComplete });
  network.onPeerBack(() => collection.peerBack());
  // As long as damaged records lie here too, no time ends what is in doubt.
  const lack = base.leftOut === 0 ? base.lack : undefined;
  const pins = createPinKeeper(shared, { isComplete, lack });
  const queries = withLocal(core, {
    collection: (job) => collection.state(job),
    lacking: (job) => copies.lacking(job),
  });
  const night = createNight({ queries, clock });
  const hub: EventHub = createEventHub({ queries, clock, durable: () => driver.flushed() });
  network.onSwarm(() => hub.emit({ kind: 'swarm', at: clock.wallTime() }));
  const diary: Diary = createDiary({
    ...{ clock, logger, store, queries: core },
    merge: (own) => driver.merge(own),
    confirm: (own) => copies.confirm(own),
    heldAlone: () => copies.state(),
    misfits: network.misfits,
  });
  // Pins come before anything can be submitted; the diary's last word goes out before all else stops.
  const parts: LifecyclePart[] = [
    { name: 'collection', component: collection },
    { name: 'pins', component: pins },
    { name: 'damage', component: createCopyWatch(shared) },
    { name: 'diary', component: diary },
  ];
  const retention = createRetention(shared, { collection }, { days: others.keepDays });
  parts.push({ name: 'retention', component: retention });
  const telling = { activity: createActivity({ queries, clock }), night, swarm: network.swarm, retention };
  return { driver, shared, parts, queries, hub, diary, telling, showAgain, accepted };
}
