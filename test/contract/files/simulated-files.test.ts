import { Dice } from '../../sim/dice.ts';
import { ProcessFiles } from '../../sim/power/calls.ts';
import { Volume } from '../../sim/power/volume.ts';
import { fileCallsContract } from './suite.ts';

fileCallsContract('the disk that loses power', async (use) => {
  const volume = new Volume();
  volume.makeFolder('/root', true);
  const files = new ProcessFiles({ volume, dice: new Dice(1n) });
  let isDone = false;
  const turn = (): void => {
    files.turn();
    if (!isDone) setImmediate(turn);
  };
  turn();
  try {
    await use({ files, sync: files.sync, root: '/root' });
  } finally {
    isDone = true;
  }
});
