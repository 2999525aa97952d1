import { LoopbackNetwork } from './libp2p-network.ts';
import type { MeshUnderTest } from './harness.ts';
import { membersContract } from './members.suite.ts';
import { messagesContract } from './messages.suite.ts';
import { streamsContract } from './streams.suite.ts';

const libp2p: MeshUnderTest = { name: 'libp2p', network: (options) => new LoopbackNetwork({}, options) };

membersContract(libp2p);
messagesContract(libp2p);
streamsContract(libp2p);
