import type { DoorView, ExitCode } from '@cuadro/protocol';
import { runDaemon } from '../../daemon.ts';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';

/** Starts the node: the one command that imports the daemon. */
export async function up(
  { dataFolder, output, line }: Context,
  options: { port?: number; offline?: boolean },
): Promise<ExitCode> {
  // A node outlives the terminal that it was started from.
  line.ignoreLostOutput?.();
  const place = createPlaceTeller((text) => {
    if (!output.json) output.print(text);
  });
  return runDaemon({
    dataFolder,
    ...(options.port !== undefined && { port: options.port }),
    ...(options.offline === true && { config: { network: false } }),
    onReady: ({ address, signinAddress: signin, port }) => {
      if (output.json) output.printJsonLine({ address, signinAddress: signin, port, dataFolder });
      else output.print(`Cuadro runs. Dashboard: ${signin}`);
      place.begin();
    },
    onDoor: (door) => place.tell(door),
    onStopping: () => {
      place.end();
      if (!output.json) output.note('Stopping… (Ctrl-C again ends at once)');
    },
  });
}

export interface PlaceTeller {
  /** From now on lines are printed; what came before is said at once. */
  begin(): void;
  tell(door: DoorView): void;
  end(): void;
}

/**
 * Says in the terminal of a node in which farm it is and who joined, or whose door it waits at, with its three words:
 * who has just started it looks there, and need not open the dashboard to see whether the machines found each other.
 */
export function createPlaceTeller(print: (text: string) => void): PlaceTeller {
  let state: 'before' | 'telling' | 'ended' = 'before';
  let latest: string | undefined;
  let told: string | undefined;
  const say = (): void => {
    if (state !== 'telling' || latest === undefined || latest === told) return;
    told = latest;
    print(latest);
  };
  return {
    begin() {
      state = 'telling';
      say();
    },
    tell(door) {
      latest = placeLine(door) ?? latest;
      say();
    },
    end() {
      state = 'ended';
    },
  };
}

/** Undefined while nothing is sure yet, and for a removal, which the log says. */
function placeLine({ state, farm, members, asked, message }: DoorView): string | undefined {
  if (state === 'waiting') {
    const words = asked.find((one) => one.state === 'waiting')?.words;
    return plain(words === undefined ? message : `${message} They are: ${words}`);
  }
  if (state !== 'member' || farm === undefined) return undefined;
  const others = members.filter(({ here }) => !here).map(({ name }) => name);
  if (others.length === 0) return plain(`This machine is the only one of ${farm.name} so far.`);
  const named = others.slice(0, namesShown).join(', ');
  const more = others.length > namesShown ? ` and ${others.length - namesShown} more` : '';
  return plain(`This machine is in ${farm.name} with ${named}${more}.`);
}

/** As many names as a line of a terminal holds. */
const namesShown = 6;
