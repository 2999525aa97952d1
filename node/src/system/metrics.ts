import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Startable } from './interface.ts';

/** Label sets of one metric: more means that something unbounded (a task id) is used as a label. */
const labelSetsMax = 1_000;

/** Resolution of the loop delay's timer: 10 ms costs nothing and shows what the 50 ms budget asks. */
const loopDelayResolutionMs = 10;

/** Seconds from a quick request to a slow render. */
export const defaultBuckets: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** Adds `by` (default 1, never negative). */
  add(by?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Names as Prometheus wants them: `cuadro_<what>_<unit>`, counters end in `_total`. Repeating a name throws. */
export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** A gauge read when the page is rendered; undefined leaves it out. */
  gaugeOf(name: string, help: string, read: () => number | undefined): void;
  /** Counts that something else keeps, read when the page is rendered; they never go down. */
  countersOf(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void;
  /** The same for something that is counted elsewhere and never goes down. */
  counterOf(name: string, help: string, read: () => number | undefined): void;
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram;
  /** The page in Prometheus' text format 0.0.4. */
  render(): string;
}

export function createMetrics(): Metrics {
  return new MetricsRegistry();
}

class MetricsRegistry implements Metrics {
  readonly #families = new Map<string, () => string>();

  counter(name: string, help: string): Counter {
    const values = this.#values(name, 'counter', help);
    return {
      add(by = 1, labels = {}) {
        if (!(by >= 0)) throw new RangeError(`The counter ${name} cannot go down.`);
        values.update(labels, (value) => value + by);
      },
    };
  }

  gauge(name: string, help: string): Gauge {
    const values = this.#values(name, 'gauge', help);
    return { set: (value, labels = {}) => values.update(labels, () => value) };
  }

  gaugeOf(name: string, help: string, read: () => number | undefined): void {
    this.#registerRead(name, 'gauge', help, read);
  }

  counterOf(name: string, help: string, read: () => number | undefined): void {
    this.#registerRead(name, 'counter', help, read);
  }

  #registerRead(name: string, type: string, help: string, read: () => number | undefined): void {
    this.#register(name, type, help, () => {
      const value = read();
      return value === undefined ? '' : `${name} ${numberText(value)}\n`;
    });
  }

  countersOf(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void {
    this.#register(name, 'counter', help, () =>
      [...read()]
        .slice(0, labelSetsMax)
        .map(([labels, value]) => `${name}${labelText(labels)} ${numberText(value)}\n`)
        .join(''),
    );
  }

  histogram(name: string, help: string, buckets: readonly number[] = defaultBuckets): Histogram {
    const sets = new LabelSets(() => ({ counts: buckets.map(() => 0), count: 0, sum: 0 }));
    this.#register(name, 'histogram', help, () =>
      sets.render(({ counts, count, sum }, labels) => {
        const lines = buckets.map(
          (bound, index) =>
            `${name}_bucket${labelText({ ...labels, le: numberText(bound) })} ${counts[index] ?? 0}\n`,
        );
        lines.push(`${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${count}\n`);
        lines.push(`${name}_sum${labelText(labels)} ${numberText(sum)}\n`);
        lines.push(`${name}_count${labelText(labels)} ${count}\n`);
        return lines.join('');
      }),
    );
    return {
      observe(value, labels = {}) {
        const set = sets.of(labels);
        if (set === undefined) return;
        set.count += 1;
        set.sum += value;
        // Buckets are cumulative: a value counts in every bucket that it fits.
        for (const [index, bound] of buckets.entries())
          if (value <= bound) set.counts[index] = (set.counts[index] ?? 0) + 1;
      },
    };
  }

  render(): string {
    return [...this.#families.values()].map((family) => family()).join('');
  }

  #values(name: string, type: string, help: string) {
    const sets = new LabelSets(() => ({ value: 0 }));
    this.#register(name, type, help, () =>
      sets.render(({ value }, labels) => `${name}${labelText(labels)} ${numberText(value)}\n`),
    );
    return {
      update(labels: Labels, change: (value: number) => number): void {
        const set = sets.of(labels);
        if (set !== undefined) set.value = change(set.value);
      },
    };
  }

  #register(name: string, type: string, help: string, body: () => string): void {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new RangeError(`${name} is no metric name.`);
    if (this.#families.has(name)) throw new RangeError(`The metric ${name} is registered already.`);
    const helpText = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    this.#families.set(name, () => `# HELP ${name} ${helpText}\n# TYPE ${name} ${type}\n${body()}`);
  }
}

