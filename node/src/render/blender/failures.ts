/** Turns what went wrong in a Blender process into a `RenderError`. Pure. */

import { RenderError, type RenderErrorCode } from '../errors.ts';
import type { GroupEnding } from '../process/group.ts';
import { tellingLines } from './telling-lines.ts';

/** Why we ended a process ourselves. */
export type EndCause =
  | { readonly kind: 'aborted' }
  | { readonly kind: 'silent'; readonly silentMs: number }
  | { readonly kind: 'no-progress'; readonly silentMs: number }
  | { readonly kind: 'slow-start'; readonly waitedMs: number }
  | { readonly kind: 'memory'; readonly bytes: number; readonly boundBytes: number }
  | { readonly kind: 'protocol'; readonly reason: string }
  | { readonly kind: 'retired' };

/** What the driver answered to an order that failed. */
export interface DriverFailure {
  readonly code: string;
  readonly message: string;
}

const DRIVER_CODES: Readonly<Record<string, RenderErrorCode>> = {
  'bad-request': 'bad-request',
  'load-failed': 'load-failed',
  'not-in-scene': 'not-in-scene',
  'no-output': 'no-output',
  'out-of-memory': 'out-of-memory',
  'python-exception': 'python-exception',
};

/** Blender reports its own failures as text only. */
const REPORTED: readonly (readonly [RegExp, RenderErrorCode, string])[] = [
  [/no camera/i, 'no-camera', 'The scene has no camera.'],
  [
    /without OpenImageDenoise|denoiser|OptiX denois/i,
    'denoiser-missing',
    'The scene denoises, and this Blender has no such denoiser.',
  ],
  [
    /out of (GPU |system |device )?memory|bad_alloc|failed to allocate/i,
    'out-of-memory',
    'Rendering this frame takes more memory than there is.',
  ],
  [
    /render engine .*(not found|missing)|no such engine/i,
    'engine-missing',
    "The scene's render engine is missing.",
  ],
];

/** The driver is alive and says that an order failed. */
export function driverFailure(failure: DriverFailure, log: readonly string[]): RenderError {
  const text = failure.message.replaceAll(/^Error: /gm, '').trim();
  const told = tellingLines(log);
  const lines = told.length > 0 ? told : text.split('\n').slice(0, 8);
  if (failure.code === 'render-failed' || failure.code === 'python-exception')
    for (const [pattern, code, sentence] of REPORTED)
      if (pattern.test(text)) return new RenderError(code, sentence, { lines });
  const code = DRIVER_CODES[failure.code] ?? 'render-failed';
  return new RenderError(code, oneLine(text), { lines });
}

/** The process is gone in the middle of an order. `oomKills`: processes that the kernel killed for memory meanwhile. */
export function endingFailure(
  ending: GroupEnding<EndCause>,
  log: readonly string[],
  situation: { readonly doing: string; readonly oomKills: number },
): RenderError {
  const lines = tellingLines(log);
  const fail = (code: RenderErrorCode, message: string, cause?: unknown) =>
    new RenderError(code, message, { lines, cause });
  switch (ending.kind) {
    case 'not-started':
      return fail('no-blender', `Blender could not be started: ${ending.error.message}`, ending.error);
    case 'ended':
      return causeFailure(ending.cause, situation.doing, fail);
    case 'signaled':
      if (ranOutOfMemory(log) || (ending.signal === 'SIGKILL' && situation.oomKills > 0))
        return fail('out-of-memory', `Blender ran out of memory while ${situation.doing}.`);
      return fail('crashed', `Blender was ended by ${ending.signal} while ${situation.doing}.`);
    case 'exited':
      if (ranOutOfMemory(log))
        return fail('out-of-memory', `Blender ran out of memory while ${situation.doing}.`);
      if (situation.doing === 'starting')
        return fail('start-failed', `Blender stopped with exit code ${ending.code} while starting.`);
      return fail('crashed', `Blender stopped with exit code ${ending.code} while ${situation.doing}.`);
  }
}

function causeFailure(
  cause: EndCause,
  doing: string,
  fail: (code: RenderErrorCode, message: string) => RenderError,
): RenderError {
  switch (cause.kind) {
    case 'silent':
      return fail(
        'hung',
        `Blender gave no sign of life for ${seconds(cause.silentMs)} while ${doing} and was ended.`,
      );
    case 'no-progress':
      return fail(
        'hung',
        `Blender made no progress for ${seconds(cause.silentMs)} while ${doing} and was ended.`,
      );
    case 'slow-start':
      return fail('start-failed', `Blender did not start within ${seconds(cause.waitedMs)}.`);
    case 'memory':
      return fail(
        'out-of-memory',
        `Blender took ${gigabytes(cause.bytes)} of memory, over the bound of ${gigabytes(cause.boundBytes)}, and was ended.`,
      );
    case 'protocol':
      return fail('python-exception', `The session's driver broke off: ${cause.reason}.`);
    case 'aborted':
    case 'retired':
      return fail('crashed', `Blender was ended while ${doing}.`);
  }
}

/** Lines in which Blender says that it must not run something that the scene holds; each once, at most 32. */
export function scriptsBlockedIn(log: readonly string[]): string[] {
  const restricted = log.some((line) => RESTRICTED_DRIVER.test(line));
  const blocked = log.filter(
    (line) =>
      /scripts disabled for|automatic scripts (is|are) disabled|skipping driver/i.test(line) ||
      RESTRICTED_DRIVER.test(line) ||
      // The next line names the expression that the restriction stopped.
      (restricted && line.startsWith('Error in PyDriver: expression failed')),
  );
  return [...new Set(blocked.map((line) => line.trim()))].slice(0, 32);
}

const RESTRICTED_DRIVER = /restricted access disallows|enable auto-execution/;

function ranOutOfMemory(log: readonly string[]): boolean {
  return log
    .slice(-40)
    .some((line) => /std::bad_alloc|malloc returns null|out of memory|Cannot allocate memory/i.test(line));
}

function oneLine(text: string): string {
  return text.split('\n').join(' ').slice(0, 500);
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}

function gigabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20 / 102.4) / 10} GB`;
}
