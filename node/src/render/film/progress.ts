import type { FilmOptions } from './interface.ts';

/** Characters of a line that are kept until its end comes; one that counts frames has some 20. */
const LINE_MAX = 1_000;

/** What ffmpeg tells of its way (`-progress`): `frame=12` on a line of its own. The count never falls. */
export class FilmProgress {
  readonly #frames: number;
  readonly #onProgress: FilmOptions['onProgress'];
  #framesDone = 0;
  #rest = '';

  constructor(frames: number, onProgress: FilmOptions['onProgress']) {
    this.#frames = frames;
    this.#onProgress = onProgress;
  }

  hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_MAX);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    const frames = this.#frames;
    const framesDone = Math.min(frames, Number(/^frame=\s*(\d+)/.exec(line)?.[1] ?? 0));
    if (framesDone <= this.#framesDone) return;
    this.#framesDone = framesDone;
    this.#onProgress?.({ framesDone, frames, fraction: framesDone / frames });
  }
}
