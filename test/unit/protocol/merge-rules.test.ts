import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attemptKey,
  atLevels,
  atRetry,
  countingResult,
  emptyTask,
  mergeRecords,
  type AttemptId,
  type Failure,
  type FailedOutcome,
  type FarmRecord,
  type Holders,
  type KnownRecord,
  type NodeRecord,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { JOB, PEERS } from './arbitraries.ts';

const [ANA, BELEN, CARMEN] = PEERS as [string, string, string];

const attempt = (sequence: number, term = 1): AttemptId => ({ epoch: { term, peer: ANA }, sequence });

const result = (sequence: number, state: 'rendered' | 'done', ...holders: string[]): TaskResult => ({
  attempt: attempt(sequence),
  peer: ANA,
  state,
  files: [],
  holders: Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }])),
  renderMs: 1,
  wallTime: 1,
});

const failure = (sequence: number): Failure => ({
  attempt: attempt(sequence),
  peer: ANA,
  cause: 'failed',
  code: 'broken',
  message: 'It broke.',
  lines: [],
  wallTime: 1,
});

const verdict = (sequence: number): FailedOutcome => ({
  attempt: attempt(sequence),
  peer: ANA,
  code: 'broken',
  message: 'It broke.',
  wallTime: 1,
});

function task(changes: {
  redo?: number;
  retry?: number;
  results?: TaskResult[];
  failures?: Failure[];
  failed?: FailedOutcome;
}): TaskRecord {
  const { redo = 0, retry = 0, results = [], failures = [], failed } = changes;
  return {
    ...emptyTask(JOB, 0, redo, retry),
    results: Object.fromEntries(results.map((one) => [attemptKey(one.attempt), one])),
    failures: Object.fromEntries(failures.map((one) => [attemptKey(one.attempt), one])),
    ...(failed !== undefined && { failed }),
  };
}

/** What two records make, the same in both orders. */
function merged<R extends KnownRecord>(a: R, b: R): R {
  const made = mergeRecords(a, b);
  assert.deepEqual(mergeRecords(b, a), made);
  return made;
}

describe('tasks', () => {
  it('R32: at a higher redo win whole, whatever the other has', () => {
    const discarded = task({ retry: 3, results: [result(1, 'done', ANA, BELEN)], failures: [failure(2)] });
    const redone = task({ redo: 1 });
    assert.equal(mergeRecords(discarded, redone), redone);
    assert.equal(mergeRecords(redone, discarded), redone);
    const later = task({ redo: 2, results: [result(9, 'rendered', CARMEN)] });
    assert.equal(mergeRecords(redone, later), later);
    assert.equal(mergeRecords(later, redone), later);
  });

  it('R32: at a higher retry void the failures of the lower, and keep the results of both', () => {
    const lower = task({ results: [result(1, 'rendered', ANA)], failures: [failure(2)], failed: verdict(2) });
    const higher = task({ retry: 1, results: [result(3, 'rendered', BELEN)], failures: [failure(4)] });
    assert.deepEqual(
      merged(lower, higher),
      task({
        retry: 1,
        results: [result(1, 'rendered', ANA), result(3, 'rendered', BELEN)],
        failures: [failure(4)],
      }),
    );
  });

  it('R32: raised to a retry have no failures of a lower one, and those of that or a higher one', () => {
    const failed = task({
      retry: 2,
      failures: [failure(1)],
      failed: verdict(1),
      results: [result(2, 'done', ANA)],
    });
    assert.equal(atRetry(failed, 1), failed);
    assert.equal(atRetry(failed, 2), failed);
    assert.deepEqual(atRetry(failed, 3), task({ retry: 3, results: [result(2, 'done', ANA)] }));
  });

  it('R33: raised to a redo are as new, and otherwise keep what they have', () => {
    const made = task({ redo: 2, retry: 1, results: [result(2, 'done', ANA)] });
    assert.equal(atLevels(made, 1, 0), made);
    assert.equal(atLevels(made, 2, 1), made);
    assert.deepEqual(atLevels(made, 3, 4), task({ redo: 3, retry: 4 }));
    assert.deepEqual(atLevels(made, 2, 4), task({ redo: 2, retry: 4, results: [result(2, 'done', ANA)] }));
  });

  it('R32: of one attempt are done where either says so, with the holders of both', () => {
    const [rendered, done] = [result(1, 'rendered', ANA), result(1, 'done', BELEN)];
    assert.deepEqual(
      merged(task({ results: [rendered] }), task({ results: [done] })),
      task({ results: [result(1, 'done', ANA, BELEN)] }),
    );
    assert.deepEqual(
      merged(task({ results: [rendered] }), task({ results: [result(1, 'rendered', BELEN)] })),
      task({ results: [result(1, 'rendered', ANA, BELEN)] }),
    );
  });

  it('R132: of one attempt are one failure, told whole by one of them, with the holders of both', () => {
    const held = (...holders: string[]): Holders =>
      Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }]));
    const own: Failure = { ...failure(1), log: 'a'.repeat(64), holders: held(ANA) };
    const copied: Failure = { ...failure(1), log: 'a'.repeat(64), holders: held(BELEN) };
    const lost: Failure = { ...failure(1), cause: 'lost', code: 'machine-lost', message: 'It vanished.' };
    const of = (a: Failure, b: Failure) =>
      Object.values(merged(task({ failures: [a] }), task({ failures: [b] })).failures);
    assert.deepEqual(of(own, copied), [{ ...own, holders: held(ANA, BELEN) }]);
    // Whatever order by bytes they have, neither gets properties of the other.
    assert.deepEqual(of(own, lost), [own]);
    const { holders: _none, ...bare } = own;
    assert.deepEqual(of(bare, own), [own]);
    const withdrawn = { ...own, holders: { [ANA]: { held: false, counter: 2 } } };
    assert.deepEqual(of(withdrawn, own), [withdrawn]);
    const known = task({ failures: [own] });
    assert.equal(
      mergeRecords(known, task({ failures: [bare] })),
      known,
      'what says nothing new changes nothing',
    );
  });

  it('R54: keep the verdict of the older attempt', () => {
    const made = merged(task({ failed: verdict(2) }), task({ failed: verdict(5) }));
    assert.deepEqual(made.failed, verdict(2));
  });

  it('R38: count a done before a rendered, then the older attempt, of those that somebody holds', () => {
    const counts = (...results: TaskResult[]) => countingResult(task({ results }))?.attempt.sequence;
    assert.equal(counts(result(1, 'rendered', ANA), result(2, 'done', BELEN)), 2);
    assert.equal(counts(result(3, 'done', ANA), result(2, 'done', BELEN)), 2);
    assert.equal(counts(result(2, 'done', ANA), result(3, 'done', BELEN)), 2);
    assert.equal(counts(result(1, 'done'), result(4, 'rendered', BELEN)), 4);
    assert.equal(counts(result(1, 'done')), undefined);
  });
});

