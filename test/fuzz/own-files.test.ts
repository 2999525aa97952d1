import { testDecoders } from './suite.ts';

await testDecoders('own-files');
