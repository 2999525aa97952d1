import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FilmError } from '../../../node/src/render/film/interface.ts';
import { parseStreams } from '../../../node/src/render/film/probe.ts';
import { SceneError } from '../../../node/src/render/scene/errors.ts';
import { parseTraceLine } from '../../../node/src/render/scene/process.ts';
import { soundResult } from '../../../node/src/render/scene/schema.ts';
import { parseResult } from '../../../node/src/render/scene/tracer.ts';

test('a line that whatever runs in Blender puts between the answers ends no node', () => {
  for (const line of ['', 'x', 'null', '7', '[]', '{"answered":', '{"answered":1,"restingBytes":"x"}']) {
    assert.deepEqual(parseTraceLine(line), { answered: false }, line);
  }
  assert.deepEqual(parseTraceLine('{"answered":true}'), { answered: true });
  assert.deepEqual(parseTraceLine('{"restingBytes":5}'), { answered: false, restingBytes: 5 });
});

test('what Blender and ffprobe left half-written is told as a failure of theirs', () => {
  for (const text of ['', '{"ok":tr', 'null', '{}']) {
    assert.throws(() => parseResult(text, soundResult), SceneError);
    assert.throws(() => parseStreams(text), FilmError);
  }
});
