import type { Decoder } from './decoder.ts';
import { askerDecoders } from './decoders/askers.ts';
import { diskDecoders } from './decoders/disk.ts';
import { doorDecoders } from './decoders/doors.ts';
import { engineDecoders } from './decoders/engines.ts';
import { exchangeDecoders } from './decoders/exchanges.ts';
import { holdDecoders } from './decoders/holds.ts';
import { httpDecoders } from './decoders/http.ts';
import { journalDecoders } from './decoders/journals.ts';
import { ownFileDecoders } from './decoders/own-files.ts';
import { pictureDecoders } from './decoders/pictures.ts';
import { protocolDecoders } from './decoders/protocol.ts';
import { streamDecoders } from './decoders/streams.ts';
import { swarmDecoders } from './decoders/swarm.ts';
import { textDecoders } from './decoders/texts.ts';
import { toolDecoders } from './decoders/tools.ts';

/** All that reads what others wrote. */
export const DECODERS: readonly Decoder[] = [
  ...protocolDecoders,
  ...textDecoders,
  ...streamDecoders,
  ...swarmDecoders,
  ...diskDecoders,
  ...ownFileDecoders,
  ...journalDecoders,
  ...engineDecoders,
  ...toolDecoders,
  ...pictureDecoders,
  ...httpDecoders,
  ...exchangeDecoders,
  ...askerDecoders,
  ...holdDecoders,
  ...doorDecoders,
];

export function decoderNamed(name: string): Decoder {
  const found = DECODERS.find((decoder) => decoder.name === name);
  if (found === undefined) {
    throw new RangeError(
      `There is no decoder ${name}; there are ${DECODERS.map((known) => known.name).join(', ')}.`,
    );
  }
  return found;
}
