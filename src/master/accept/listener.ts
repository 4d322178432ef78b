/**
 * A listening socket whose connections arrive as bare handles: `net.Server` would make a socket of each and begin to read.
 * What is used of Node's insides is `server._handle.onconnection`, in one place, checked before it is replaced.
 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { listenError } from '../../platform/instance/port-holder.js';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { assert } from '../../shared/base/assert.js';

export interface ListenAt {
  readonly host: string;
  /** Listened on too, at the same port, where the machine has these addresses. */
  readonly also?: readonly string[];
  readonly port: number;
  /** Connections that the kernel keeps until they are accepted; it takes net.core.somaxconn at most. */
  readonly backlog: number;
}

/** A connection as libuv holds it. */
export interface AcceptedHandle extends SentHandle {
  /** Fills in the other side's address; answers an error number of libuv, 0 when all is well. */
  getpeername(out: PeerName): number;
}

export interface PeerName {
  address?: string;
  port?: number;
}

/** @param error the name of what the kernel said when there is no handle */
export type OnConnection = (error: string | null, handle: AcceptedHandle | null) => void;

interface ListeningHandle {
  onconnection: (status: number, handle?: AcceptedHandle) => void;
}

/** Answers the first address. @throws SpushError PORT_TAKEN, START_FAILED */
export async function openListeners(
  at: ListenAt,
  onConnection: OnConnection,
): Promise<{ servers: Server[]; address: string }> {
  const { server, address } = await openListener(at, onConnection);
  const servers = [server];
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  try {
    for (const host of at.also ?? []) {
      const also = await openListener({ ...at, host, port }, onConnection).catch(ifNotThere);
      if (also) servers.push(also.server);
    }
    return { servers, address };
  } catch (error) {
    for (const each of servers) each.close();
    throw error;
  }
}

/** The machine has no such address, or nothing of its kind. */
function ifNotThere(error: Error): null {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return null;
  throw error;
}

/** @throws SpushError PORT_TAKEN, START_FAILED */
export async function openListener(
  at: ListenAt,
  onConnection: OnConnection,
): Promise<{ server: Server; address: string }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, resolve);
  }).catch(async (error: NodeJS.ErrnoException) => {
    throw await listenError(error, at);
  });
  handleOf(server).onconnection = (status, handle) => {
    onConnection(status === 0 ? null : errorName(status), handle ?? null);
  };
  return { server, address: addressOf(server) };
}

/** Who is on the other side of a connection; empty when that has gone already. */
export function peerNameOf(handle: SentHandle): PeerName {
  const name: PeerName = {};
  (handle as Partial<AcceptedHandle>).getpeername?.(name);
  return name;
}

function handleOf(server: Server): ListeningHandle {
  const handle: unknown = Reflect.get(server, '_handle');
  assert(
    typeof handle === 'object' &&
      handle !== null &&
      typeof Reflect.get(handle, 'onconnection') === 'function',
    'this Node has no server._handle.onconnection: connections cannot be accepted as bare handles',
  );
  return handle as ListeningHandle;
}

/** `EMFILE: too many open files`, of a number of libuv. */
function errorName(status: number): string {
  const [name, text] = getSystemErrorMap().get(status) ?? [`error ${status}`, 'unknown'];
  return `${name}: ${text}`;
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
