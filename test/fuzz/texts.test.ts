import { textDecoders } from './decoders/texts.ts';
import { testDecoders } from './suite.ts';

testDecoders(textDecoders);
