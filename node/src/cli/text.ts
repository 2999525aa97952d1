import { JOB_ENDS, type FindingView, type JobView, type TaskView } from '@cuadro/protocol';
import CliTable from 'cli-table3';
import { type Output, plain } from './output.ts';

/** How views read in a terminal. */

const bareFrame = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Columns without lines, so that `awk` and the eye can both read them. */
export function table(output: Output, head: string[], rows: string[][]): string {
  const columns = new CliTable({
    chars: bareFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  columns.push(
    head.map((title) => output.style('dim', title)),
    ...rows.map((row) => row.map(plainStyled)),
  );
  return columns
    .toString()
    .split('\n')
    .map((row) => row.trimEnd())
    .join('\n');
}

/** Cells are made plain where they are made; only line breaks would still tear the table. */
function plainStyled(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** Tasks with a result, of all. */
export function progressOf(job: JobView): { finished: number; total: number; fraction: number } {
  const { rendered, done, total } = job.counts;
  const finished = rendered + done;
  return { finished, total, fraction: total === 0 ? 0 : finished / total };
}

export function hasEnded(job: JobView): boolean {
  return JOB_ENDS.has(job.state);
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`, `0.5 s`. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** `3 min 20 s left, done about 18:05`: what the machines that are here now would need, no promise. */
export function forecast(remainingMs: number, now = new Date()): string {
  const end = new Date(now.getTime() + remainingMs);
  const time = end.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const day = end.toDateString() === now.toDateString() ? '' : `${end.toLocaleDateString()}, `;
  return `${duration(remainingMs)} left, done about ${day}${time}, as it stands now`;
}

/** `1.5 GiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

export function stateText(output: Output, state: JobView['state'] | TaskView['state']): string {
  switch (state) {
    case 'done':
    case 'rendered':
      return output.style('green', state);
    case 'failed':
    case 'canceled':
      return output.style('red', state);
    case 'paused':
    case 'skipped':
      return output.style('yellow', state);
    case 'active':
      return output.style('cyan', state);
    default:
      return state;
  }
}

const barWidth = 24;

/** `████████░░░░  8/24  2 min 10 s left`; `begun` is the part done of what is running, in tasks. */
export function progressBar(finished: number, total: number, remainingMs?: number, begun = 0): string {
  const filled = total === 0 ? 0 : Math.min(Math.floor(((finished + begun) / total) * barWidth), barWidth);
  const left = remainingMs === undefined ? '' : `  ${duration(remainingMs)} left`;
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}  ${finished}/${total}${left}`;
}

export function jobTitle(job: JobView): string {
  return `#${job.order} ${plain(job.name)}`;
}

/** Prints what preflight found: one line each, the worst first, on standard error. */
export function printFindings(output: Output, findings: readonly FindingView[]): void {
  const rank = { error: 0, warning: 1, note: 2 };
  for (const { severity, message } of findings.toSorted((a, b) => rank[a.severity] - rank[b.severity])) {
    const style = severity === 'error' ? 'red' : severity === 'warning' ? 'yellow' : 'dim';
    const label = severity === 'error' ? 'Error' : severity === 'warning' ? 'Warning' : 'Note';
    output.note(`${output.style(style, `${label}:`, 'stderr')} ${plain(message)}`);
  }
}

/** `1 frame`, `2 frames`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
