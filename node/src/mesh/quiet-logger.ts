import type { ComponentLogger, Logger } from '@libp2p/interface';

const nothing = (): void => undefined;

/** libp2p says several lines per frame, for whoever debugs libp2p; formatting and scoping them costs memory and time. */
const quiet: Logger = Object.assign(nothing, {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: () => quiet,
});

export const quietLogger: ComponentLogger = { forComponent: () => quiet };
