import { diskDecoders } from './decoders/disk.ts';
import { testDecoders } from './suite.ts';

testDecoders(diskDecoders);
