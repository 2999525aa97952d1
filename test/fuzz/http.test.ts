import { httpDecoders } from './decoders/http.ts';
import { testDecoders } from './suite.ts';

testDecoders(httpDecoders);
