import { certificateDecoders } from './decoders/certificates.ts';
import { streamDecoders } from './decoders/streams.ts';
import { testDecoders } from './suite.ts';

testDecoders(streamDecoders);
testDecoders(certificateDecoders);