describe("a machine's fields", () => {
  const node = (name: string, value: unknown, counter: number, peer: string): NodeRecord =>
    ({
      kind: 'node',
      peer: ANA,
      fields: { [name]: { value, counter, peer, signature: new Uint8Array(64) } },
    }) as never;

  it("R37: take the owner's word from its own machine, whatever others count", () => {
    const owners = node('ownerDesired', 'paused', 1, ANA);
    const others = node('ownerDesired', 'active', 9, BELEN);
    assert.deepEqual(merged(owners, others), owners);
  });

  it("R37: let the later of two words of the machine's own stand, and of two others", () => {
    const later = node('ownerDesired', 'active', 2, ANA);
    assert.deepEqual(merged(node('ownerDesired', 'paused', 1, ANA), later), later);
    const others = node('ownerDesired', 'active', 9, BELEN);
    assert.deepEqual(merged(others, node('ownerDesired', 'paused', 3, CARMEN)), others);
  });

  it('R37: are of whoever wrote last where all may write', () => {
    const others = node('desired', 'paused', 9, BELEN);
    assert.deepEqual(merged(node('desired', 'active', 1, ANA), others), others);
  });

  it("R37: take no word for the owner's that is no field", () => {
    const odd = {
      kind: 'node',
      peer: ANA,
      fields: { ownerDesired: { peer: ANA, text: 'zzz' } },
    } as never as NodeRecord;
    const others = node('ownerDesired', 'active', 9, BELEN);
    assert.deepEqual(merged(odd, others), others);
  });
});

it('R26: a property without a value says nothing', () => {
  const farm = { kind: 'farm', id: 'farmfarmfarmfarm', founder: ANA } as const;
  const name = { value: 'Estudio', counter: 1, peer: ANA };
  const said: FarmRecord = {
    ...farm,
    name,
    mergedInto: { value: 'otherotherothero', counter: 1, peer: ANA },
  };
  const silent = { ...farm, name, mergedInto: undefined } as never as FarmRecord;
  assert.equal(mergeRecords(said, silent), said);
  assert.deepEqual(mergeRecords(silent, said), said);
});
