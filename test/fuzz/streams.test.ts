import { streamDecoders } from './decoders/streams.ts';
import { testDecoders } from './suite.ts';

testDecoders(streamDecoders);
