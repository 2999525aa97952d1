import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { GroupCommand } from './group.ts';

const SETPRIV = '/usr/bin/setpriv';
const SHELL = '/bin/sh';
/** The program begins only while its parent is still the node that wanted it ($0 is that node's id). */
const BEGIN_WHILE_PARENT_LIVES = 'test "$PPID" = "$0" && exec "$@"';

/**
 * A command that ends with this node, however early the node is killed: Linux sends SIGKILL when the parent dies.
 * Bubblewrap asks for the same, but a node killed before that, while the process is only just made, would leave it
 * running until it notices by itself. Where the system has no such means, or the program can't be found (which its
 * own start tells better), the command stays as it is.
 */
export function dieWithNode(command: GroupCommand, pid: number = process.pid): GroupCommand {
  if (process.platform !== 'linux' || !isAbsolute(command.file)) return command;
  if (![SETPRIV, SHELL, command.file].every(isProgram)) return command;
  return {
    ...command,
    file: SETPRIV,
    arguments: [
      ...['--pdeathsig', 'KILL', SHELL, '-c', BEGIN_WHILE_PARENT_LIVES, String(pid)],
      ...[command.file, ...command.arguments],
    ],
  };
}

/** Whether the file may be run as it is. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
