/**
 * Loaded first into every node and command on a host whose clock is wrong (`clocks.ts`): what the process starts goes
 * without the library, except itself, when it starts again under the same id.
 */
const library = process.env['LD_PRELOAD'];
const execve = process.execve?.bind(process);
delete process.env['LD_PRELOAD'];
if (execve !== undefined)
  process.execve = (file, args, env) => execve(file, args, { ...env, LD_PRELOAD: library });
