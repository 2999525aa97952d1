import type { FarmId } from '@cuadro/protocol';
import { GOSSIP_TOPICS, type GossipTopic, STREAM_PROTOCOLS } from './interface.ts';

/**
 * Every name on the wire, in one place (SPEC R100), so that what strangers are kept from can be listed: the tests try
 * each of these, and fail where a host answers to one that isn't here.
 */

/** Where farms are found; its name has no farm. */
export const LOBBY_PROTOCOL = '/cuadro/1/lobby';

/** Protocol names carry the farm, so that nodes of different farms have nothing to say to each other. */
export const protocolOf = (farm: FarmId, name: string): string => `/cuadro/1/${farm}/${name}`;

export const topicOf = (farm: FarmId, topic: GossipTopic): string => protocolOf(farm, `gossip/${topic}`);

/** The kept-open stream between two members. */
export const MESSAGES = 'messages';
/** kad-dht's records of who holds what. */
export const PROVIDERS = 'providers';
/** Before the names of identify (kad-dht and gossipsub learn by it who speaks their protocols) and ping (kad-dht's). */
export const LIBRARY_PREFIX = 'libp2p';

/** Of the farm's own names. */
const FARM_NAMES = [
  MESSAGES,
  ...STREAM_PROTOCOLS,
  PROVIDERS,
  `${LIBRARY_PREFIX}/id/1.0.0`,
  `${LIBRARY_PREFIX}/ping/1.0.0`,
];
/** gossipsub's names are fixed in the library; its topics carry the farm. */
const GOSSIPSUB = ['/meshsub/1.0.0', '/meshsub/1.1.0', '/meshsub/1.2.0'];

/** All that the host of a farm's members answers to. */
export const farmProtocols = (farm: FarmId): readonly string[] => [
  ...FARM_NAMES.map((name) => protocolOf(farm, name)),
  ...GOSSIPSUB,
];

/** All that the lobby's host answers to. */
export const lobbyProtocols: readonly string[] = [LOBBY_PROTOCOL];

export const farmTopics = (farm: FarmId): readonly string[] =>
  GOSSIP_TOPICS.map((topic) => topicOf(farm, topic));
