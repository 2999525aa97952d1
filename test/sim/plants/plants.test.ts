import assert from 'node:assert/strict';
import { it } from 'node:test';
import { row, tryAll } from './planting.ts';
import { PLANTS } from './plants.ts';

/** So many at least, as the simulator would else prove little. */
const PLANTED_MIN = 15;

it(`the simulator finds planted mistakes, each within its stated number of seeds`, async (test) => {
  assert.ok(PLANTS.length >= PLANTED_MIN);
  const quick = PLANTS.filter(({ isQuick }) => isQuick === true);
  const findings = await tryAll(quick, { beds: 1, tell: (finding) => test.diagnostic(row(finding)) });
  for (const { name, isQuick } of PLANTS)
    if (isQuick !== true) test.diagnostic(`· ${name} · tried by npm run sim:plants`);
  assert.deepEqual(
    findings.filter(({ found }) => found === undefined).map(({ plant }) => plant.name),
    [],
  );
});
