/**
 * The command table and the text of `cuadro --help`. It imports nothing: the first help must stand on the screen
 * within 100 ms of the process's start, which is most of what Node itself takes.
 */

export interface CommandEntry {
  name: string;
  /** As commander reads it, and as people do. */
  usage: string;
  summary: string;
}

export const COMMANDS = [
  { name: 'up', usage: '', summary: 'Start the node on this machine' },
  { name: 'down', usage: '', summary: 'End the node of this machine in order' },
  {
    name: 'submit',
    usage: '[file-or-program] [args...]',
    summary: 'Submit a .blend, or a job of another type',
  },
  {
    name: 'preflight',
    usage: '<file>',
    summary: 'Say what would go wrong with a .blend, and submit nothing',
  },
  { name: 'jobs', usage: '', summary: 'List the jobs in the order in which they run' },
  { name: 'show', usage: '<job> [task]', summary: 'Show one job or task, and why it is as it is' },
  { name: 'watch', usage: '[job]', summary: 'Follow a job, or all that have not ended, to the end' },
  { name: 'logs', usage: '<job> [task]', summary: 'Print the logs of tasks (failed ones first)' },
  { name: 'fetch', usage: '<job>', summary: "Write a job's finished files to a folder" },
  { name: 'pause', usage: '[job...]', summary: 'Pause jobs, or machines with --here, --machine' },
  { name: 'resume', usage: '[job...]', summary: 'Go on with jobs, or machines with --here, --machine' },
  { name: 'cancel', usage: '<job...>', summary: 'End jobs without rendering the rest' },
  {
    name: 'priority',
    usage: '<job> <number>',
    summary: 'Set the priority of a job, 0 to 100; higher runs first',
  },
  { name: 'requeue', usage: '<job> [tasks...]', summary: 'Render tasks again' },
  { name: 'delete', usage: '<job...>', summary: 'Delete jobs; collected files stay' },
  {
    name: 'tidy',
    usage: '',
    summary: 'Show what done and collected jobs keep in the stores, and free it',
  },
  {
    name: 'nodes',
    usage: '[machine]',
    summary: 'List the machines, or show one: what it can do and does',
  },
  {
    name: 'night',
    usage: '',
    summary: 'Say what happened since the evening, and what needs you',
  },
  {
    name: 'swarm',
    usage: '',
    summary: 'Say how scenes and frames travel, what is missing and why, what waits for a copy',
  },
  {
    name: 'drain',
    usage: '[machine...]',
    summary: 'Let machines end what they run, and take nothing new',
  },
  {
    name: 'tag',
    usage: '<machine> [tags...]',
    summary: 'Set the tags of a machine, for submit --tags; none: no tags',
  },
  {
    name: 'hours',
    usage: '<machine> [hours...]',
    summary: 'Show or set the hours in which a machine works',
  },
  {
    name: 'slots',
    usage: '<machine> <number>',
    summary: 'Set how many tasks a machine runs at a time, at most',
  },
  {
    name: 'door',
    usage: '[action] [name...]',
    summary: 'Show who is in the farm and who wants in; admit, remove, open, close',
  },
  { name: 'join', usage: '<address>', summary: 'Join the farm of the machine at an address' },
  {
    name: 'leave',
    usage: '',
    summary: 'Let this machine leave the farm, once what only it holds is elsewhere',
  },
  {
    name: 'config',
    usage: '[action] [key] [values...]',
    summary: 'Read and change the settings of this machine',
  },
  {
    name: 'doctor',
    usage: '',
    summary: 'Say what this machine lacks for rendering; --store: whether its data is whole',
  },
  { name: 'dashboard', usage: '', summary: 'Open the dashboard in a browser, signed in' },
] as const satisfies CommandEntry[];

export type CommandName = (typeof COMMANDS)[number]['name'];

/** Meaning of the exit codes (EXIT of the protocol's error catalogue). */
export const EXIT_MEANINGS: readonly [code: number, meaning: string][] = [
  [0, 'it worked'],
  [1, 'a failure that no other code names'],
  [2, 'the command line is wrong: an unknown option, a bad frame list'],
  [3, 'what was named is not there: a file, a job, a task, a machine, a newcomer'],
  [4, 'what was given is refused: a broken .blend, no camera, a door that stays shut'],
  [5, 'the job ended, and not well: failed or canceled'],
  [6, 'no node answers, on this machine or at the address to join'],
  [7, 'the machine is in the way: no Blender, a full disk, a taken port'],
  [130, 'ended by Ctrl-C'],
];

export function helpText(): string {
  const usages = COMMANDS.map(({ name, usage }) => `${name} ${usage}`.trimEnd());
  const width = Math.max(...usages.map((usage) => usage.length)) + 2;
  const commands = COMMANDS.map(({ summary }, i) => `  ${(usages[i] as string).padEnd(width)}${summary}`);
  const codes = EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(5)}${meaning}`);
  return `Cuadro: a render farm with no server.

Usage: cuadro COMMAND [options]

Commands:
${commands.join('\n')}

Options of every command:
  --json         Print JSON (errors too), for scripts
  --data FOLDER  The node's data folder (or the variable CUADRO_DATA)
  -h, --help     Help on a command: cuadro submit --help
  -V, --version  The version

A job is named by its id, a beginning of it, its number (12 or #12), or its name.
A machine is named by its name, its key or a beginning of it, or as "here".

Exit codes:
${codes.join('\n')}
`;
}
