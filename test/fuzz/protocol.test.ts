import { protocolDecoders } from './decoders/protocol.ts';
import { testDecoders } from './suite.ts';

testDecoders(protocolDecoders);
