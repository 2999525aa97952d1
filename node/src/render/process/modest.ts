import { isAbsolute } from 'node:path';
import { isProgram } from './die-with-node.ts';
import type { GroupCommand } from './group.ts';

const NICE = '/usr/bin/nice';
const SHELL = '/bin/sh';
/** The farm's work must not starve the node, nor the machine's owner: 0 is usual, 19 the most modest. */
const NICENESS = '10';
/** About seconds times ten: as long as it takes the sessions of a large machine to begin one after another. */
const TRIES = '50';

/**
 * Where the kernel groups processes by session (autogroups, sched(7); usual on desktops), a niceness counts only within
 * the session, and a session of its own would weigh as much as everything that its owner does: the group is made
 * modest as well. $0 is the program.
 */
const MODEST_SESSION = [
  '[ ! -e /proc/self/autogroup ] ||',
  // The kernel takes one such word in a tenth of a second, of all sessions together: many that begin at once take turns.
  `for try in $(seq ${TRIES}); do { echo ${NICENESS} >/proc/self/autogroup; } 2>/dev/null && break; sleep 0.1; done;`,
  'exec "$0" "$@"',
].join(' ');

type Program = Pick<GroupCommand, 'file' | 'arguments'>;

/** The program in a session that gives way. To be said of the program itself: a sandbox begins a session of its own. */
export function inModestSession<T extends Program>(command: T): T {
  if (process.platform !== 'linux' || !isAbsolute(command.file)) return command;
  if (![SHELL, command.file].every(isProgram)) return command;
  return {
    ...command,
    file: SHELL,
    arguments: ['-c', MODEST_SESSION, command.file, ...command.arguments],
  };
}

/**
 * The command at the priority of rendering, with all that it starts. A program that can't be found stays as it is: its
 * own start tells that better.
 */
export function modestly(command: GroupCommand): GroupCommand {
  if (!isAbsolute(command.file) || ![NICE, command.file].every(isProgram)) return command;
  return { ...command, file: NICE, arguments: ['-n', NICENESS, command.file, ...command.arguments] };
}
