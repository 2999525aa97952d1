import type { ChangeView, Config, DepartureView, HereView, Signer } from '@cuadro/protocol';
import { saveConfig } from '../system/config.ts';
import type { Clock, Random } from '../system/interface.ts';
import type { LoopDelay } from '../system/metrics.ts';
import type { Machine } from './machine.ts';

/** The answer to "stop" leaves the machine before the server does, in milliseconds. */
const STOP_ANSWER_MS = 100;

export interface HereComponents {
  clock: Clock;
  random: Random;
  signer: Signer;
  loopDelay: LoopDelay;
  machine: Machine;
  /** Copies that this machine has still to give away. */
  copies: { state(): { results: number; jobs: number; logs: number } | undefined };
  /** How far this machine is with leaving its farm. */
  departure: { view(): DepartureView };
}

export interface HereInit {
  version: string;
  dataFolder: string;
  address(): string;
  /** The configuration as it is now, and how it is changed for good. */
  config(): Config;
  setConfig(config: Config): void;
  /** Asks the process to end. */
  end(): void;
}

/** What only this machine's own node knows and can change; the API's `HereActions`. */
export function createHere(components: HereComponents, init: HereInit) {
  const { clock, random, signer, loopDelay, machine, copies, departure } = components;
  const { version, dataFolder } = init;
  const startedAt = clock.wallTime();
  return {
    here: async (): Promise<HereView> => {
      const given = copies.state();
      return {
        peer: signer.peer,
        name: init.config().name,
        version,
        pid: process.pid,
        address: init.address(),
        dataFolder,
        startedAt,
        memoryBytes: process.memoryUsage.rss(),
        loopDelayP99Ms: loopDelay.percentileMs(99),
        ...(given !== undefined && {
          copiesToGive: { results: given.results, jobs: given.jobs, logs: given.logs },
        }),
        ...(await machine.view()),
      };
    },
    config: (): Config => init.config(),
    setConfig: async (change: Partial<Config>): Promise<Config> => {
      init.setConfig(await saveConfig({ random }, dataFolder, change));
      machine.tell();
      return init.config();
    },
    departure: (): DepartureView => departure.view(),
    stop: (): ChangeView => {
      clock.after(STOP_ANSWER_MS, () => init.end());
      return { machines: 1, message: 'The node ends.' };
    },
  };
}
