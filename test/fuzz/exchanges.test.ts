import { exchangeDecoders } from './decoders/exchanges.ts';
import { testDecoders } from './suite.ts';

testDecoders(exchangeDecoders);
