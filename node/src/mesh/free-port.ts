import type { Logger } from '../system/interface.ts';

/**
 * Starts what listens at a port, or at any free one where somebody has it already: announcements carry the port, so
 * others find the way all the same, and only who types an address has to look at the door's page.
 */
export async function atFreePort<T>(
  components: { logger: Logger },
  place: { what: string; port: number },
  start: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await start(place.port);
  } catch (error) {
    if (place.port === 0 || !isTaken(error)) throw error;
    const { what, port } = place;
    components.logger.warn(`The port ${port} for ${what} is taken; a free one is used instead.`);
    return start(0);
  }
}

/** libp2p gives the system's error as text only. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && /\bEADDRINUSE\b/.test(error.message);
}
