import { CuadroError, members } from '@cuadro/protocol';
import type { JobsComponents } from './interface.ts';

/**
 * What a removed machine signs counts for nothing (SPEC R64), so it takes no wishes that would only seem to be met.
 * @throws CuadroError `machine-removed`.
 */
export function assertNotRemoved({ signer, driver }: Pick<JobsComponents, 'signer' | 'driver'>): void {
  const farm = driver.queries.farmRecord();
  if (farm === undefined) return;
  const { members: now, removed } = members(farm, driver.queries.memberRecords());
  const removal = removed.get(signer.peer);
  if (removal === undefined) return;
  const by = (now.get(removal.by) ?? removed.get(removal.by))?.name ?? 'a member';
  throw new CuadroError('machine-removed', { farm: farm.name.value, by });
}
