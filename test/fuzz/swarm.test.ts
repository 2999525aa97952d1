import { testDecoders } from './suite.ts';

await testDecoders('swarm');
