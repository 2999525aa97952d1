import { engineDecoders } from './decoders/engines.ts';
import { testDecoders } from './suite.ts';

testDecoders(engineDecoders);
