/**
 * What reads and is not fuzzed by itself, each with its reason. `listed.test.ts` holds it, and what the decoders say
 * that they cover, against the sources: a new decoder has to be put on one of the two lists.
 */
export const NOT_FUZZED: Readonly<Record<string, string>> = {
  'node/src/mesh/interfaces.ts readInterfaces': "reads the system's own list of network interfaces",
  'node/src/render/film/frames.ts readFrames':
    'asks libvips for the size of pictures that were verified before',
  'node/src/render/scene/header.ts readBlendHeader': 'compares the first bytes of a file with two patterns',
  'node/src/api/server.ts':
    'hands bodies to the schemas of the route table, which the decoder http reaches over a connection',
  'node/src/blobs/tree.ts':
    'compares a marker of its own with what stands there; anything else has the tree built anew',
  'node/src/core/packer.ts': 'unpacks what the same process packed from records that were read before',
  'node/src/cli/client.ts': "reads what the user's own node answers, whose token it has sent",
  'node/src/cli/commands/machine.ts':
    'reads what a person types as the value of a setting, by the schema of the configuration',
  'node/src/cli/program.ts': "reads the program's own package.json",
  'node/src/daemon.ts': "reads the program's own package.json",
  'node/src/render/verify/check.ts':
    'puts together the checks that png, exr and other-pictures fuzz, and libvips and ffmpeg',
  'node/src/store/level-store.ts':
    'small values that this node wrote for itself; records are read by stored-record',
  'node/src/store/memory-store.ts': 'the twin of the store, for tests',
  'protocol/src/signing.ts': 'a part of record-door',
};
