import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** A network interface's IPv4 address. */
export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
}

/** Interfaces to be seen on, and those that were asked for in vain. */
export interface Interfaces {
  readonly usable: readonly InterfaceAddress[];
  readonly problems: readonly { readonly name: string; readonly problem: string }[];
}

/**
 * The interfaces of this machine that announcements go out on: those named, or all that lead to others. Only IPv4:
 * every local network has it, if only by its link-local addresses. Undefined where the system can't tell now: it opens a
 * file to ask, of which a process may have too many.
 */
export function readInterfaces(
  wanted: readonly string[] | undefined,
  read: typeof networkInterfaces = networkInterfaces,
): Interfaces | undefined {
  let all: [string, NetworkInterfaceInfo[] | undefined][];
  try {
    all = Object.entries(read());
  } catch {
    return undefined;
  }
  const usable: InterfaceAddress[] = [];
  const problems: { name: string; problem: string }[] = [];
  for (const [name, addresses = []] of all) {
    if (wanted !== undefined && !wanted.includes(name)) continue;
    const ipv4 = addresses.filter(({ family }) => family === 'IPv4');
    const outward = wanted === undefined ? ipv4.filter(({ internal }) => !internal) : ipv4;
    usable.push(...outward.map(({ address, netmask }) => ({ name, address, netmask })));
    if (ipv4.length === 0) problems.push({ name, problem: 'It has no IPv4 address.' });
  }
  for (const name of wanted ?? [])
    if (!all.some(([other]) => other === name)) problems.push({ name, problem: 'It is not up.' });
  return { usable, problems };
}

/** Whether an address lies in an interface's own network. */
export function isNear(address: string, { address: own, netmask }: InterfaceAddress): boolean {
  const mask = numberOf(netmask);
  return (numberOf(address) & mask) === (numberOf(own) & mask);
}

const numberOf = (address: string): number =>
  address.split('.').reduce((number, part) => (number << 8) | (Number(part) & 255), 0);

/** Whether something that listens on `listen` is reached at `address`. */
export const listensAt = (listen: readonly string[], address: string): boolean =>
  listen.some((host) => host === '0.0.0.0' || host === '::' || host === address);
