/** Names this run of the program, as no other process has it, before or after. */
export const ownRun = (): string => `${process.pid}.${performance.timeOrigin}`;
