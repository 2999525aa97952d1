import { CuadroError } from '@cuadro/protocol';
import type { JobsComponents } from './interface.ts';
import { leavingNow } from './members-now.ts';

/**
 * A machine that leaves may have sent its last word already: whoever takes that in is not heard for certain, and what is
 * accepted here from then on would go with this machine (SPEC R134).
 * @throws CuadroError `machine-leaving`.
 */
export function assertStays({ signer, driver }: Pick<JobsComponents, 'signer' | 'driver'>): void {
  const farm = driver.queries.farmRecord();
  if (farm === undefined || leavingNow(driver.queries, signer.peer) === undefined) return;
  throw new CuadroError('machine-leaving', { farm: farm.name.value });
}
