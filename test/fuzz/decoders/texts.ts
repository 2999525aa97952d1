import {
  CuadroError,
  eachFrame,
  formatFrames,
  formatHours,
  isErrorCode,
  isWithinHours,
  lobbyAddress,
  parseAttemptKey,
  attemptKey,
  parseFrames,
  parseHours,
  placeOf,
  sameWords,
  typedAddress,
} from '@cuadro/protocol';
import { parseRange } from '../../../node/src/api/blob-reply.ts';
import { isBlobHash, blobOfPart } from '../../../node/src/blobs/layout.ts';
import { unsafeTreePath } from '../../../node/src/blobs/tree-path.ts';
import { parseSetting } from '../../../node/src/cli/commands/submit.ts';
import { UsageError } from '../../../node/src/cli/failure.ts';
import { AddressBook, parseAddress, plainAddress } from '../../../node/src/mesh/addresses.ts';
import { keyOf, parentOf, parsePath, isWithin } from '../../../node/src/render/scene/paths.ts';
import { isInside } from '../../../node/src/render/blender/results.ts';
import { decoder, demand, type Decoder, type Verdict } from '../decoder.ts';
import { textsOf } from '../sources.ts';

/** Small languages that people type, and that stand in addresses, names and paths. */

const PEER = '12D3KooWAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const HASH = '0'.repeat(64);

const verdict = (isTaken: boolean): Verdict => (isTaken ? 'taken' : 'refused');

function readFrames(text: string): Verdict {
  try {
    const ranges = parseFrames(text);
    const again = parseFrames(formatFrames(ranges));
    demand(formatFrames(again) === formatFrames(ranges), 'Frames are written otherwise than they are read.');
    let before = Number.NEGATIVE_INFINITY;
    let seen = 0;
    for (const frame of eachFrame(ranges)) {
      demand(frame > before, 'Frames do not ascend.');
      before = frame;
      if (++seen === 100) break;
    }
    return 'taken';
  } catch (error) {
    if (error instanceof CuadroError && error.code === 'frames-invalid') return 'refused';
    throw error;
  }
}

function readHours(text: string): Verdict {
  const hours = parseHours(text);
  if (hours === undefined) return 'refused';
  for (const { start, end } of hours.spans) {
    demand(start >= 0 && start < 10_080 && end > 0 && end <= 10_080, 'A span leaves the week.');
  }
  isWithinHours(hours, 600);
  demand(typeof formatHours(hours) === 'string', 'Hours have no words.');
  return 'taken';
}

function readAddresses(): (text: string) => Verdict {
  const book = new AddressBook();
  return (text) => {
    const typed = lobbyAddress(text);
    const place = parseAddress(typed ?? text);
    const plain = plainAddress(text);
    demand(typeof typedAddress(text) === 'string', 'An address can not be shown.');
    if (plain !== undefined) demand(plainAddress(plain) === plain, 'A plain address is not plain.');
    book.add(PEER, [text]);
    demand(book.of(PEER).length <= 16, 'More addresses are kept than are bounded.');
    if (place === undefined) return 'refused';
    demand(place.port >= 1 && place.port <= 65_535, 'A port is none.');
    return 'taken';
  };
}

function readPath(text: string): Verdict {
  const path = parsePath(text);
  demand(!path.parts.some((part) => part === '' || part === '.' || part === '..'), 'A path is not resolved.');
  demand(isWithin(path, parentOf(path)), 'A path is not within its own folder.');
  demand(keyOf(path).length >= 1, 'A path has no key.');
  const why = unsafeTreePath(text);
  if (why === undefined) {
    demand(!/(^|\/)\.\.?(\/|$)|^\/|\\|\0/.test(text), 'A path that leaves its folder counts as safe.');
    demand(isInside(text), 'A path is safe in a tree, and not in an output folder.');
  }
  return verdict(why === undefined);
}

function readName(text: string): Verdict {
  const hash = blobOfPart(text);
  demand(hash === undefined || isBlobHash(hash), 'A part is of no blob.');
  const place = placeOf(text);
  demand(place.slot === undefined || (place.slot >= 0 && place.slot < 256), 'A task has no slot.');
  const attempt = parseAttemptKey(text);
  if (attempt !== undefined)
    demand(parseAttemptKey(attemptKey(attempt)) !== undefined, 'An attempt has no key.');
  isErrorCode(text);
  sameWords(text, 'amber piano river');
  return verdict(hash !== undefined || attempt !== undefined || place.slot !== undefined);
}

function readRange(text: string): Verdict {
  let taken = false;
  for (const size of [0, 1, 36, 2 ** 40]) {
    const range = parseRange(text, size);
    if (range === undefined || range === 'unsatisfiable') continue;
    demand(0 <= range.start && range.start <= range.end && range.end < size, 'A range leaves the file.');
    taken = true;
  }
  return verdict(taken);
}

