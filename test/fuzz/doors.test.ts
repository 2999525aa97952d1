import { doorDecoders } from './decoders/doors.ts';
import { testDecoders } from './suite.ts';

testDecoders(doorDecoders);
