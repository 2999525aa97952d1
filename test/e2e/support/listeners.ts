import { readFile, readdir, readlink } from 'node:fs/promises';

export interface Listener {
  /** In the kernel's own form: `0100007F` is 127.0.0.1. */
  readonly address: string;
  readonly port: number;
}

/** 127.0.0.1 and ::1, as the kernel writes them. */
export const LOOPBACKS: readonly string[] = ['0100007F', '00000000000000000000000001000000'];

/** The state of a socket that listens, in /proc/net/tcp. */
const LISTENS = '0A';

/** Every TCP port on which a process takes connections, by the kernel's own account (Linux). */
export async function listenersOf(pid: number): Promise<Listener[]> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === LISTENS && own.has(columns[9] ?? ''))
    .map((columns) => {
      const [address = '', port = ''] = (columns[1] ?? '').split(':');
      return { address, port: Number.parseInt(port, 16) };
    });
}
