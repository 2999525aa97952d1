import {
  COUNTER_MAX,
  FAILURES_PER_TASK_MAX,
  OUTPUT_FILES_MAX,
  PATH_LENGTH_MAX,
  isSafePath,
  GRANTS_MAX,
  type AttemptId,
  type Epoch,
  type Grant,
  type Grants,
  type Holders,
  type OutputFile,
  type ResultMessage,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { CborReader, keyOf, SharedTexts } from './cbor-reader.ts';

const TASK_INDEX_MAX = 4_294_967_295;
const PIXELS_MAX = 128;
/** Bytes of an attempt's key at most; longer ones are no keys of ours. */
const KEY_MAX = 128;

const KEYS = {
  attempt: keyOf('attempt'),
  blob: keyOf('blob'),
  counter: keyOf('counter'),
  engineVersion: keyOf('engineVersion'),
  epoch: keyOf('epoch'),
  failures: keyOf('failures'),
  files: keyOf('files'),
  grants: keyOf('grants'),
  height: keyOf('height'),
  held: keyOf('held'),
  holders: keyOf('holders'),
  index: keyOf('index'),
  inputRedo: keyOf('inputRedo'),
  job: keyOf('job'),
  outcome: keyOf('outcome'),
  kind: keyOf('kind'),
  leaseMs: keyOf('leaseMs'),
  log: keyOf('log'),
  name: keyOf('name'),
  peer: keyOf('peer'),
  pixels: keyOf('pixels'),
  preview: keyOf('preview'),
  redo: keyOf('redo'),
  renderMs: keyOf('renderMs'),
  result: keyOf('result'),
  results: keyOf('results'),
  retry: keyOf('retry'),
  role: keyOf('role'),
  sequence: keyOf('sequence'),
  sizeBytes: keyOf('sizeBytes'),
  state: keyOf('state'),
  substitute: keyOf('substitute'),
  task: keyOf('task'),
  term: keyOf('term'),
  thumbnail: keyOf('thumbnail'),
  wallTime: keyOf('wallTime'),
  width: keyOf('width'),
} as const;
/** Values that are read like keys. */
const VALUES = {
  task: keyOf('task'),
  rendered: keyOf('rendered'),
  done: keyOf('done'),
  grants: keyOf('grants'),
  result: keyOf('result'),
} as const;

const ASCII = /^[\0-\x7f]*$/;

/** As canonical bytes order the keys of a map; of ASCII. */
const isAfter = (key: string, before: string): boolean =>
  key.length === before.length ? key > before : key.length > before.length;

/**
 * Reads the canonical bytes of a task record straight into the record: what a start reads a hundred thousand times.
 * Bytes that aren't canonical it doesn't read.
 * It knows one plain form only: results and no failures, the properties of this version and no other. It says
 * undefined to everything else, also to all that `taskRecordSchema` refuses; then the general way (decode, schema)
 * has the word. So whatever it gives is what the general way would give; a test holds the two against each other.
 */
export class TaskReader {
  readonly #cbor = new CborReader();
  readonly #jobs = new SharedTexts(/^[a-z2-7]{16}$/);
  readonly #peers = new SharedTexts(/^[1-9A-HJ-NP-Za-km-z]{16,64}$/);
  readonly #roles = new SharedTexts(/^.{0,32}$/s);
  readonly #versions = new SharedTexts(/^.{0,64}$/s);

  read(bytes: Uint8Array): TaskRecord | undefined {
    const cbor = this.#cbor;
    return cbor.read(bytes, () => this.#task());
  }

  /** The same of the two messages that there are of every task: that it is granted, and that it has a result. */
  readMessage(bytes: Uint8Array): ResultMessage | Grants | undefined {
    // By the number of properties and the length of the first one's name: nearly all other messages end here.
    if (bytes[0] === 0xa7 && bytes[1] === 0x63) return this.#cbor.read(bytes, () => this.#resultMessage());
    if (bytes[0] === 0xa3 && bytes[1] === 0x64) return this.#cbor.read(bytes, () => this.#grants());
    return undefined;
  }

  #grants(): Grants {
    const cbor = this.#cbor;
    cbor.check(cbor.mapSize() === 3 && cbor.hasKey(KEYS.kind) && cbor.hasKey(VALUES.grants));
    cbor.check(cbor.hasKey(KEYS.epoch));
    const epoch = this.#epoch();
    cbor.check(cbor.hasKey(KEYS.grants));
    const count = cbor.arraySize();
    cbor.check(count <= GRANTS_MAX);
    const grants: Grant[] = [];
    for (let i = 0; i < count; i++) grants.push(this.#grant());
    return { kind: 'grants', epoch, grants };
  }

  #grant(): Grant {
    const cbor = this.#cbor;
    const size = cbor.mapSize();
    cbor.check((size === 6 || size === 7) && cbor.hasKey(KEYS.job));
    const job = cbor.shared(this.#jobs);
    cbor.check(cbor.hasKey(KEYS.redo));
    const redo = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.task));
    const task = cbor.integer(TASK_INDEX_MAX);
    cbor.check(cbor.hasKey(KEYS.retry));
    const retry = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.attempt));
    const attempt = this.#attempt();
    cbor.check(cbor.hasKey(KEYS.leaseMs));
    const leaseMs = cbor.integer();
    cbor.check(leaseMs > 0);
    const grant: Grant = { attempt, job, task, redo, retry, leaseMs };
    if (size === 6) return grant;
    cbor.check(cbor.hasKey(KEYS.substitute));
    grant.substitute = cbor.boolean();
    return grant;
  }

  #resultMessage(): ResultMessage {
    const cbor = this.#cbor;
    cbor.check(cbor.mapSize() === 7 && cbor.hasKey(KEYS.job));
    const job = cbor.shared(this.#jobs);
    cbor.check(cbor.hasKey(KEYS.kind) && cbor.hasKey(VALUES.result) && cbor.hasKey(KEYS.redo));
    const redo = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.task));
    const task = cbor.integer(TASK_INDEX_MAX);
    cbor.check(cbor.hasKey(KEYS.retry));
    const retry = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.attempt));
    const attempt = this.#attempt();
    cbor.check(cbor.hasKey(KEYS.outcome) && cbor.mapSize() === 2);
    cbor.check(cbor.hasKey(KEYS.kind) && cbor.hasKey(VALUES.result) && cbor.hasKey(KEYS.result));
    const outcome: ResultMessage['outcome'] = { kind: 'result', result: this.#result() };
    return { kind: 'result', job, task, redo, retry, attempt, outcome };
  }

  /** Properties come in the order of canonical bytes: the shorter key first, then by bytes. */
  #task(): TaskRecord {
    const cbor = this.#cbor;
    cbor.check(cbor.mapSize() === 7 && cbor.hasKey(KEYS.job));
    const job = cbor.shared(this.#jobs);
    cbor.check(cbor.hasKey(KEYS.kind) && cbor.hasKey(VALUES.task) && cbor.hasKey(KEYS.redo));
    const redo = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.index));
    const index = cbor.integer(TASK_INDEX_MAX);
    cbor.check(cbor.hasKey(KEYS.retry));
    const retry = cbor.integer();
    cbor.check(cbor.hasKey(KEYS.results));
    const results = this.#results();
    cbor.check(cbor.hasKey(KEYS.failures) && cbor.mapSize() === 0);
    return { kind: 'task', job, index, redo, retry, results, failures: {} };
  }

  #results(): Record<string, TaskResult> {
    const cbor = this.#cbor;
    const count = cbor.mapSize();
    cbor.check(count <= FAILURES_PER_TASK_MAX);
    if (count === 0) return {};
    let before = this.#attemptKey();
    const results: Record<string, TaskResult> = { [before]: this.#result() };
    for (let i = 1; i < count; i++) {
      const key = this.#attemptKey();
      cbor.check(isAfter(key, before) && ASCII.test(key));
      before = key;
      results[key] = this.#result();
    }
    return results;
  }

  /** Attempts are named by numbers first; any other name might mean something to an object. */
  #attemptKey(): string {
    const key = this.#cbor.text(KEY_MAX);
    const first = key.charCodeAt(0);
    this.#cbor.check(first >= 0x30 && first <= 0x39);
    return key;
  }

  #result(): TaskResult {
    const cbor = this.#cbor;
    let left = cbor.mapSize() - 7;
    const take = (key: Uint8Array): boolean => {
      if (!cbor.hasKey(key)) return false;
      left--;
      return true;
    };
    const log = take(KEYS.log) ? cbor.hash() : undefined;
    cbor.check(cbor.hasKey(KEYS.peer));
    const peer = cbor.shared(this.#peers);
    cbor.check(cbor.hasKey(KEYS.files));
    const files = this.#files();
    cbor.check(cbor.hasKey(KEYS.state));
    const state = cbor.hasKey(VALUES.rendered) ? 'rendered' : 'done';
    cbor.check((state === 'rendered' || cbor.hasKey(VALUES.done)) && cbor.hasKey(KEYS.attempt));
    const attempt = this.#attempt();
    cbor.check(cbor.hasKey(KEYS.holders));
    const holders = this.#holders();
    cbor.check(cbor.hasKey(KEYS.renderMs));
    const renderMs = cbor.number();
    cbor.check(renderMs >= 0 && cbor.hasKey(KEYS.wallTime));
    const wallTime = cbor.number();
    const result: TaskResult = { attempt, peer, state, files, holders, renderMs, wallTime };
    if (log !== undefined) result.log = log;
    if (take(KEYS.inputRedo)) result.inputRedo = cbor.integer();
    if (take(KEYS.thumbnail)) result.thumbnail = cbor.hash();
    if (take(KEYS.engineVersion)) result.engineVersion = cbor.shared(this.#versions);
    cbor.check(left === 0);
    return result;
  }

  #attempt(): AttemptId {
    const cbor = this.#cbor;
    cbor.check(cbor.mapSize() === 2 && cbor.hasKey(KEYS.epoch));
    const epoch = this.#epoch();
    cbor.check(cbor.hasKey(KEYS.sequence));
    return { epoch, sequence: cbor.integer() };
  }

  #epoch(): Epoch {
    const cbor = this.#cbor;
    cbor.check(cbor.mapSize() === 2 && cbor.hasKey(KEYS.peer));
    const peer = cbor.shared(this.#peers);
    cbor.check(cbor.hasKey(KEYS.term));
    return { term: cbor.integer(), peer };
  }

  #holders(): Holders {
    const cbor = this.#cbor;
    const holders: Holders = {};
    let before = '';
    for (let left = cbor.mapSize(); left > 0; left--) {
      const peer = cbor.shared(this.#peers);
      cbor.check(isAfter(peer, before) && cbor.mapSize() === 2 && cbor.hasKey(KEYS.held));
      before = peer;
      const held = cbor.boolean();
      cbor.check(cbor.hasKey(KEYS.counter));
      holders[peer] = { held, counter: cbor.integer(COUNTER_MAX) };
    }
    return holders;
  }

  #files(): OutputFile[] {
    const cbor = this.#cbor;
    const count = cbor.arraySize();
    cbor.check(count <= OUTPUT_FILES_MAX);
    const files: OutputFile[] = [];
    for (let i = 0; i < count; i++) files.push(this.#file());
    return files;
  }

  #file(): OutputFile {
    const cbor = this.#cbor;
    let left = cbor.mapSize() - 4;
    const take = (key: Uint8Array): boolean => {
      if (!cbor.hasKey(key)) return false;
      left--;
      return true;
    };
    cbor.check(cbor.hasKey(KEYS.blob));
    const blob = cbor.hash();
    cbor.check(cbor.hasKey(KEYS.name));
    const name = cbor.text(PATH_LENGTH_MAX);
    cbor.check(isSafePath(name) && cbor.hasKey(KEYS.role));
    const role = cbor.shared(this.#roles);
    const width = take(KEYS.width) ? cbor.integer() : undefined;
    const height = take(KEYS.height) ? cbor.integer() : undefined;
    cbor.check(width !== 0 && height !== 0);
    const pixels = take(KEYS.pixels) ? cbor.text(PIXELS_MAX) : undefined;
    const preview = take(KEYS.preview) ? cbor.hash() : undefined;
    cbor.check(left === 0 && cbor.hasKey(KEYS.sizeBytes));
    const sizeBytes = cbor.number();
    cbor.check(sizeBytes >= 0);
    const file: OutputFile = { name, blob, sizeBytes, role };
    if (pixels !== undefined) file.pixels = pixels;
    if (width !== undefined) file.width = width;
    if (height !== undefined) file.height = height;
    if (preview !== undefined) file.preview = preview;
    return file;
  }
}
