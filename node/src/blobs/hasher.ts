import { Worker } from 'node:worker_threads';
import type { Clock, Startable } from '../system/interface.ts';
import { StoreStoppedError } from './errors.ts';

export type HashJob =
  | {
      readonly kind: 'digest';
      readonly id: number;
      readonly source: string;
      /** A new file that receives what is hashed. */
      readonly copyTo?: string;
      readonly mode?: number;
      /** Syncs the copy, or the source where nothing is copied. */
      readonly sync: boolean;
      /** Without the hashes of the pieces, for whoever has them. */
      readonly wholeOnly: boolean;
      readonly canceled: SharedArrayBuffer;
    }
  | {
      /** Reads a piece into `bytes`, or writes it from there, where it is the piece whose hash is `expected`. */
      readonly kind: 'read-piece' | 'write-piece';
      readonly id: number;
      /** A path to read from, or the number of a file that is open. */
      readonly file: string | number;
      readonly offset: number;
      readonly bytes: Uint8Array;
      readonly expected: string;
    }
  | {
      /** Hashes a stretch of a file, behind those of the same pass; the file is open for this stretch alone. */
      readonly kind: 'stretch';
      readonly id: number;
      readonly pass: number;
      readonly source: string;
      readonly sizeBytes: number;
      readonly start: number;
      readonly end: number;
    }
  /** Nothing more comes of a pass in stretches. */
  | { readonly kind: 'forget'; readonly id: number; readonly pass: number }
  | { readonly kind: 'scan'; readonly id: number; readonly folders: readonly string[] };

/** What stands in one folder, in columns, which are handed over and not copied. */
export interface ScannedFolder {
  /** The bytes of the hashes, eight words each. */
  readonly hashes: Uint32Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  /** Wall-clock milliseconds of the last use that was noted on disk. */
  readonly usedMs: Float64Array<ArrayBuffer>;
  /** Blobs of which there is a piece list and nothing else. */
  readonly orphans: readonly string[];
}

export type HashReply =
  | {
      readonly id: number;
      readonly ok: true;
      readonly hash?: string;
      readonly sizeBytes?: number;
      readonly pieces?: Uint8Array;
      readonly folders?: readonly ScannedFolder[];
      /** Of a piece: whether it is the one that was expected. */
      readonly isRight?: boolean;
    }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly side: 'source' | 'destination';
      readonly message: string;
    };

/** What a pass over a file found; `pieces`: 32 bytes per piece. */
export interface FileDigest {
  readonly hash: string;
  readonly sizeBytes: number;
  readonly pieces: Uint8Array;
}

/** A failed pass: which side refused, with the system's error code. */
export class HashJobError extends Error {
  override readonly name = 'HashJobError';
  readonly code: string;
  readonly side: 'source' | 'destination';
  constructor(reply: Extract<HashReply, { ok: false }>) {
    super(reply.message);
    this.code = reply.code;
    this.side = reply.side;
  }
}

export type PieceJob = Omit<Extract<HashJob, { kind: 'read-piece' | 'write-piece' }>, 'kind' | 'id'>;

