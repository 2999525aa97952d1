import type { Random } from '../../system/interface.ts';

/** In another order, each as likely; the list itself is changed. */
export function shuffled<T>(items: T[], random: Pick<Random, 'float'>): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.float() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
