import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Output } from '../../../node/src/cli/output.ts';

/** What is drawn on a terminal of so many columns, without the wiping before it. */
function drawn(text: string, columns: number): string {
  let written = '';
  const stderr = { write: (part: string) => (written += part), isTTY: true, columns };
  const line = { stdout: stderr, stderr, env: {}, cwd: '/', signal: new AbortController().signal };
  new Output(line, false).draw(text);
  return written.replace('\r\u001b[2K', '');
}

test('a line of progress stays in its row, also where characters take two columns', () => {
  const table: [string, number, string][] = [
    ['shot 3/24', 10, 'shot 3/24'],
    ['shot 13/24', 10, 'shot 13/…'],
    ['作品 3/24', 10, '作品 3/24'],
    ['長い作品名 3/24', 10, '長い作品…'],
    ['長い作品名', 11, '長い作品名'],
    ['🎬🎬🎬🎬🎬', 8, '🎬🎬🎬…'],
    ['cafe\u0301 3/24', 10, 'cafe\u0301 3/24'],
  ];
  for (const [text, columns, expected] of table) assert.equal(drawn(text, columns), expected, text);
});
