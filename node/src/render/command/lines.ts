import { StringDecoder } from 'node:string_decoder';

/** Cuts a stream of bytes into lines; `\r` ends one too, since progress bars are drawn with it. */
export class LineCutter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  readonly #charactersMax: number;
  #rest = '';

  constructor(charactersMax: number, onLine: (line: string) => void) {
    this.#charactersMax = charactersMax;
    this.#onLine = onLine;
  }

  add(data: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(data)).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#emit(line);
    if (this.#rest.length > this.#charactersMax) {
      this.#emit(this.#rest);
      this.#rest = '';
    }
  }

  end(): void {
    // What was held back may be the end of a line, and half a letter after it.
    const lines = (this.#rest + this.#decoder.end()).split('\r');
    this.#rest = '';
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) this.#emit(line);
  }

  #emit(line: string): void {
    this.#onLine(line.length > this.#charactersMax ? `${line.slice(0, this.#charactersMax)}…` : line);
  }
}
