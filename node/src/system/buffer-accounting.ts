import { setFlagsFromString } from 'node:v8';

const FLAG = 'external-memory-accounted-in-global-limit';

/**
 * How V8 decides that buffers outside its heap are worth a collection of everything. By itself it does so each time 64 MB
 * of them were allocated: while files come in, after every 10 MB of files, for a third of the processor time. When they
 * count together with the heap it does so after hundreds of MB, and most buffers go with the collections of what is young.
 * A node at rest is 7 MB larger that way, so this is for while bytes move. The switch is one of V8 13; others are left
 * as they are.
 */
export function countBuffersWithHeap(isOn: boolean): void {
  if (process.versions.v8.startsWith('13.')) setFlagsFromString(isOn ? `--${FLAG}` : `--no-${FLAG}`);
}