/** What is used of a worker thread. */
export interface HashThread {
  postMessage(job: HashJob): void;
  on(event: 'message', listener: (reply: HashReply) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

export function spawnHashThread(): HashThread {
  // The published package holds emitted JavaScript, the checkout TypeScript.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new Worker(new URL(`./hash-worker${extension}`, import.meta.url), { name: 'cuadro-hash' });
}

export interface HasherComponents {
  readonly clock: Pick<Clock, 'after'>;
  /** Brings threads that do hash-jobs.ts; those of this process by default. */
  readonly spawn?: () => HashThread;
}

interface Thread {
  readonly worker: HashThread;
  readonly jobs: Map<number, { resolve: (reply: HashReply) => void; reject: (error: unknown) => void }>;
  /** Those in stretches of which it has hashed the beginning: it lives as long. */
  passes: number;
  /** Calls off the end that an idle thread is coming to. */
  keep: (() => void) | undefined;
}

/** Worker threads for hashing and copying: started when needed, ended when idle for a while and by `stop`. */
export class Hasher implements Startable {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #spawnThread: () => HashThread;
  readonly #threadsMax: number;
  readonly #idleMs: number;
  readonly #threads: Thread[] = [];
  #nextId = 1;
  #stopped = true;

  constructor(components: HasherComponents, init: { threadsMax: number; idleMs: number }) {
    this.#clock = components.clock;
    this.#spawnThread = components.spawn ?? spawnHashThread;
    this.#threadsMax = init.threadsMax;
    this.#idleMs = init.idleMs;
  }

  /** Threads that live, at work or not yet idle for long. */
  get threadCount(): number {
    return this.#threads.length;
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#threads.splice(0).map((thread) => end(thread)));
  }

  /** One pass over `source`, with a copy and a sync where asked. When it rejects no copy is left. */
  async digest(
    source: string,
    options: { copyTo?: string; mode?: number; sync?: boolean; wholeOnly?: boolean; signal: AbortSignal },
  ): Promise<FileDigest> {
    const { copyTo, mode, sync = false, wholeOnly = false, signal } = options;
    signal.throwIfAborted();
    const canceled = new SharedArrayBuffer(4);
    const onAbort = (): void => void Atomics.store(new Int32Array(canceled), 0, 1);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const reply = await this.#post({
        kind: 'digest',
        id: this.#nextId++,
        source,
        sync,
        wholeOnly,
        canceled,
        ...(copyTo === undefined ? {} : { copyTo }),
        ...(mode === undefined ? {} : { mode }),
      });
      // An abort is answered by the thread, after it has removed its copy.
      if (!reply.ok) signal.throwIfAborted();
      if (!reply.ok) throw new HashJobError(reply);
      return {
        hash: reply.hash ?? '',
        sizeBytes: reply.sizeBytes ?? 0,
        pieces: reply.pieces ?? new Uint8Array(),
      };
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * The same in stretches, of a file that stays as it is, with a rest after each but the last, in which no file is open.
   * One thread does them all, since it alone knows the hash so far, and does what else comes in between.
   */
  async digestInStretches(
    { source, sizeBytes }: { readonly source: string; readonly sizeBytes: number },
    {
      stretchBytes,
      rest,
      signal,
    }: { stretchBytes: number; rest: (signal: AbortSignal) => Promise<void>; signal: AbortSignal },
  ): Promise<FileDigest> {
    signal.throwIfAborted();
    if (this.#stopped) throw new StoreStoppedError();
    const thread = this.#leastBusy();
    const pass = this.#nextId++;
    thread.passes += 1;
    try {
      for (let start = 0; ; start += stretchBytes) {
        const end = Math.min(sizeBytes, start + stretchBytes);
        const id = this.#nextId++;
        const reply = await this.#post({ kind: 'stretch', id, pass, source, sizeBytes, start, end }, thread);
        if (!reply.ok) throw new HashJobError(reply);
        const { hash, pieces } = reply;
        if (hash !== undefined && pieces !== undefined) return { hash, sizeBytes, pieces };
        await rest(signal);
        signal.throwIfAborted();
      }
    } catch (error) {
      await this.#post({ kind: 'forget', id: this.#nextId++, pass }, thread).catch(() => undefined);
      throw error;
    } finally {
      thread.passes -= 1;
      if (thread.jobs.size === 0 && this.#threads.includes(thread)) this.#rest(thread);
    }
  }

  /**
   * Reads a piece into memory that is shared between threads; false where what is there is another one, or ends too early.
   * Whoever asks waits for the answer: until then the memory is the thread's.
   */
  readPiece(job: PieceJob): Promise<boolean> {
    return this.#piece({ ...job, kind: 'read-piece', id: this.#nextId++ });
  }

  /** Writes a piece from such memory to an open file; false where it is another one, and then nothing is written. */
  writePiece(job: PieceJob & { readonly file: number }): Promise<boolean> {
    return this.#piece({ ...job, kind: 'write-piece', id: this.#nextId++ });
  }

  async #piece(job: HashJob): Promise<boolean> {
    const reply = await this.#post(job);
    if (!reply.ok) throw new HashJobError(reply);
    return reply.isRight === true;
  }

  /** What stands in each of these folders of a store. */
  async scan(folders: readonly string[]): Promise<readonly ScannedFolder[]> {
    const reply = await this.#post({ kind: 'scan', id: this.#nextId++, folders });
    if (!reply.ok) throw new HashJobError(reply);
    return reply.folders ?? [];
  }

  /** Gives a job to a thread, or to the least busy one. */
  #post(job: HashJob, chosen?: Thread): Promise<HashReply> {
    const isGone = chosen !== undefined && !this.#threads.includes(chosen);
    if (this.#stopped || isGone) return Promise.reject(new StoreStoppedError());
    const thread = chosen ?? this.#leastBusy();
    thread.keep?.();
    thread.keep = undefined;
    return new Promise((resolve, reject) => {
      thread.jobs.set(job.id, { resolve, reject });
      thread.worker.ref();
      thread.worker.postMessage(job);
    });
  }

  #leastBusy(): Thread {
    const least = this.#threads.toSorted((a, b) => a.jobs.size - b.jobs.size)[0];
    if (least !== undefined && (least.jobs.size === 0 || this.#threads.length >= this.#threadsMax))
      return least;
    return this.#spawn();
  }

  #spawn(): Thread {
    const worker = this.#spawnThread();
    const thread: Thread = { worker, jobs: new Map(), passes: 0, keep: undefined };
    this.#threads.push(thread);
    worker.on('message', (reply: HashReply) => {
      const job = thread.jobs.get(reply.id);
      thread.jobs.delete(reply.id);
      if (thread.jobs.size === 0) this.#rest(thread);
      job?.resolve(reply);
    });
    const onEnd = (error: unknown): void => {
      const index = this.#threads.indexOf(thread);
      if (index >= 0) this.#threads.splice(index, 1);
      for (const job of thread.jobs.values()) job.reject(error);
      thread.jobs.clear();
    };
    worker.on('error', onEnd);
    worker.on('exit', () => onEnd(new StoreStoppedError()));
    return thread;
  }

  #rest(thread: Thread): void {
    // An idle thread must not keep the process alive.
    thread.worker.unref();
    thread.keep?.();
    thread.keep = undefined;
    if (thread.passes > 0) return;
    thread.keep = this.#clock.after(this.#idleMs, () => {
      const index = this.#threads.indexOf(thread);
      // Taken out first, so that no job is given to a thread that is ending.
      if (index >= 0) this.#threads.splice(index, 1);
      void end(thread);
    });
  }
}

async function end(thread: Thread): Promise<void> {
  thread.keep?.();
  thread.keep = undefined;
  await thread.worker.terminate();
}
