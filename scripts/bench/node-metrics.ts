import type { NodeClient } from '../../node/src/cli/client.ts';
import { CouldNotMeasure } from './harness.ts';

/** A node's counters, as its page in Prometheus' text format tells them. */
export const metricsOf = (client: NodeClient): Promise<string> => client.text('metrics', {});

/** The value of a metric without labels. */
export function metricOf(page: string, name: string): number {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1];
  if (value === undefined) throw new CouldNotMeasure(`The node tells no ${name}.`);
  return Number(value);
}
