import { isAbsolute } from 'node:path';
import { isProgram } from './die-with-node.ts';
import type { GroupCommand } from './group.ts';

const NICE = '/usr/bin/nice';
/** The farm's work must not starve the node, nor the machine's owner: 0 is usual, 19 the most modest. */
const NICENESS = '10';

/**
 * The command at the priority of rendering, with all that it starts. A program that can't be found stays as it is: its
 * own start tells that better.
 */
export function modestly(command: GroupCommand): GroupCommand {
  if (!isAbsolute(command.file) || ![NICE, command.file].every(isProgram)) return command;
  return { ...command, file: NICE, arguments: ['-n', NICENESS, command.file, ...command.arguments] };
}
