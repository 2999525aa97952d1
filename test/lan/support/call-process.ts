/**
 * Passes calls to the node of a host on, since its API listens on the host's own loopback only: lines of JSON in,
 * lines of JSON out. Run by `lan-client.ts`; one process for all calls of a test, as a command each would keep the
 * machine busier than the farm does.
 */
import { createInterface } from 'node:readline';
import type { RouteName } from '@cuadro/protocol';
import { type CallOptions, connectNode } from '../../../node/src/cli/client.ts';
import type { Answer, Question } from './lan-client.ts';

const dataFolder = process.argv[2] ?? '';
const tell = (answer: Answer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, name, options, isText } = JSON.parse(line) as Question;
  // A node that was started again has another port and token, so it is looked up for each call.
  const answer = (async () => {
    const client = connectNode(dataFolder);
    const given = options as CallOptions<RouteName>;
    return isText ? client.text<RouteName>(name, given) : client.call<RouteName>(name, given);
  })();
  answer.then(
    (value) => tell({ id, value }),
    (error: unknown) => tell({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});
// The test is gone.
lines.on('close', () => process.exit(0));
