import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, type Context, createContext } from './context.ts';
import { COMMANDS, type CommandName, helpText } from './help.ts';
import type { CommandLine } from './output.ts';
import type { SubmitOptions } from './commands/submit.ts';
import type { ExitCode } from '@cuadro/protocol';

/**
 * The commands with their options. What a command does stands in `commands/`, imported only when it is run.
 */

type Run = (context: Context, operands: unknown[], options: never) => Promise<ExitCode>;

/** `onExit` is given the exit code of the command that ran. */
export function createProgram(line: CommandLine, onExit: (code: ExitCode) => void): Command {
  const program = new Command('cuadro')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void line.stdout.write(text),
      writeErr: (text) => void line.stderr.write(text),
      // Errors are thrown, and said in one place.
      outputError: () => undefined,
    })
    .version(version(), '-V, --version')
    .helpOption('-h, --help', 'Help on the command');
  program.helpInformation = helpText;
  const add = (name: CommandName, run: Run): Command => addCommand(program, line, name, run, onExit);
  addJobCommands(add);
  addChangeCommands(add);
  addMachineCommands(add);
  return program;
}

function addCommand(
  program: Command,
  line: CommandLine,
  name: CommandName,
  run: Run,
  onExit: (code: ExitCode) => void,
): Command {
  const entry = COMMANDS.find((command) => command.name === name) as (typeof COMMANDS)[number];
  return program
    .command(`${entry.name} ${entry.usage}`.trimEnd())
    .description(entry.summary)
    .option('--json', 'Print JSON (errors too), for scripts')
    .option('--data <folder>', "The node's data folder")
    .action(async (...received: unknown[]) => {
      // Commander gives the operands, then the options, then the command.
      const operands = received.slice(0, -2);
      const options = received.at(-2) as CommonOptions;
      onExit(await run(createContext(line, options), operands, options as never));
    });
}

type Add = (name: CommandName, run: Run) => Command;

function addJobCommands(add: Add): void {
  const submitCommand = add('submit', async (context, [first, rest], options: SubmitOptions) => {
    const { submit } = await import('./commands/submit.ts');
    return submit(context, operandsOf(first, rest), options);
  })
    .option('--type <type>', 'Job type: blender-animation, command, echo-sleep', 'blender-animation')
    .option('--name <name>', "The job's name")
    .option('--output <folder>', 'Folder for the files (default: one of its own for each job)')
    .option('--overwrite', "Replace files in it that are not this job's")
    .option('--priority <number>', '0 to 100; higher runs first (default: 50)', priorityNumber)
    .option('--paused', 'Submit without starting')
    .addOption(
      new Option('--after <job>', 'Start when this job is done; may be repeated')
        .argParser((text: string, before: string[]) => [...before, ...text.split(',')])
        .default([], 'none'),
    )
    .option('--machines <number>', 'Machines at the same time, at most', wholeNumber)
    .option('--tags <list>', 'Only on machines that have all of these tags, such as gpu,big', tagList)
    .option('--notes <text>', 'Notes on the job')
    .option('--watch', 'Follow it to the end; exit code 5 if it fails')
    .addHelpText('after', submitExamples);
  addSceneOptions(submitCommand);
  const preflightCommand = add('preflight', async (context, [file], options: SubmitOptions) => {
    const { preflight } = await import('./commands/submit.ts');
    return preflight(context, String(file), { ...options, type: 'blender-animation', after: [] });
  });
  addSceneOptions(preflightCommand);
  add('jobs', async (context) => (await import('./commands/jobs.ts')).jobs(context));
  add('show', async (context, [job, task], options: { tasks?: boolean }) =>
    (await import('./commands/jobs.ts')).show(context, String(job), optional(task), options),
  ).option('--tasks', 'List its tasks: what became of each, how long it took and where');
  add('watch', async (context, [job]) => (await import('./commands/watch.ts')).watch(context, optional(job)));
  add('logs', async (context, [job, task], options: { attempt?: string }) =>
    (await import('./commands/jobs.ts')).logs(context, String(job), optional(task), options),
  ).option('--attempt <id>', 'One attempt of it, where it is not the latest');
  add('fetch', async (context, [job], options: { to: string; overwrite?: boolean }) =>
    (await import('./commands/fetch.ts')).fetchJob(context, String(job), options),
  )
    .requiredOption('--to <folder>', 'The folder to write them to; it has to be given')
    .option('--overwrite', "Replace files in it that are not this job's")
    .addHelpText('after', fetchNotes);
}

const fetchNotes = `
On any machine of the farm. What stands there already is left as it is, so the same again goes on where it was
interrupted, or brings what was finished since. Exit code 7 where files can't be had now.
`;

