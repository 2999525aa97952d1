/** Numbers and times as people read them. */

/** `1 job`, `2,000 jobs`. */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;

export function formatDuration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 0.95) return `${Math.max(Math.round(ms), 0)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (seconds < 600)
    return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.round(hours / 24)} days`;
}

/** The time of machines together: hours are counted on, as they are paid for. */
export function formatMachineTime(ms: number): string {
  const hours = ms / 3_600_000;
  if (hours < 1) return formatDuration(ms);
  return `${hours < 100 ? hours.toFixed(1) : formatNumber(Math.round(hours))} h`;
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value >= 99.5 || unit === 0 ? Math.round(value) : value.toPrecision(value >= 9.95 ? 3 : 2)} ${byteUnits[unit]}`;
}

export function formatPercent(fraction: number): string {
  const percent = Math.max(0, Math.min(fraction, 1)) * 100;
  // Only what is whole is shown as 100 %.
  return `${percent < 100 ? Math.floor(percent) : 100} %`;
}

export function formatNumber(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', '\u202f');
}

const dayTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dateTime = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** The time of day, with the date where it isn't today's. */
export function formatTime(at: number): string {
  const date = new Date(at);
  return date.toDateString() === new Date().toDateString() ? dayTime.format(date) : dateTime.format(date);
}

export function formatAgo(at: number): string {
  const ms = Date.now() - at;
  if (ms < 60_000) return 'just now';
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ago`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ago`;
  return formatTime(at);
}
