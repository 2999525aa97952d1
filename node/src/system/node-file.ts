import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, writeFileDurably } from './files.ts';
import type { Random } from './interface.ts';

/**
 * `<data>/node.json`: where the running node listens, and the token that whoever can read the file may use.
 * The node writes it when its API listens and removes it at an ordered end; clients read it.
 */
export interface NodeFile {
  pid: number;
  port: number;
  /** `http://127.0.0.1:7700`. */
  address: string;
  token: string;
}

/** 32 characters of base32 are 160 bits: out of reach for guessing. */
const TOKEN_LENGTH = 32;
/** What a header, a cookie and an address bring as it is. */
const TOKEN = /^[\w-]{32,200}$/;

export function nodeFilePath(dataFolder: string): string {
  return join(dataFolder, 'node.json');
}

/** Only the owner may read it: it holds the token. @throws the system's error where it can't be written. */
export async function writeNodeFile(
  components: { random: Random },
  dataFolder: string,
  file: NodeFile,
): Promise<void> {
  const text = `${JSON.stringify(file, null, 2)}\n`;
  await writeFileDurably(components, nodeFilePath(dataFolder), text, { mode: 0o600 });
}

/**
 * The install's token, made at the first start and kept in `<data>/token`: a browser that was signed in stays so
 * when the node is started again. Only the owner may read it. In place of a garbled one a new one is made: no client could
 * send one with a blank or a letter of no header in it, and nobody would get in any more.
 */
export async function loadToken(components: { random: Random }, dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'token');
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (TOKEN.test(token)) return token;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const token = components.random.name(TOKEN_LENGTH);
  await writeFileDurably(components, path, `${token}\n`, { mode: 0o600 });
  return token;
}

/** Idempotent. */
export async function removeNodeFile(dataFolder: string): Promise<void> {
  await rm(nodeFilePath(dataFolder), { force: true });
}

/**
 * The node that runs on a data folder, or undefined where none does: no file, an unreadable one, or one that a
 * killed node left behind (its process is gone). The pid may have been given to another program since, so a
 * caller must still expect that nobody answers.
 */
export function readNodeFile(dataFolder: string): NodeFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(nodeFilePath(dataFolder), 'utf8'));
  } catch {
    return undefined;
  }
  return isNodeFile(value) && isAlive(value.pid) ? value : undefined;
}

/** The address that signs a browser in (`/signin` of the API). */
export function signinAddress(file: Pick<NodeFile, 'address' | 'token'>): string {
  return `${file.address}/signin?token=${encodeURIComponent(file.token)}`;
}

/** Whether a process of this id exists, be it another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function isNodeFile(value: unknown): value is NodeFile {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, port, address, token } = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(pid) &&
    (pid as number) > 0 &&
    Number.isInteger(port) &&
    typeof address === 'string' &&
    // A file that somebody else put there must not send the token elsewhere.
    /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+$/.test(address) &&
    // Not every number is a port.
    URL.canParse(address) &&
    typeof token === 'string' &&
    token !== '' &&
    // Half a character can't stand in the address that signs a browser in.
    token.isWellFormed()
  );
}
