import type { MultiaddrConnection } from '@libp2p/interface';
import { parseAddress } from './addresses.ts';

/**
 * How many connections one address may have among those that count here: whoever knocks without an end takes its own
 * places, and nobody else's.
 */
export class Places {
  readonly #perAddress: number;
  readonly #taken = new Map<string, Set<MultiaddrConnection>>();

  constructor(init: { readonly perAddress: number }) {
    this.#perAddress = init.perAddress;
  }

  /** Whether there is a place for it; it has it until it closes, or leaves it before. */
  take(connection: MultiaddrConnection): boolean {
    const address = addressOf(connection);
    const taken = this.#taken.get(address) ?? new Set();
    if (taken.size >= this.#perAddress) return false;
    this.#taken.set(address, taken.add(connection));
    connection.addEventListener('close', () => this.leave(connection));
    return true;
  }

  leave(connection: MultiaddrConnection): void {
    const address = addressOf(connection);
    const taken = this.#taken.get(address);
    if (taken?.delete(connection) === true && taken.size === 0) this.#taken.delete(address);
  }
}

const addressOf = ({ remoteAddr }: MultiaddrConnection): string =>
  parseAddress(remoteAddr.toString())?.host ?? 'unknown';
