/**
 * `node scripts/large-files.ts [NUMBER…]`: moves files of the sizes at which pieces grow, all five or those, each from one
 * machine and after a restart from two, of which one changes a piece on its way, and compares them byte by byte. The test
 * of the same name moves one.
 */
import { LARGE_FILE_FARM, type LargeFile, moveLargeFile } from '../test/unit/transfer/large-files.ts';
import { TestFarm } from '../test/unit/transfer/machines.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const FILES: readonly LargeFile[] = [
  { sizeBytes: GIB, pieceBytes: MIB, as: 'file' },
  { sizeBytes: GIB + 1, pieceBytes: 2 * MIB, as: 'file' },
  { sizeBytes: 4 * GIB, pieceBytes: 2 * MIB, as: 'bundle' },
  { sizeBytes: 4 * GIB + 1, pieceBytes: 4 * MIB, as: 'file' },
  { sizeBytes: 4 * GIB + 1, pieceBytes: 4 * MIB, as: 'bundle' },
];

const numbers = process.argv.slice(2).map(Number);
for (const [i, file] of FILES.entries()) {
  if (numbers.length > 0 && !numbers.includes(i + 1)) continue;
  const ends: (() => unknown)[] = [];
  const began = process.cpuUsage();
  try {
    const farm = new TestFarm({ after: (end) => void ends.push(end as () => unknown) }, LARGE_FILE_FARM);
    const { sentBytes } = await moveLargeFile(farm, file);
    const { user, system } = process.cpuUsage(began);
    const [before, after] = sentBytes.map((bytes) => `${(bytes / file.pieceBytes).toFixed(1)} pieces`);
    console.log(
      `${file.sizeBytes.toLocaleString('en-US')} bytes in pieces of ${file.pieceBytes / MIB} MiB, as a ${file.as}: ` +
        `${before}, and ${after} after the restart; whole, in ${((user + system) / 1e6).toFixed(1)} s of processor time.`,
    );
  } finally {
    for (const end of ends) await end();
  }
}
