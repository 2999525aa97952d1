import { encode, type SwarmReport, swarmReportSchema } from '@cuadro/protocol';
import type { MeshStream } from '../../../node/src/mesh/interface.ts';
import { Watch } from '../../../node/src/swarm/watch.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { decoder, demand, type Decoder, type Reader } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { bytesLike } from '../sources.ts';
import { validOf } from '../valid.ts';
import { SIGNERS } from './signed-records.ts';
import { chunksOf, framesOf } from './streams.ts';

/** Whoever looks at what travels, with whatever another machine tells: nothing but a report is kept, and nothing is left. */

const [SELF, PEER] = SIGNERS.map(({ peer }) => peer) as [string, string];
const OWN: SwarmReport = {
  kind: 'report',
  fetching: [],
  from: [],
  copies: { results: 0, jobs: 0, logs: 0, asked: 0 },
  shunned: [],
  full: false,
};
const own = { report: OWN, bytes: encode(OWN) };
/** What a reader waits after each report, in milliseconds. */
const STEP_MS = 500;

const report = (dice: Dice): Uint8Array =>
  dice.once(8) ? hostileBytes(dice) : encode(validOf(swarmReportSchema)(dice));
const noBody = (dice: Dice): Uint8Array => (dice.once(30) ? dice.bytes(5) : new Uint8Array(0));

function heardReader(): Reader<Uint8Array> {
  return {
    read: async (bytes) => {
      const clock = new ManualClock();
      let [isOver, isTaken, opened] = [false, false, 0];
      const stream: MeshStream = {
        peer: PEER,
        write: async () => demand(false, 'Something is said.'),
        end: async () => undefined,
        abort: () => void (isOver = true),
        chunks: chunksOf(bytes),
      };
      const watch = new Watch({
        mesh: {
          self: SELF,
          reachable: () => [SELF, PEER],
          open: async () => {
            opened += 1;
            if (opened > 1) throw new Error('It is asked once.');
            return stream;
          },
          refuse: (_reason, peer) => demand(peer === PEER, 'The sender is not named.'),
        },
        clock,
        own: () => own,
        onChange: () => undefined,
      });
      void watch.want();
      while (!isOver) {
        await nextTurn();
        const told = watch.reports.get(PEER);
        if (told !== undefined) {
          isTaken = true;
          demand(swarmReportSchema.safeParse(told).success, 'What is kept is no report.');
        }
        await clock.advanceSettled(STEP_MS);
      }
      await nextTurn();
      demand(!watch.reports.has(PEER), 'What one told who tells nothing more is kept.');
      await watch.stop();
      await clock.advanceSettled(STEP_MS);
      demand(clock.pendingTimers === 0, 'A timer is left behind.');
      return isTaken ? 'taken' : 'refused';
    },
  };
}

export const swarmDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'swarm-heard',
    covers: ['node/src/swarm/watch.ts'],
    sources: ['node/src/swarm/watch.ts'],
    input: bytesLike(framesOf((dice) => [report(dice), noBody(dice)])),
    open: heardReader,
  }),
];