function addSceneOptions(command: Command): void {
  command
    .option('--frames <list>', "Frames such as 1-250, 1-10:2 or 1,3,7-9 (default: the scene's)")
    .option('--samples <number>', "Samples, where they aren't the scene's", wholeNumber)
    .option('--percent <number>', 'Scale of the resolution in per cent', wholeNumber)
    .option('--camera <name>', "A camera, where it isn't the scene's own")
    .option('--scene <name>', "A scene of the file, where it isn't the active one")
    .option('--format <format>', 'Image format, such as PNG, OPEN_EXR, JPEG', upperCase)
    .option('--allow-scripts', "Run the scene's own Python, where a machine's owner allows it")
    .option('--no-denoise', 'Switch denoising off')
    .option('--no-film', 'Make no film of the frames')
    .option('--coarse-to-fine', 'First, last, middle…, so that the film can be judged early')
    .addOption(
      new Option('--set <key=value>', 'Any setting of the job type; may be repeated')
        .argParser((text: string, before: string[]) => [...before, text])
        .default([], 'none'),
    );
}

const submitExamples = `
Examples:
  cuadro submit shot.blend --frames 1-250 --watch
  cuadro submit --type command --frames 1-3 -- convert in.png out-{frame}.jpg
`;

function addChangeCommands(add: Add): void {
  const here = '--here';
  const change = () => import('./commands/change.ts');
  add('pause', async (context, [jobs], options: MachineOptions) =>
    (await change()).setDesired(context, jobs as string[], 'paused', options),
  )
    .option(here, 'This machine instead of a job')
    .addOption(machineOption());
  add('resume', async (context, [jobs], options: MachineOptions) =>
    (await change()).setDesired(context, jobs as string[], 'active', options),
  )
    .option(here, 'This machine instead of a job')
    .addOption(machineOption());
  add('cancel', async (context, [jobs]) =>
    (await change()).setDesired(context, jobs as string[], 'canceled'),
  );
  add('priority', async (context, [job, number]) =>
    (await change()).setPriority(context, String(job), priorityNumber(String(number))),
  );
  add('requeue', async (context, [job, tasks], options: { failed?: boolean; all?: boolean }) =>
    (await change()).requeue(context, String(job), tasks as string[], options),
  )
    .option('--failed', 'The failed tasks (the default)')
    .option('--all', 'All tasks; done ones are discarded')
    .addHelpText(
      'after',
      '\nTasks are written as 7, 3-9 or film. Done ones are discarded and rendered anew.\n',
    );
  add('delete', async (context, [jobs], options: { yes?: boolean }) =>
    (await change()).deleteJobs(context, jobs as string[], options),
  ).option('-y, --yes', 'Ask nothing');
  add('tidy', async (context, _, options: { days?: number; yes?: boolean }) =>
    (await import('./commands/tidy.ts')).tidy(context, options),
  )
    .option('--days <number>', 'Only what was collected so many days ago (default: 0)', wholeNumber)
    .option('-y, --yes', 'Ask nothing, and free it')
    .addHelpText('after', tidyNotes);
}

const tidyNotes = `
Jobs that were submitted here, are done, and whose files all stand in their output folder: each file is read there
first. Such a job is deleted from the whole farm; its collected files stay. By itself a node does that after the days
set by \`cuadro config set keepDays DAYS\` (0: never).
`;

interface MachineOptions {
  here?: boolean;
  machine?: string[];
}

const machineOption = (): Option =>
  new Option('--machine <name>', 'A machine of the farm instead of a job; may be repeated')
    .argParser((text: string, before: string[]) => [...before, text])
    .default([], 'none');

