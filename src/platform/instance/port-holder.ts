/** Who holds a port that a server wants: a server of another mode, another process, or nobody that can be seen from here. */
import { readdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { basename, dirname } from 'node:path';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { shellWord } from '../../shared/base/shell-word.js';
import { modeOfTitle } from '../../shared/domain/role.js';
import { allListening, holdsSocket, type ListeningPort, unixSockets } from './kernel-sockets.js';
import { processTitle } from './process-identity.js';

export interface PortWanted {
  readonly host: string;
  readonly port: number;
  /** Pid of a process that ends first, and is in nobody's way. */
  readonly leaving?: number;
}

interface Holder {
  readonly pid: number;
  /** A master's; null: another program's. */
  readonly spush: { readonly mode: string; readonly home: string | null } | null;
  readonly name: string;
}

/** The error for what the kernel says to whoever wants to listen. */
export async function listenError(error: NodeJS.ErrnoException, at: PortWanted): Promise<SpushError> {
  if (error.code === 'EADDRINUSE') return portTaken(at, error);
  return new SpushError('START_FAILED', `cannot listen on ${addressText(at)}: ${error.message}`, {
    cause: error,
  });
}

/** The error for a port that the kernel has refused, or will refuse. Never fails for what it finds. */
export async function portTaken(wanted: PortWanted, cause: unknown): Promise<SpushError> {
  const what = `${addressText(wanted)} is taken`;
  const other = 'give this one another port (-p NUMBER, Port or SPUSH_PORT)';
  const holder = await findHolder(wanted);
  if (holder === null) {
    const how = `"ss -ltnp sport = :${wanted.port}" as root tells which it is`;
    const text = `${what} by another program, of another user or in another container (${how}): stop it, or ${other}`;
    return new SpushError('PORT_TAKEN', text, { cause });
  }
  const { pid, name, spush } = holder;
  if (spush === null) {
    return new SpushError('PORT_TAKEN', `${what} by ${name} (pid ${pid}): stop it, or ${other}`, { cause });
  }
  const { mode, home } = spush;
  const where = home === null ? '' : ` in SPUSH_HOME ${home}`;
  const stop = `${home === null ? '' : `SPUSH_HOME=${shellWord(home)} `}spush server stop -mode=${mode}`;
  const text = `${what} by spush itself: mode ${mode} runs as pid ${pid}${where}. Stop it (${stop}), or ${other}`;
  return new SpushError('PORT_TAKEN', text, { cause });
}

/** `[::1]:9501` */
function addressText({ host, port }: PortWanted): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function findHolder(wanted: PortWanted): Promise<Holder | null> {
  try {
    const inodes = new Set(mostLikely(await allListening(), wanted).map(({ inode }) => inode));
    if (inodes.size === 0) return null;
    for (const entry of await readdir('/proc')) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || pid === wanted.leaving) continue;
      if (await holdsSocket(pid, inodes)) return await holderOf(pid);
    }
    return null;
  } catch (error) {
    // Who it is only helps; that the port is taken is what has to be said.
    if (error instanceof Error && 'syscall' in error) return null;
    throw new Error(`the holder of port ${wanted.port} cannot be looked for: ${errorText(error)}`, {
      cause: error,
    });
  }
}

const EVERY_4 = '00000000';
const EVERY_6 = '0'.repeat(32);
const LOOPBACK_6 = '00000000000000000000000001000000';

/**
 * Sockets that are in the way of one at this address for certain: at the same one, or one of the two at all addresses of its
 * kind. Of a host that is a name, and of most IPv6 addresses, nothing is certain.
 */
export function inTheWay(listening: readonly ListeningPort[], { host, port }: PortWanted): ListeningPort[] {
  const ofPort = listening.filter((each) => each.port === port);
  const own = kernelAddress(host);
  // Node listens at :: for IPv4 too.
  if (own === EVERY_6) return ofPort;
  const kind = ofPort.filter(({ address }) => address.length === own?.length);
  if (own === EVERY_4) return kind;
  const every = own?.length === EVERY_4.length ? EVERY_4 : EVERY_6;
  return kind.filter(({ address }) => address === own || address === every);
}

/** Of a port that is refused: who listens at the same address, or at all; where none is recognized, whoever has that port. */
function mostLikely(listening: readonly ListeningPort[], wanted: PortWanted): ListeningPort[] {
  const ofPort = listening.filter(({ port }) => port === wanted.port);
  const own = kernelAddress(wanted.host);
  const same = ofPort.filter(({ address }) => [own, EVERY_4, EVERY_6].includes(address));
  return same.length > 0 ? same : ofPort;
}

/** Null: not one that is recognized. */
function kernelAddress(host: string): string | null {
  if (host === '::') return EVERY_6;
  if (host === '::1') return LOOPBACK_6;
  if (isIP(host) !== 4) return null;
  // Least significant byte first.
  return host
    .split('.')
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
    .join('');
}

async function holderOf(pid: number): Promise<Holder> {
  const title = (await processTitle(pid)) ?? '';
  const mode = modeOfTitle(title);
  if (mode === null) return { pid, spush: null, name: await nameOf(pid) };
  return { pid, name: title, spush: { mode, home: await homeOf(pid, mode) } };
}

/** By its control socket, Temp/{mode}.sock of its home; null when that is not shown. */
async function homeOf(pid: number, mode: string): Promise<string | null> {
  for (const { inode, path } of await unixSockets()) {
    if (!path?.startsWith('/') || !path.endsWith(`/Temp/${mode}.sock`)) continue;
    if (await holdsSocket(pid, new Set([inode]))) return dirname(dirname(path));
  }
  return null;
}

/** The program, and the script that an interpreter runs; no more of the command line, which may hold secrets. */
async function nameOf(pid: number): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const program = basename(words[0]?.split(' ')[0] ?? '');
  const script = words.slice(1).find((word) => !word.startsWith('-'));
  const isScript = script !== undefined && /\.(?:[cm]?[jt]s|py|php|rb|pl|jar|sh)$/.test(script);
  return [program || 'a process', ...(isScript ? [script] : [])].join(' ');
}
