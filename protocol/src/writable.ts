import { encode } from './codec.ts';
import { CuadroError } from './errors.ts';
import { OUTPUT_FILES_MAX, PATH_LENGTH_MAX, RECORD_WRITE_BYTES_MAX } from './limits.ts';
import { knownRecordSchema, taskResultSchema } from './record-schemas.ts';
import { recordKey, type KnownRecord, type TaskResult } from './records.ts';

/**
 * What a node writes of its own must be readable again, by itself at the next start and by every other: a record
 * that isn't would be lost with all that it promises (SPEC R3).
 */

/**
 * `before` is the record that stands. What only replaces a value (a pause, a deletion) can't make a record grow
 * without end, so it isn't refused for what others have written before.
 * @throws CuadroError `record-too-large`, or `request-invalid` with what is wrong with it.
 */
export function assertWritable(record: KnownRecord, before?: KnownRecord): void {
  const parsed = knownRecordSchema.safeParse(record);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const why = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not readable'}`;
    throw new CuadroError('request-invalid', { why });
  }
  if (record.kind === 'job' && before?.kind === 'job') {
    if (Object.keys(record.requests).length === Object.keys(before.requests).length) return;
  }
  const bytes = encode(record).length;
  if (bytes > RECORD_WRITE_BYTES_MAX) {
    throw new CuadroError('record-too-large', {
      record: recordKey(record),
      bytes,
      limit: RECORD_WRITE_BYTES_MAX,
    });
  }
}

/** Why the result of an attempt can't be kept, in one sentence; undefined where it can. */
export function whyNotKept(result: TaskResult): string | undefined {
  const { files } = result;
  if (files.length > OUTPUT_FILES_MAX) {
    return `It gave ${files.length} files; a task may give ${OUTPUT_FILES_MAX}.`;
  }
  const long = files.find(({ name }) => name.length > PATH_LENGTH_MAX);
  if (long !== undefined) {
    return `The name of one of its files has ${long.name.length} characters; ${PATH_LENGTH_MAX} are the limit: ${long.name.slice(0, 80)}…`;
  }
  const parsed = taskResultSchema.safeParse(result);
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return `Its result can't be kept: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not readable'}.`;
}
