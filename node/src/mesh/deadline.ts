import type { Clock, SignalOption } from '../system/interface.ts';

/** A signal that fires after `ms`, or with the caller's own; `release` when it is needed no longer. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Counts anew from now. */
  extend(ms: number): void;
  release(): void;
}

/** Time bounds by the mesh's own clock, joined with a caller's signal. */
export function deadline(clock: Clock, ms: number, options: SignalOption, reason: () => Error): Deadline {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(options.signal?.reason);
  if (options.signal?.aborted === true) onAbort();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const expire = (): void => controller.abort(reason());
  let cancel = clock.after(ms, expire);
  return {
    signal: controller.signal,
    extend: (moreMs) => {
      cancel();
      cancel = clock.after(moreMs, expire);
    },
    release: () => {
      cancel();
      options.signal?.removeEventListener('abort', onAbort);
    },
  };
}
