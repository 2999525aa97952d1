import { CuadroError, leavingOf, members } from '@cuadro/protocol';
import type { JobsComponents } from './interface.ts';

/**
 * A machine that leaves may have sent its last word already: whoever takes that in is not heard for certain, and what is
 * accepted here from then on would go with this machine (SPEC R134).
 * @throws CuadroError `machine-leaving`.
 */
export function assertStays({ signer, driver }: Pick<JobsComponents, 'signer' | 'driver'>): void {
  const { queries } = driver;
  const record = queries.nodeRecord(signer.peer);
  const farm = queries.farmRecord();
  // Who belongs to the farm is costly to derive, and hardly a machine ever leaves.
  if (farm === undefined || record?.fields.leaving?.value.wanted !== true) return;
  const { members: now } = members(farm, queries.memberRecords());
  if (leavingOf(now, record) === undefined) return;
  throw new CuadroError('machine-leaving', { farm: farm.name.value });
}
