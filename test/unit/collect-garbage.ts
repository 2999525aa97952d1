import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What collects all garbage when it is called, in a process that was not started with `--expose-gc`. */
export function garbageCollector(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as NodeJS.GCFunction;
}
