/** Numbers, times and lists in the sentences of the night. */

/** `40 s`, `12 min`, `3 h 20 min`: as exact as people speak of a night. */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 1) return 'less than a second';
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `a`, `a and b`, `a, b and c`, `a, b, c and 4 more`. */
export function listed(names: readonly string[], shown = 8): string {
  const [first = '', ...others] = names;
  if (others.length === 0) return first;
  const more = names.length - shown;
  if (more > 0) return `${names.slice(0, shown).join(', ')} and ${more} more`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

/** Task names of one kind together: `frames 3, 7 and 8`, `frame 3 and film`. */
export function namedTasks(names: readonly string[]): string {
  const numbers = names
    .flatMap((name) => /^frame (-?\d+)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b));
  if (numbers.length < 2) return listed(names, 5);
  const others = names.filter((name) => !/^frame -?\d+$/.test(name));
  return listed([`frames ${listed(numbers, 5)}`, ...others], 5);
}

export const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A sentence of somebody else's, within one of ours: without its full stop. */
export const within = (sentence: string): string => sentence.trim().replace(/\.+$/, '');
