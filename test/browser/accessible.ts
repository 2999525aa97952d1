import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';

/**
 * What breaks a rule of accessibility on a page, each with its places. Without its legacy mode axe opens a second page
 * after each reading, to put together what it found in frames of other origins: a process of its own each time, for
 * pages that have no frames. Only of violations it needs to name every place.
 */
export async function violationsOf(page: Page): Promise<string[]> {
  assert.equal(page.frames().length, 1, 'the page has no frames, which would be read apart');
  const reader = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] });
  const { violations } = await reader.analyze();
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
  );
}
