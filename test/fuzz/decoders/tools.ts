import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { LineCutter } from '../../../node/src/render/command/lines.ts';
import { Progress } from '../../../node/src/render/command/command.ts';
import { KEPT_LINES } from '../../../node/src/render/film/limits.ts';
import { FilmProgress } from '../../../node/src/render/film/progress.ts';
import { Complaints } from '../../../node/src/render/film/run.ts';
import { SceneError } from '../../../node/src/render/scene/errors.ts';
import { readBlendHeader } from '../../../node/src/render/scene/header.ts';
import { decoder, demand, type Decoder, type Reader, refusingLater, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { bytesLike, textsOf } from '../sources.ts';
import { inFolder } from './own-folder.ts';
import { piecesOf } from './streams.ts';

/** What programs say that a job or a film starts, and the first bytes of the scenes that people submit. */

const encoder = new TextEncoder();
const bytesOf = (texts: (dice: Dice) => string) => {
  const bytes = (dice: Dice): Uint8Array => encoder.encode(texts(dice).toWellFormed());
  return bytesLike((dice) => bytes(dice));
};
/** Short, so that many inputs have lines beyond it. */
const LINE_MAX = 200;

const commandLines = textsOf(
  'cuadro-progress 0.5 half of it\ncuadro-progress 1\nother\r\n',
  'cuadro-progress 0.25\rcuadro-progress 0.75 é\r',
  `${'x'.repeat(300)}\ncuadro-progress 9.9 ${'y'.repeat(150)}\n`,
);

function readCommandOutput(bytes: Uint8Array): Verdict {
  let told = 0;
  const progress = new Progress(({ fraction, text }) => {
    demand(fraction >= told && fraction <= 1, 'Progress falls, or is beyond its end.');
    demand((text ?? '').length <= LINE_MAX, 'A text of progress has no bound.');
    told = fraction;
  });
  let heard = 0;
  const lines: string[] = [];
  const cutter = new LineCutter(LINE_MAX, (line) => {
    demand(line.length <= LINE_MAX + 1 && !line.includes('\n'), 'A line is none, or has no bound.');
    lines.push(line);
    if (progress.hear(line)) heard += 1;
  });
  // Short ones, so that most ends of lines are cut somewhere.
  for (let at = 0, step = 1; at < bytes.length; at += step) {
    step = 1 + ((bytes[at] as number) % 5);
    cutter.add(Buffer.from(bytes.subarray(at, at + step)));
  }
  cutter.end();
  const text = Buffer.from(bytes).toString('utf8');
  // Where none is so long that it is cut, the pieces make no difference.
  const whole = text.split(/\r\n|\n|\r/);
  const isSame = withoutLastEmpty(lines).join('\n') === withoutLastEmpty(whole).join('\n');
  demand(text.length > LINE_MAX || isSame, 'The lines depend on the pieces in which they came.');
  return heard > 0 ? 'taken' : 'refused';
}

const withoutLastEmpty = (lines: readonly string[]): readonly string[] =>
  lines.slice(0, 1 + lines.findLastIndex((line) => line !== ''));

const filmLines = textsOf(
  'frame=3\nfps=12.0\nout_time=00:00:01\nprogress=continue\nframe=   17\nprogress=end\n',
  'frame=24\nframe=23\nframe=99999999999999999999\n',
);

function readFilmProgress(bytes: Uint8Array): Verdict {
  let done = 0;
  const progress = new FilmProgress(24, ({ framesDone, frames, fraction }) => {
    demand(framesDone > done && framesDone <= frames, 'A film has other frames than it has.');
    demand(Number.isSafeInteger(framesDone) && fraction === framesDone / 24, 'A count of frames is none.');
    done = framesDone;
  });
  const complaints = new Complaints();
  let characters = 0;
  for (const piece of piecesOf(bytes)) {
    const text = Buffer.from(piece).toString('latin1');
    characters += text.length;
    progress.hear(text);
    complaints.add(text);
  }
  const lines = complaints.lines();
  const kept = lines.reduce((sum, { length }) => sum + length, 0);
  demand(
    lines.length <= KEPT_LINES + 1 && kept <= Math.min(characters, 2_001 * KEPT_LINES),
    'Complaints have no bound.',
  );
  demand(
    lines.every((line) => !line.includes('\n') && line.length <= 2_000),
    'A line is none, or has no bound.',
  );
  return done > 0 ? 'taken' : 'refused';
}

const plainBlends = ['BLENDER-v304RENDH', 'BLENDER_V279', 'BLENDER17-01v0500'].map((head) =>
  Buffer.from(`${head}${'\0'.repeat(500)}`),
);
/** Of a few bytes, and of a few bytes that are many once they are unpacked. */
const packedBlends = plainBlends.flatMap((plain) => {
  const long = Buffer.concat([plain, Buffer.alloc(2 ** 18)]);
  return [gzipSync(plain), zstdCompressSync(plain), gzipSync(long), zstdCompressSync(long)];
});

function blendReader(): Reader<Uint8Array> {
  const { folder, close } = inFolder();
  const path = join(folder, 'shot.blend');
  return {
    close,
    read: (bytes) =>
      refusingLater([SceneError], async () => {
        writeFileSync(path, bytes);
        const header = await readBlendHeader(path);
        demand(
          header.version.every((part) => part >= 0 && part <= 99),
          'A version is none.',
        );
        return header;
      }),
  };
}

export const toolDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'command-output',
    covers: ['node/src/render/command/lines.ts', 'node/src/render/command/command.ts'],
    sources: [
      'node/src/render/command/lines.ts',
      { file: 'node/src/render/command/command.ts', functions: ['hear', 'Progress'] },
    ],
    input: bytesOf(commandLines),
    open: () => ({ read: readCommandOutput }),
  }),
  decoder<Uint8Array>({
    name: 'film-output',
    covers: ['node/src/render/film/progress.ts', 'node/src/render/film/run.ts'],
    sources: [
      'node/src/render/film/progress.ts',
      { file: 'node/src/render/film/run.ts', functions: ['add', 'lines', '#keep'] },
    ],
    input: bytesOf((dice) => (dice.once(100) ? filmLines(dice).repeat(100) : filmLines(dice))),
    open: () => ({ read: readFilmProgress }),
  }),
  decoder<Uint8Array>({
    name: 'blend-header',
    covers: ['node/src/render/scene/header.ts readBlendHeader'],
    sources: ['node/src/render/scene/header.ts'],
    input: bytesLike((dice) => dice.pick(dice.once(8) ? packedBlends : plainBlends)),
    open: blendReader,
  }),
];
