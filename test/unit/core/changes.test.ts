import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DiaryRecord } from '@cuadro/protocol';
import type { Changes, CoreEffect } from '../../../node/src/core/interface.ts';
import {
  BELEN,
  CARMEN,
  deleted,
  DOLORES,
  framesPlan,
  grantsTo,
  nodeDesired,
  SELF,
  withDesired,
  withRequest,
} from './farm.ts';
import { FARM, farmRecord, grantOf, leading, learn, memberOf } from './members.ts';

const changesOf = (effects: readonly CoreEffect[]): Changes[] =>
  effects.flatMap((effect) => (effect.kind === 'changed' ? [effect.changes] : []));

describe('what a step tells has changed', () => {
  it('names the members where a record of them changed, and not with each grant', () => {
    const farm = leading(BELEN, CARMEN);
    const before = farm.effects.length;
    learn(farm, framesPlan('1-10'), BELEN);
    const effects = farm.effects.slice(before);
    assert.ok(grantsTo(CARMEN, effects).length > 0);
    assert.ok(changesOf(effects).some((changes) => changes.farm));
    assert.ok(changesOf(effects).every(({ members }) => members === undefined));
    const joined = farm.step({ kind: 'records', from: BELEN, records: [memberOf(DOLORES)] });
    assert.ok(changesOf(joined).some(({ members }) => members === true));
  });

  it('names a machine whose record changed, and nothing where the record was known', () => {
    const farm = leading(BELEN, CARMEN);
    for (const record of [nodeDesired(BELEN, 'draining'), memberOf(DOLORES)]) {
      const told = changesOf(farm.records(record));
      assert.ok(told.some(({ farm: isFarm, nodes }) => isFarm && nodes.includes(record.peer)));
      assert.deepEqual(
        farm.records(structuredClone(record)).map(({ kind }) => kind),
        [],
      );
    }
  });

  it('names the diaries where a page of one is new, and not where it was known', () => {
    const farm = leading(BELEN);
    const page: DiaryRecord = { kind: 'diary', peer: BELEN, page: 0, entries: {} };
    assert.deepEqual(
      changesOf(farm.records(page)).map(({ diary }) => diary),
      [true],
    );
    assert.deepEqual(changesOf(farm.records(structuredClone(page))), []);
  });

  it("tells a job's new state, which the farm's figures count", () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { wants: 0, sequence: 2 });
    const record = farm.submit(framesPlan('1-3'));
    const [told] = changesOf(farm.records(withDesired(record, 'paused')));
    assert.deepEqual([told?.jobs, told?.farm], [[record.id], true]);
  });

  it("tells the farm's new name, once", () => {
    const farm = leading(BELEN);
    const renamed = farmRecord(FARM, { name: { value: 'another', counter: 9, peer: SELF } });
    assert.ok(changesOf(farm.records(renamed)).some((changes) => changes.farm));
    assert.equal(farm.core.farm().name, 'another');
    assert.deepEqual(
      farm.records(structuredClone(renamed)).map(({ kind }) => kind),
      [],
    );
  });

  it('R34: tells a deletion once, also where its tombstone changes later', () => {
    const farm = leading(BELEN);
    const record = farm.submit(framesPlan('1-3'));
    const [told] = changesOf(farm.records(deleted(record)));
    assert.deepEqual([told?.removed, told?.farm], [[record.id], true]);
    const again = { ...deleted(record), requests: withRequest(record, 'retry', [1], 1).requests };
    const effects = farm.records(again);
    assert.ok(
      effects.some(({ kind }) => kind === 'persist'),
      'it did change',
    );
    assert.deepEqual(
      changesOf(effects).flatMap(({ removed }) => removed),
      [],
    );
  });

  it('persists no task that it holds already, and keeps the record itself that holds more', () => {
    const farm = leading(BELEN);
    const job = learn(farm, framesPlan('1-3'), BELEN);
    const grant = grantOf({ term: 0, peer: BELEN }, 1, job, 2);
    farm.ended(BELEN, grant, 'result');
    const first = farm.core.taskRecord(job, 2);
    assert.ok(first);
    const same = farm.step({ kind: 'records', from: BELEN, records: [structuredClone(first)] });
    assert.deepEqual(
      same.filter(({ kind }) => kind === 'persist'),
      [],
    );
    assert.equal(farm.core.taskRecord(job, 2), first);
    const [key, result] = Object.entries(first.results)[0] ?? [];
    assert.ok(key !== undefined && result !== undefined);
    const holders = { ...result.holders, [CARMEN]: { held: true, counter: 1 } };
    const more = {
      ...structuredClone(first),
      results: { [key]: { ...result, state: 'done' as const, holders } },
    };
    farm.step({ kind: 'records', from: CARMEN, records: [more] });
    assert.equal(farm.core.taskRecord(job, 2), more, 'its bytes are known already');
  });
});
