import { stripVTControlCharacters } from 'node:util';
import picocolors from 'picocolors';

/** What a command is run with: the process's own, or a test's. */
export interface CommandLine {
  stdout: OutputStream;
  stderr: OutputStream;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Asks a yes-or-no question; only where standard input is a terminal. */
  ask?: ((question: string) => Promise<boolean>) | undefined;
  /** From now on a closed terminal or pipe does not end the process. */
  ignoreLostOutput?(): void;
  /** Ends with Ctrl-C. */
  signal: AbortSignal;
}

export interface OutputStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Prints for people or, with `--json`, for scripts. */
export class Output {
  readonly json: boolean;
  /** A terminal that a line can be drawn on again and again; never with `--json`. */
  readonly live: boolean;
  readonly #line: CommandLine;
  #drawn = false;

  constructor(line: CommandLine, json: boolean) {
    this.#line = line;
    this.json = json;
    this.live = !json && line.stderr.isTTY === true && line.env['TERM'] !== 'dumb';
  }

  /** A line of the result. */
  print(text = ''): void {
    this.clear();
    this.#line.stdout.write(`${text}\n`);
  }

  /** The result as JSON, whole. */
  printJson(value: unknown): void {
    this.#line.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One of many results, on a line of its own. */
  printJsonLine(value: unknown): void {
    this.#line.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Something beside the result: goes to standard error, so that results can be piped. */
  note(text: string): void {
    this.clear();
    this.#line.stderr.write(`${text}\n`);
  }

  /** The one line of progress at the bottom of a terminal; elsewhere nothing. */
  draw(text: string): void {
    if (!this.live) return;
    // Some pseudo-terminals say that they have no columns at all.
    const width = (this.#line.stderr.columns || 80) - 1;
    this.#line.stderr.write(`\r\u001b[2K${cutTo(text, width)}`);
    this.#drawn = true;
  }

  /** Wipes the line of progress. */
  clear(): void {
    if (!this.#drawn) return;
    this.#line.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }

  style(style: Style, text: string, stream: 'stdout' | 'stderr' = 'stdout'): string {
    return picocolors.createColors(this.#colors(this.#line[stream]))[style](text);
  }

  /** https://no-color.org: any value but the empty one switches colours off. */
  #colors(stream: OutputStream): boolean {
    const { env } = this.#line;
    if (this.json || env['NO_COLOR']) return false;
    return stream.isTTY === true && env['TERM'] !== 'dumb';
  }
}

/** Text from elsewhere (names, log lines) without what could steer a terminal. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, ' ');
}

/** Cut to a terminal's width; styles are dropped where it is cut, so that none stays open. */
function cutTo(text: string, width: number): string {
  const bare = stripVTControlCharacters(text);
  let cut = '';
  let columns = 0;
  for (const character of bare) {
    columns += columnsOf(character);
    if (columns > width) return `${cut}…`;
    // Room is left for the mark of the cut.
    if (columns < width) cut += character;
  }
  return text;
}

/** East Asian characters and emoji (Unicode Standard Annex 11). */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u;
/** Accents that are set above or below the character before them, and joiners. */
const WITHOUT_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Columns that a terminal gives to one character. */
function columnsOf(character: string): number {
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
