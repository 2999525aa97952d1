/**
 * What reads and is not fuzzed by itself, each with its reason. `listed.test.ts` holds it, and what the decoders say
 * that they cover, against the sources: a new decoder has to be put on one of the two lists.
 */
export const NOT_FUZZED: Readonly<Record<string, string>> = {
  'node/src/mesh/interfaces.ts readInterfaces': "reads the system's own list of network interfaces",
  'node/src/render/film/frames.ts readFrames':
    'asks libvips for the size of pictures that were verified before',
  'node/src/api/server.ts':
    'hands bodies to the schemas of the route table, which the decoder http reaches over a connection',
  'node/src/blobs/tree.ts':
    'compares a marker of its own with what stands there; anything else has the tree built anew',
  'node/src/blobs/intake.ts': 'hashes what comes and stores it, whatever it is',
  'node/src/blobs/memory.ts': 'the twin of the store of files, for tests',
  'node/src/blobs/reader.ts':
    'compares files with their hashes; their lists of pieces are read by piece-list',
  'node/src/cli/text.ts': 'puts texts of its own into lines',
  'node/src/core/packer.ts': 'unpacks what the same process packed from records that were read before',
  'node/src/cli/client.ts': "reads what the user's own node answers, whose token it has sent",
  'node/src/cli/commands/machine.ts':
    'reads what a person types as the value of a setting, by the schema of the configuration',
  'node/src/cli/program.ts': "reads the program's own package.json",
  'node/src/jobs/pins.ts': 'asks whether the owner of a pin is a job; pin-journal reads those',
  'node/src/render/blender/confinement.ts': "tells the first line of what a tool says why it can't run",
  'node/src/render/blender/failures.ts': 'shows lines of what blender-output reads, cut to a length',
  'node/src/render/blender/memory.ts': "reads the system's own counts",
  'node/src/render/command/descendants.ts': "looks for a mark of this node in other processes' environments",
  'node/src/render/preview/shrink.ts':
    'has libvips and ffmpeg decode what the checks of pictures let through',
  'node/src/render/verify/decode.ts': 'has libvips and ffmpeg decode what the checks of pictures let through',
  'node/src/system/file-calls.ts': 'passes calls on',
  'node/src/system/memory.ts': "reads the system's own counts",
  'node/src/system/random.ts': 'reads bytes that it has drawn',
  'protocol/src/quick-encode.ts': 'writes, and reads nothing',
  'node/src/daemon.ts': "reads the program's own package.json",
  'node/src/render/verify/check.ts':
    'puts together the checks that png, exr and other-pictures fuzz, and libvips and ffmpeg',
  'node/src/store/level-store.ts':
    'small values that this node wrote for itself; records are read by stored-record',
  'node/src/store/memory-store.ts': 'the twin of the store, for tests',
  'protocol/src/signing.ts': 'a part of record-door',
};
