/** What is real, with some of its answers replaced: a holder that lies, a disk that fails. */
export function disguised<T extends object>(real: T, other: Partial<T>): T {
  return new Proxy(real, {
    get(target, property) {
      const value: unknown = Reflect.get(other, property) ?? Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
