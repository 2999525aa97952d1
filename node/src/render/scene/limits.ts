/** Named bounds of what the tracer may take, each with its reason. */
export const sceneLimits = {
  /** Blender starts in 1–2 s and opens most scenes in under a second; heavy ones from slow disks take minutes. */
  traceTimeoutMs: 5 * 60_000,
  /** Mixing decodes every sound of the range once; a film of hours takes minutes. */
  soundTimeoutMs: 30 * 60_000,
  /** A trace is text: 200,000 files at some hundred bytes each stay below this. */
  resultBytes: 256 * 1024 * 1024,
  /** The last output of Blender that an error carries; its telling line comes at the end. */
  logBytes: 16 * 1024,
  /** A line that the Blender that reads scenes sends: two words and a number. */
  lineBytes: 1024,
  /** After this long without a scene it ends: it holds 90 MB of its own. The same as of render sessions. */
  idleMs: 5 * 60_000,
  /** With no scene in it it has some 240 MB, shared libraries included; one that keeps more than this is replaced. */
  restingBytesMax: 512 * 1024 * 1024,
  /** A killed Blender is gone at once; what still holds its pipes after this is left behind, in milliseconds. */
  killWaitMs: 10_000,
  /** Bytes read to recognise a .blend, enough for the first block of a compressed one. */
  headerBytes: 64 * 1024,
  /** A message that lists more subjects than this says how many more there are. */
  listedSubjects: 5,
} as const;
