import type { ExitCode } from '@cuadro/protocol';
import { runDaemon } from '../../daemon.ts';
import type { Context } from '../context.ts';

/** Starts the node: the one command that imports the daemon. */
export async function up(
  { dataFolder, output, line }: Context,
  options: { port?: number; offline?: boolean },
): Promise<ExitCode> {
  // A node outlives the terminal that it was started from.
  line.ignoreLostOutput?.();
  return runDaemon({
    dataFolder,
    ...(options.port !== undefined && { port: options.port }),
    ...(options.offline === true && { config: { network: false } }),
    onReady: ({ address, signinAddress: signin, port }) => {
      if (output.json) output.printJsonLine({ address, signinAddress: signin, port, dataFolder });
      else output.print(`Cuadro runs. Dashboard: ${signin}`);
    },
    onStopping: () => {
      if (!output.json) output.note('Stopping… (Ctrl-C again ends at once)');
    },
  });
}