/** The values of one metric by label set; sets above the bound are dropped, not stored. */
class LabelSets<Value> {
  readonly #create: () => Value;
  readonly #sets = new Map<string, { labels: Labels; value: Value }>();

  constructor(create: () => Value) {
    this.#create = create;
  }

  of(labels: Labels): Value | undefined {
    const key = labelText(labels);
    let set = this.#sets.get(key);
    if (set === undefined) {
      if (this.#sets.size >= labelSetsMax) return undefined;
      set = { labels: { ...labels }, value: this.#create() };
      this.#sets.set(key, set);
    }
    return set.value;
  }

  render(line: (value: Value, labels: Labels) => string): string {
    return [...this.#sets.values()].map(({ labels, value }) => line(value, labels)).join('');
  }
}

function labelText(labels: Labels): string {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return '';
  return `{${names.map((name) => `${name}="${escapeLabel(labels[name] ?? '')}"`).join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** How late the event loop runs: the self-doubt of section 4 and the budget of section 11 read it. */
export interface LoopDelay extends Startable {
  /** Milliseconds beyond the timer's own interval at `percentile` (0 to 100) since the last reset. */
  percentileMs(percentile: number): number;
  maxMs(): number;
  reset(): void;
}

export function createLoopDelay(): LoopDelay {
  let histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;
  const beyond = (nanoseconds: number | undefined): number =>
    nanoseconds === undefined ? 0 : Math.max(0, nanoseconds / 1e6 - loopDelayResolutionMs);
  return {
    async start() {
      if (histogram !== undefined) return;
      histogram = monitorEventLoopDelay({ resolution: loopDelayResolutionMs });
      histogram.enable();
    },
    async stop() {
      histogram?.disable();
      histogram = undefined;
    },
    percentileMs: (percentile) => beyond(histogram?.percentile(percentile)),
    maxMs: () => beyond(histogram?.max),
    reset: () => histogram?.reset(),
  };
}

/** What a node said and heard by gossip; forwarding what others said is not counted. */
export interface GossipCounts {
  readonly sent: number;
  readonly received: number;
  readonly dropped: number;
}

/** The figures of a node as a whole. `gossip` gives undefined where the node is kept off the network. */
export function createNodeMetrics(parts: {
  loopDelay: LoopDelay;
  gossip: () => GossipCounts | undefined;
}): Metrics {
  const { loopDelay, gossip } = parts;
  const metrics = createMetrics();
  const late = 'How late the event loop runs since the node has started, milliseconds';
  metrics.gaugeOf('cuadro_loop_delay_p50_ms', `${late}: median`, () => loopDelay.percentileMs(50));
  metrics.gaugeOf('cuadro_loop_delay_p99_ms', `${late}: 99th percentile`, () => loopDelay.percentileMs(99));
  metrics.gaugeOf('cuadro_loop_delay_max_ms', `${late}: longest`, () => loopDelay.maxMs());
  const messages = 'Gossiped messages';
  metrics.counterOf(
    'cuadro_gossip_sent_total',
    `${messages} that this node originated`,
    () => gossip()?.sent,
  );
  metrics.counterOf(
    'cuadro_gossip_received_total',
    `${messages} of other nodes, each counted once`,
    () => gossip()?.received,
  );
  metrics.counterOf(
    'cuadro_gossip_dropped_total',
    `${messages} that nobody could hear`,
    () => gossip()?.dropped,
  );
  return metrics;
}
