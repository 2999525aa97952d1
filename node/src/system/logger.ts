import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import picocolors from 'picocolors';
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from 'pino';
import type { Clock, Logger, LogLevel, Startable } from './interface.ts';

/** 8 MiB per file and 5 files: some weeks of a busy node, and never a disk full of logs. */
const defaultFileBytesMax = 8 * 1024 * 1024;
const defaultFilesMax = 5;

const levelRank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LoggerInit {
  /** JSON lines go here, and to `<path>.1`… when it has grown; none without it. */
  readonly file?: {
    readonly path: string;
    readonly level?: LogLevel;
    readonly bytesMax?: number;
    readonly filesMax?: number;
  };
  /** Short lines for a person; none without it. `colors` defaults to what the terminal and NO_COLOR say. */
  readonly human?: {
    readonly stream: { write(line: string): unknown };
    readonly level: LogLevel;
    readonly colors?: boolean;
  };
}

/** A logger that owns its file. Lines logged before `start` or after `stop` reach the human stream only. */
export interface OwnedLogger extends Logger, Startable {}

/** Fields named like secrets are never written: tokens end in pasted logs otherwise. */
const secretFields = [
  'token',
  'secret',
  'password',
  'authorization',
  '*.token',
  '*.secret',
  '*.password',
  '*.authorization',
];

export function createLogger(components: { clock: Clock }, init: LoggerInit): OwnedLogger {
  return new RootLogger(components, init);
}

type Fields = Record<string, unknown>;

abstract class LevelledLogger implements Logger {
  debug(message: string, fields?: Fields): void {
    this.write('debug', message, fields);
  }
  info(message: string, fields?: Fields): void {
    this.write('info', message, fields);
  }
  warn(message: string, fields?: Fields): void {
    this.write('warn', message, fields);
  }
  error(message: string, fields?: Fields): void {
    this.write('error', message, fields);
  }
  child(fields: Fields): Logger {
    return new ChildLogger(this, fields);
  }
  abstract write(level: LogLevel, message: string, fields: Fields | undefined): void;
}

class ChildLogger extends LevelledLogger {
  readonly #parent: LevelledLogger;
  readonly #fields: Fields;

  constructor(parent: LevelledLogger, fields: Fields) {
    super();
    this.#parent = parent;
    this.#fields = fields;
  }

  override write(level: LogLevel, message: string, fields: Fields | undefined): void {
    this.#parent.write(level, message, { ...this.#fields, ...fields });
  }
}

class RootLogger extends LevelledLogger implements OwnedLogger {
  readonly #clock: Clock;
  readonly #init: LoggerInit;
  #file: RotatingFile | undefined;
  #pino: PinoLogger | undefined;

  constructor(components: { clock: Clock }, init: LoggerInit) {
    super();
    this.#clock = components.clock;
    this.#init = init;
  }

  async start(): Promise<void> {
    const { file } = this.#init;
    if (file === undefined || this.#pino !== undefined) return;
    this.#file = new RotatingFile(
      file.path,
      file.bytesMax ?? defaultFileBytesMax,
      file.filesMax ?? defaultFilesMax,
    );
    this.#pino = pino(
      {
        level: file.level ?? 'info',
        base: { pid: process.pid },
        timestamp: () => `,"time":"${new Date(this.#clock.wallTime()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: stdSerializers.err, cause: stdSerializers.err },
        redact: { paths: secretFields, censor: '(hidden)' },
      },
      this.#file,
    );
  }

  async stop(): Promise<void> {
    this.#pino = undefined;
    this.#file?.end();
    this.#file = undefined;
  }

  override write(level: LogLevel, message: string, fields: Fields | undefined): void {
    this.#pino?.[level](fields ?? {}, message);
    const { human } = this.#init;
    if (human !== undefined && levelRank[level] >= levelRank[human.level]) {
      const colors = picocolors.createColors(human.colors ?? picocolors.isColorSupported);
      human.stream.write(humanLine(colors, this.#clock.wallTime(), level, message, fields ?? {}));
    }
  }
}

/** One short line: time of day, level, message, fields as `name=value`. */
function humanLine(
  colors: ReturnType<typeof picocolors.createColors>,
  wallTimeMs: number,
  level: LogLevel,
  message: string,
  fields: Fields,
): string {
  const paint = { debug: colors.dim, info: colors.cyan, warn: colors.yellow, error: colors.red }[level];
  const time = new Date(wallTimeMs).toTimeString().slice(0, 8);
  const rest = Object.entries(fields)
    .filter(([name, value]) => value !== undefined && !secretFields.includes(name))
    .map(([name, value]) => ` ${colors.dim(`${name}=`)}${humanValue(value)}`)
    .join('');
  return `${colors.dim(time)} ${paint(level.padEnd(5))} ${message}${rest}\n`;
}

function humanValue(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (typeof value === 'string') return /[\s"]/.test(value) || value === '' ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? String(value);
}

/**
 * A log file that is renamed when it has grown. Lines are written at once, so that a killed node has told all it
 * knew; a line costs microseconds, and there are few. It never throws: a full disk loses log lines, not the node.
 */
class RotatingFile implements DestinationStream {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #filesMax: number;
  #file: number;
  #bytes: number;

  constructor(path: string, bytesMax: number, filesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#filesMax = filesMax;
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a');
    this.#bytes = fstatSync(this.#file).size;
  }

  write(line: string): void {
    try {
      if (this.#bytes >= this.#bytesMax) this.#rotate();
      this.#bytes += writeSync(this.#file, line);
    } catch {
      // The disk refuses; there is nowhere left to say so.
    }
  }

  end(): void {
    closeSync(this.#file);
  }

  #rotate(): void {
    // Counted from here also when a step fails: it is tried again after as many bytes more.
    this.#bytes = 0;
    for (let index = this.#filesMax - 2; index >= 0; index -= 1) {
      const name = index === 0 ? this.#path : `${this.#path}.${index}`;
      if (existsSync(name)) renameSync(name, `${this.#path}.${index + 1}`);
    }
    const next = openSync(this.#path, 'a');
    closeSync(this.#file);
    this.#file = next;
  }
}
