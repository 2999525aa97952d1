/** Puts one file and says so with a plain write, for the system-call trace. */
import { writeSync } from 'node:fs';
import { newStore } from './helpers.ts';

const [folder = '', source = '', mode = 'copy'] = process.argv.slice(2);
const store = newStore(folder);
await store.start();
writeSync(1, 'BEGIN');
const { hash } = await store.putFile(source, { mode: mode === 'move' ? 'move' : 'copy', pin: 'job' });
writeSync(1, `ACKNOWLEDGED ${hash}`);
await store.stop();
