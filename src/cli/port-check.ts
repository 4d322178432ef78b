/**
 * Whether the port is free, before anything is started or stopped for it. Only a quick answer: who takes it in the next
 * moment is refused by the master itself.
 */
import { createServer } from 'node:net';
import type { Config } from '../platform/config/config-schema.js';
import { listenHosts } from '../platform/config/listen-hosts.js';
import { allListening, socketInodes } from '../platform/instance/kernel-sockets.js';
import { inTheWay, listenError, portTaken } from '../platform/instance/port-holder.js';

/**
 * Before a start.
 *
 * @throws SpushError PORT_TAKEN
 */
export async function refuseTakenPort(config: Config): Promise<void> {
  const { Port: port } = config.system;
  // No socket listens on it: then it is not tried, as the trial itself could make a start at the same moment fail.
  if (port === 0 || !(await allListening()).some((each) => each.port === port)) return;
  const { host, also } = listenHosts(config);
  for (const each of [host, ...also]) {
    const at = { host: each, port };
    const error = await tryListen(at);
    // Anything else is said by the master, with what it was about to do.
    if (error?.code === 'EADDRINUSE') throw await portTaken(at, error);
  }
}

/**
 * Before a running server is stopped for another that shall listen here: what the kernel would refuse afterwards, with
 * nothing running any more.
 *
 * @param leaving pid of the master that ends first: what it holds will be free
 * @throws SpushError PORT_TAKEN, START_FAILED
 */
export async function refuseImpossibleListening(config: Config, leaving: number): Promise<void> {
  const { Port: port } = config.system;
  const own = new Set(await socketInodes(leaving));
  // No sockets are shown: the process cannot be looked at (a Node with a capability for low ports). Then nothing can be said.
  if (own.size === 0) return;
  const listening = await allListening();
  const others = listening.filter(({ inode }) => !own.has(inode));
  const isHeld = listening.some((each) => each.port === port && own.has(each.inode));
  const { host, also } = listenHosts(config);
  for (const each of [host, ...also]) {
    const at = { host: each, port, leaving };
    if (inTheWay(others, at).length > 0) throw await portTaken(at, null);
    // While the one that leaves has the port only the address can be tried.
    const error = await tryListen(isHeld ? { host: each, port: 0 } : at);
    if (error !== null && !(each !== host && isNotThere(error))) throw await listenError(error, at);
  }
}

/** Two programs may have one port at different addresses: only the kernel knows whether they are in each other's way. */
function tryListen({ host, port }: { readonly host: string; readonly port: number }) {
  return new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const server = createServer((connection) => connection.destroy());
    server.once('error', resolve);
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

/** The machine has no such address, or nothing of its kind. */
function isNotThere({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}
