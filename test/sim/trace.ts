import { createHash } from 'node:crypto';

/** Everything that happened in a run, one line each, and a sum over all lines by which two runs are told apart. */
export class Trace {
  readonly #write: ((line: string) => void) | undefined;
  readonly #hash = createHash('sha256');
  readonly isOn: boolean;
  lines = 0;

  constructor(init: { isOn: boolean; write?: (line: string) => void }) {
    this.isOn = init.isOn;
    this.#write = init.write;
  }

  add(atMs: number, who: string, what: string, more: unknown): void {
    if (!this.isOn) return;
    const told = more === undefined ? '' : ` ${typeof more === 'string' ? more : JSON.stringify(more)}`;
    const line = `${(atMs / 1_000).toFixed(6)} ${who} ${what}${told}`;
    this.lines += 1;
    this.#hash.update(`${line}\n`);
    this.#write?.(line);
  }

  /** Of all lines so far; ends the trace. */
  sum(): string {
    return this.#hash.digest('hex');
  }
}