function addMachineCommands(add: Add): void {
  const machine = () => import('./commands/machine.ts');
  add('up', async (context, _, options: { port?: number; offline?: boolean }) =>
    (await import('./commands/up.ts')).up(context, options),
  )
    .option('--port <number>', 'Port of the dashboard; 0 takes a free one', portNumber)
    .option('--offline', 'Neither look for other machines nor be found by them');
  add('down', async (context) => (await machine()).down(context));
  const nodes = () => import('./commands/nodes.ts');
  add('nodes', async (context, [machine], options: { history?: boolean }) =>
    (await nodes()).nodes(context, optional(machine), options),
  ).option('--history', 'Who coordinated, why it changed, and for how long nobody led');
  add('night', async (context, _, options: { hours?: number; since?: string }) =>
    (await import('./commands/night.ts')).night(context, options),
  )
    .option('--hours <number>', 'The last hours (12 by default)', hoursNumber)
    .option('--since <time>', 'Since the last time that a clock showed this, such as 22:00')
    .addHelpText('after', '\nThe same on every machine of the farm, whichever slept.\n');
  add('swarm', async (context) => (await import('./commands/swarm.ts')).swarm(context));
  add('drain', async (context, [machines], options: { here?: boolean }) =>
    (await nodes()).drain(context, machines as string[], options),
  ).option('--here', 'This machine');
  add('tag', async (context, [name, tags]) => (await nodes()).tag(context, String(name), tags as string[]));
  add('hours', async (context, [name, words]) =>
    (await nodes()).hours(context, String(name), words as string[]),
  ).addHelpText('after', hoursExamples);
  add('slots', async (context, [name, number]) =>
    (await nodes()).slots(context, String(name), wholeNumber(String(number))),
  ).addHelpText('after', '\nNever more than its owner set (slots in cuadro config); 0 for none.\n');
  const doorCommand = add('door', async (context, [action, names], options: DoorOptions) =>
    (await import('./commands/door.ts')).door(context, optional(action), names as string[], options),
  );
  doorCommand
    .option('-y, --yes', 'Ask nothing before a removal')
    .option('--reason <text>', 'Why a machine is removed; it is shown to it')
    .option('--lose', 'Remove it at once, and lose what only it holds')
    .addHelpText('after', doorActions);
  add('join', async (context, [address]) =>
    (await import('./commands/door.ts')).join(context, String(address)),
  ).addHelpText('after', '\nAddresses such as 192.168.1.5 or 192.168.1.5:7790; `cuadro door` shows them.\n');
  add('leave', async (context, _, options: { yes?: boolean; lose?: boolean }) =>
    (await import('./commands/leave.ts')).leave(context, options),
  )
    .option('-y, --yes', 'Ask nothing')
    .option('--lose', 'Leave at once, and lose what only this machine holds')
    .addHelpText('after', leaveNotes);
  add('config', async (context, [action, key, values]) =>
    (await machine()).config(context, optional(action), optional(key), values as string[]),
  ).addHelpText(
    'after',
    '\n  cuadro config [list]\n  cuadro config get KEY\n  cuadro config set KEY VALUE [VALUE…]\n',
  );
  add('doctor', async (context, _, options: { store?: boolean }) =>
    (await import('./commands/doctor.ts')).doctor(context, options),
  )
    .option('--store', 'Read all that this machine keeps, and compare it with what its records promise')
    .addHelpText(
      'after',
      '\nA check of the store wants the node stopped (`cuadro down`); exit code 7 if anything is amiss.\n',
    );
  add('dashboard', async (context, _, options: { print?: boolean }) =>
    (await machine()).dashboard(context, options),
  ).option('--print', 'Only print the address');
}

interface DoorOptions {
  yes?: boolean;
  reason?: string;
  lose?: boolean;
}

const hoursExamples = `
Days and times by the machine's own clock, parts with commas between:
  cuadro hours here Mon-Fri 19:00-07:00, Sat-Sun
  cuadro hours attic 20:00-08:00
  cuadro hours attic always
  cuadro hours attic                 tells them
`;

const leaveNotes = `
What only this machine holds goes to other machines first; Ctrl-C lets it stay. What it renders now is rendered
elsewhere: \`cuadro drain --here\` lets it end that before. Leaving is final for its key: to come back, start its
node with a new data folder.
`;

const doorActions = `
  cuadro door                     who is in, who wants in, what else is around
  cuadro door open [10m]          let newcomers of the local network in by themselves for a while (15 min)
  cuadro door close               newcomers wait until a member admits them
  cuadro door admit [WORDS]       admit a newcomer, by its three words, its name or its key
  cuadro door refuse [WORDS]      send a newcomer away
  cuadro door remove MACHINE      remove a machine for good, once what only it holds is elsewhere
  cuadro door merge [FARM]        merge this farm with another that was found
  cuadro door found               found a farm of this machine's own instead of waiting at a door
`;

function operandsOf(first: unknown, rest: unknown): string[] {
  return typeof first === 'string' ? [first, ...(rest as string[])] : [];
}

function optional(operand: unknown): string | undefined {
  return typeof operand === 'string' ? operand : undefined;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`"${text}" is no whole number.`);
  return Number(text);
}

function hoursNumber(text: string): number {
  const hours = Number(text);
  if (!(hours >= 0.1 && hours <= 96)) throw new InvalidArgumentError('Hours are 0.1 to 96.');
  return hours;
}

/** Blender's names of formats are all in capitals. */
const upperCase = (text: string): string => text.toUpperCase();

function tagList(text: string): string[] {
  const tags = text.split(',').map((tag) => tag.trim());
  if (tags.includes(''))
    throw new InvalidArgumentError(`"${text}" is no list of tags; write it like gpu,big.`);
  return tags;
}

function priorityNumber(text: string): number {
  const priority = wholeNumber(text);
  if (priority > 100) throw new InvalidArgumentError('A priority is 100 at most; higher runs first.');
  return priority;
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError('A port is at most 65535.');
  return port;
}

export function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
