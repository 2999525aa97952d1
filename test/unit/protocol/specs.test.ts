import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  compareCanonical,
  encode,
  mergeRecords,
  signJobSpec,
  verifyRecord,
  type JobRecord,
  type Signer,
} from '@cuadro/protocol';
import { createVerifier, temporaryIdentity } from '../../../node/src/system/identity.ts';
import { deleted, framesPlan, jobRecord, withControl, withDesired } from '../core/farm.ts';

const submitted = jobRecord(framesPlan('1-3'));
const withSpec = (changes: Partial<JobRecord['spec']>): JobRecord => ({
  ...submitted,
  spec: { ...submitted.spec, ...changes },
});

describe('specs', () => {
  for (const [what, other] of [
    ['name', withSpec({ name: 'another film' })],
    ['plan', withSpec({ plan: 'b'.repeat(64), tasks: 9 })],
    ['order', withSpec({ order: 0 })],
    ['signature alone', withSpec({ signature: new Uint8Array(64).fill(1) })],
  ] as const) {
    it(`R31: of two under one id that differ in their ${what} the greater by bytes stands, in any order`, () => {
      const greater = compareCanonical(submitted.spec, other.spec) > 0 ? submitted.spec : other.spec;
      assert.equal(mergeRecords(submitted, other).spec, greater);
      assert.equal(mergeRecords(other, submitted).spec, greater);
    });
  }

  it('R31: are whole: no part of the one joins the other', () => {
    const [a, b] = [withSpec({ name: 'a', order: 9 }), withSpec({ name: 'b', order: 1 })];
    const merged = mergeRecords(a, b).spec;
    assert.ok([a.spec, b.spec].some((spec) => compareCanonical(spec, merged) === 0));
  });

  it('R31: do not change by anything that people want of the job later', () => {
    const before = encode(submitted.spec);
    let record: JobRecord = submitted;
    for (const change of [
      withControl(submitted, 'name', 'renamed'),
      withControl(submitted, 'priority', 90),
      withDesired(submitted, 'canceled'),
      deleted(submitted),
    ]) {
      record = mergeRecords(record, change);
      assert.deepEqual(encode(record.spec), before);
    }
    assert.equal(record.control.name?.value, 'renamed');
  });

  it('R31: are signed by the submitting node, and refused with a signature of another', () => {
    const [ana, belen] = [temporaryIdentity(), temporaryIdentity()];
    const signedBy = (signer: Signer): JobRecord => {
      const { author: _author, signature: _signature, ...unsigned } = submitted.spec;
      return { ...submitted, spec: signJobSpec(signer, unsigned) };
    };
    const good = signedBy(ana);
    assert.equal(good.spec.author, ana.peer);
    assert.ok(verifyRecord(good, createVerifier()));
    const forged = { ...good, spec: { ...good.spec, signature: signedBy(belen).spec.signature } };
    assert.equal(verifyRecord(forged, createVerifier()), false);
    assert.equal(verifyRecord({ ...good, spec: { ...good.spec, name: 'other' } }, createVerifier()), false);
  });
});