function readSetting(text: string): Verdict {
  try {
    const [name, value] = parseSetting(text);
    demand(name !== '' && value !== undefined, 'A setting has no name or no value.');
    return 'taken';
  } catch (error) {
    if (error instanceof UsageError) return 'refused';
    throw error;
  }
}

const attempt = `12.3.${PEER}`;

export const textDecoders: readonly Decoder[] = [
  decoder<string>({
    name: 'frame-list',
    covers: ['protocol/src/frames.ts parseFrames'],
    sources: ['protocol/src/frames.ts'],
    input: textsOf(
      '1-10',
      '1-10:2',
      '-5-5',
      '1,3,7-9',
      ' 1 - 3 : 2 , 8',
      '-3',
      '1-10485:7,2-10485:3',
      '1-900,5-6:3',
    ),
    open: () => ({ read: readFrames }),
  }),
  decoder<string>({
    name: 'working-hours',
    covers: ['protocol/src/hours.ts parseHours', 'protocol/src/hours.ts isWithinHours'],
    sources: ['protocol/src/hours.ts'],
    input: textsOf('Mon-Fri 19:00-07:00, Sat Sun', '9-17', 'Sun-Mon 0-24', 'sat–sun', 'Tue 23:59-00:01'),
    open: () => ({ read: readHours }),
  }),
  decoder<string>({
    name: 'addresses',
    covers: ['node/src/mesh/addresses.ts parseAddress', 'node/src/mesh/addresses.ts isLoopback'],
    sources: [
      {
        file: 'node/src/mesh/addresses.ts',
        functions: ['parseAddress', 'plainAddress', 'add', '#keep', 'of'],
      },
      { file: 'protocol/src/lobby.ts', functions: ['lobbyAddress', 'isIpv4', 'typedAddress'] },
    ],
    input: textsOf(
      '192.168.1.5',
      '192.168.1.5:7790',
      '[fe80::1]:7790',
      'fe80::1',
      'studio.local:80',
      '/ip4/127.0.0.1/tcp/7791',
      `/ip6/::1/tcp/1/p2p/${PEER}`,
      '/dns4/a.b/tcp/65535',
    ),
    open: () => ({ read: readAddresses() }),
  }),
  decoder<string>({
    name: 'paths',
    covers: [
      'node/src/render/scene/paths.ts parsePath',
      'node/src/render/scene/paths.ts isWithin',
      'node/src/render/blender/results.ts isInside',
    ],
    sources: ['node/src/render/scene/paths.ts'],
    input: textsOf(
      'textures/wood.png',
      '/home/a/b.blend',
      'C:\\a\\b.blend',
      '\\\\server\\share\\x',
      'a/b/c.d',
      'film.mp4',
    ),
    open: () => ({ read: readPath }),
  }),
  decoder<string>({
    name: 'names',
    covers: [
      'protocol/src/ids.ts parseAttemptKey',
      'node/src/blobs/layout.ts isBlobHash',
      'protocol/src/errors.ts isErrorCode',
    ],
    sources: [
      { file: 'protocol/src/ids.ts', functions: ['parseAttemptKey', 'attemptKey'] },
      { file: 'protocol/src/sync.ts', functions: ['placeOf'] },
      { file: 'protocol/src/words.ts', functions: ['sameWords'] },
      { file: 'protocol/src/errors.ts', functions: ['isErrorCode'] },
      { file: 'node/src/blobs/layout.ts', functions: ['isBlobHash', 'blobOfPart'] },
    ],
    input: textsOf(
      attempt,
      `${HASH}.part`,
      HASH,
      'task/bbbbbbbbbbbbbbbb/0000000300',
      'job/bbbbbbbbbbbbbbbb',
      'Amber, piano-river',
      'no-node',
    ),
    open: () => ({ read: readName }),
  }),
  decoder<string>({
    name: 'byte-range',
    covers: ['node/src/api/blob-reply.ts parseRange'],
    sources: [{ file: 'node/src/api/blob-reply.ts', functions: ['parseRange'] }],
    input: textsOf('bytes=0-9', 'bytes=5-', 'bytes=-7', 'bytes=0-0', 'bytes=35-99999'),
    open: () => ({ read: readRange }),
  }),
  decoder<string>({
    name: 'setting',
    covers: ['node/src/cli/commands/submit.ts parseSetting', 'node/src/cli/commands/submit.ts'],
    sources: [{ file: 'node/src/cli/commands/submit.ts', functions: ['parseSetting'] }],
    input: textsOf(
      'frames=1-10',
      'samples=64',
      'film=false',
      'tags=["gpu"]',
      'name=a=b',
      'rate={"numerator":24}',
    ),
    open: () => ({ read: readSetting }),
  }),
];
