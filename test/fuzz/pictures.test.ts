import { pictureDecoders } from './decoders/pictures.ts';
import { testDecoders } from './suite.ts';

testDecoders(pictureDecoders);
