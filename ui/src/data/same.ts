/** Whether two values of JSON hold the same; used so that unchanged objects keep their identity. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => key in right && same(left[key], right[key]))
  );
}

/** `next`, or `previous` where both hold the same. */
export function keep<T>(previous: T | undefined, next: T): T {
  return previous !== undefined && same(previous, next) ? previous : next;
}
