import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode, knownRecordSchema, type KnownRecord } from '@cuadro/protocol';
import { recordFromBytes, recordToBytes } from '../../../node/src/store/record-bytes.ts';
import { RECORDS } from '../protocol/arbitraries.ts';
import { placesIn, withNews } from '../protocol/newer-versions.ts';

/** A place's name without what only names one of many: peers, attempts, indices. */
const kindOf = (record: KnownRecord, path: readonly string[]): string =>
  [record.kind, ...path.map((key) => (/^[a-z]+$/i.test(key) ? key : '*'))].join('.');

describe('R26, R45: what is read from the disk has the bytes that were written, whatever a newer version said', () => {
  const seen = new Set<string>();
  for (const [kind, arbitrary] of Object.entries(RECORDS)) {
    it(`in a ${kind} record, at every level`, () => {
      fc.assert(
        fc.property(arbitrary, fc.jsonValue({ maxDepth: 2 }), (record, news) => {
          for (const place of placesIn(record)) {
            const newer = withNews(record, place, news);
            if (!knownRecordSchema.safeParse(newer).success) continue;
            seen.add(kindOf(record, place));
            const read = recordFromBytes(recordToBytes(newer));
            assert.ok(read !== undefined, place.join('.'));
            assert.deepEqual(encode(read), encode(newer), place.join('.'));
          }
        }),
        { numRuns: 60 },
      );
    });
  }

  it('reaching the depths that were lost', () => {
    for (const place of [
      'job.requests.*',
      'task.results.*.attempt',
      'task.results.*.attempt.epoch',
      'task.results.*.files.*',
      'task.failures.*.attempt.epoch',
      'task.failed.attempt',
      'member.admissions.*',
      'node.fields.desired',
    ])
      assert.ok(seen.has(place), `${place} of ${[...seen].join(' ')}`);
  });

  it('in the hours of a machine, which are an object of their own', () => {
    const hours = {
      value: { spans: [{ start: 0, end: 60, why: 'quiet' }], zone: 'Europe/Madrid' },
      counter: 1,
      peer: '12D3KooWAaaaaaaaaaaa',
      signature: new Uint8Array(64),
    };
    const record = { kind: 'node', peer: '12D3KooWAaaaaaaaaaaa', fields: { hours } } as KnownRecord;
    assert.deepEqual(recordFromBytes(recordToBytes(record)), record);
  });
});
