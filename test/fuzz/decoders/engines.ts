import { PassThrough } from 'node:stream';
import { parseDriverMessage, readLines } from '../../../node/src/render/blender/channel.ts';
import { readReport } from '../../../node/src/render/blender/capabilities.ts';
import {
  parseDuration,
  parseProgressLine,
  ProgressMeter,
} from '../../../node/src/render/blender/progress.ts';
import { isInside, parseDriverResult } from '../../../node/src/render/blender/results.ts';
import { tellingLines } from '../../../node/src/render/blender/telling-lines.ts';
import { RenderError } from '../../../node/src/render/errors.ts';
import { FilmError } from '../../../node/src/render/film/interface.ts';
import { parseStreams } from '../../../node/src/render/film/probe.ts';
import { SceneError } from '../../../node/src/render/scene/errors.ts';
import { parseTraceLine } from '../../../node/src/render/scene/process.ts';
import { parseResult } from '../../../node/src/render/scene/tracer.ts';
import { soundResult, traceResult } from '../../../node/src/render/scene/schema.ts';
import { decoder, demand, type Decoder, refusing, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { jsonLike, jsonOf, textsOf } from '../sources.ts';
import type { Wild } from '../wild-cbor.ts';

/** What Blender and ffmpeg say, or a scene's script in their name. */

const file = (dice: Dice): Wild => ({
  name: dice.pick(['frame_0001.png', 'view/left_0001.exr', 'a/b/c.png']),
  role: dice.pick(['image', 'view', 'compositor', 'other']),
  width: 640,
  height: 360,
  format: 'PNG',
});

const result = (dice: Dice): Wild => ({
  files: [file(dice), file(dice)],
  preview: dice.once(2) ? 'x.jpg' : null,
  devices: ['CPU'],
  engine: 'CYCLES',
  engineVersion: '4.2.1',
  renderMs: 512.5,
  loadMs: 12,
  peakMemoryBytes: 1e9,
  warnings: ['x', ''],
});

function message(dice: Dice): Wild {
  const id = dice.below(9);
  switch (dice.below(5)) {
    case 0:
      return { kind: 'ready', version: '4.2.1' };
    case 1:
      return { kind: 'beat', memoryBytes: 1e9 };
    case 2:
      return { kind: 'stage', id, stage: 'rendering', parts: dice.below(9) };
    case 3:
      return { kind: 'failed', id, memoryBytes: 1e9, code: 'python-exception', message: 'It broke.' };
    default:
      return { kind: 'done', id, memoryBytes: 1e9, result: result(dice) };
  }
}

const report = (dice: Dice): Wild => ({
  version: dice.pick(['4.2.1', '3.0', '2.93', '']),
  engines: ['CYCLES', 'BLENDER_EEVEE'],
  devices: [{ name: 'CPU', type: 'CPU' }],
  denoisers: [],
  openShadingLanguage: true,
  imageFormats: ['PNG'],
  movieFormats: ['FFMPEG'],
});

/** The lines of a channel, in pieces as a socket gives them, bounded in length. */
function readChannel(text: string): Verdict {
  const stream = new PassThrough();
  let taken = 0;
  readLines(stream, 4_096, (line) => {
    demand(line.length <= 4_096 && !line.includes('\n'), 'A line is none.');
    const read = parseDriverMessage(line);
    if (read === undefined) return;
    taken += 1;
    if (read.kind !== 'done') return;
    refusing([RenderError], () => readResult(read.result));
  });
  const bytes = Buffer.from(`${text}\n`);
  const middle = bytes.length >> 1;
  stream.emit('data', bytes.subarray(0, middle));
  stream.emit('data', bytes.subarray(middle));
  stream.emit('end');
  return taken > 0 ? 'taken' : 'refused';
}

function readResult(value: unknown): object {
  const read = parseDriverResult(value);
  demand(
    read.files.length > 0 && read.files.every(({ name }) => isInside(name)),
    'A file leaves its folder.',
  );
  demand(
    Object.values(read.figures).every((part) => part !== undefined),
    'A figure is missing.',
  );
  return read;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const machine = { cores: 2, confinement: { state: 'missing' } } as never;

function readProgress(text: string): Verdict {
  const meter = new ProgressMeter();
  const before = meter.stage('x').fraction ?? 0;
  const progress = meter.read(text);
  parseDuration(text);
  const read = parseProgressLine(text);
  demand(
    (read === undefined) === (progress === undefined),
    'A line is progress for one, and not for the other.',
  );
  demand((progress?.fraction ?? 0) >= before && (progress?.fraction ?? 0) <= 1, 'A fraction is none.');
  const lines = tellingLines(text);
  demand(lines.length <= 8 && lines.every(({ length }) => length <= 400), 'Telling lines have no bound.');
  return progress === undefined ? 'refused' : 'taken';
}

export const engineDecoders: readonly Decoder[] = [
  decoder<string>({
    name: 'driver-message',
    covers: [
      'node/src/render/blender/channel.ts parseDriverMessage',
      'node/src/render/blender/channel.ts readLines',
      'node/src/render/blender/channel.ts',
    ],
    sources: [
      {
        file: 'node/src/render/blender/channel.ts',
        functions: ['readLines', 'take', 'parseDriverMessage', 'partsOf', 'text'],
      },
    ],
    input: jsonLike(message),
    open: () => ({ read: readChannel }),
  }),
  decoder<string>({
    name: 'driver-result',
    covers: ['node/src/render/blender/results.ts parseDriverResult'],
    sources: [
      {
        file: 'node/src/render/blender/results.ts',
        functions: [
          'parseDriverResult',
          'parseFile',
          'isInside',
          'unusable',
          'record',
          'list',
          'text',
          'number',
          'texts',
        ],
      },
    ],
    input: jsonLike(result),
    open: () => ({ read: (text) => refusing([RenderError], () => readResult(parsed(text))) }),
  }),
  decoder<string>({
    name: 'blender-report',
    covers: ['node/src/render/blender/capabilities.ts readReport'],
    sources: [
      {
        file: 'node/src/render/blender/capabilities.ts',
        functions: ['readReport', 'names', 'devices', 'noBlender'],
      },
    ],
    input: jsonLike(report),
    open: () => ({
      read: (text) =>
        readReport('/usr/bin/blender', parsed(text), machine).state === 'ready' ? 'taken' : 'refused',
    }),
  }),
  decoder<string>({
    name: 'blender-output',
    covers: [
      'node/src/render/blender/progress.ts parseProgressLine',
      'node/src/render/blender/progress.ts parseDuration',
    ],
    sources: ['node/src/render/blender/progress.ts', 'node/src/render/blender/telling-lines.ts'],
    input: textsOf(
      'Fra:7 Mem:20.1M (Peak 20.4M) | Time:00:00.31 | Remaining:00:00.20 | Mem:1M | Scene, View | Sample 3/8',
      'Fra:7 Mem:1M | Time:00:04.10 | Rendering 26 / 64 samples',
      'Fra:-3 Mem:1M | Remaining:1:01:02.50 | Sample 8/8\nTraceback (most recent call last):\n  File "x"\nValueError: no',
    ),
    open: () => ({ read: readProgress }),
  }),
  decoder<string>({
    name: 'scene-trace',
    covers: ['node/src/render/scene/tracer.ts parseResult', 'node/src/render/scene/tracer.ts'],
    sources: [
      'node/src/render/scene/schema.ts',
      { file: 'node/src/render/scene/tracer.ts', functions: ['parseResult'] },
    ],
    input: jsonOf(traceResult, soundResult),
    open: () => ({
      read: (text) => {
        const sound = refusing([SceneError], () => parseResult(text, soundResult));
        return sound === 'taken' ? sound : refusing([SceneError], () => parseResult(text, traceResult));
      },
    }),
  }),
  decoder<string>({
    name: 'trace-line',
    covers: ['node/src/render/scene/process.ts parseTraceLine', 'node/src/render/scene/process.ts'],
    sources: [{ file: 'node/src/render/scene/process.ts', functions: ['parseTraceLine'] }],
    input: jsonLike((dice) => ({ answered: dice.once(2), restingBytes: dice.pick([0, 1e8]) })),
    open: () => ({
      read: (text) => {
        const { answered, restingBytes } = parseTraceLine(text);
        demand(restingBytes === undefined || restingBytes >= 0, 'Memory is counted that is none.');
        return answered || restingBytes !== undefined ? 'taken' : 'refused';
      },
    }),
  }),
  decoder<string>({
    name: 'film-probe',
    covers: ['node/src/render/film/probe.ts parseStreams', 'node/src/render/film/probe.ts'],
    sources: [{ file: 'node/src/render/film/probe.ts', functions: ['parseStreams'] }],
    input: jsonLike(() => ({
      streams: [
        { codec_type: 'video', width: 640, height: 360, nb_read_packets: '24', duration: '1.000000' },
        { codec_type: 'audio', duration: '1.0' },
      ],
    })),
    open: () => ({ read: (text) => refusing([FilmError], () => parseStreams(text)) }),
  }),
];
