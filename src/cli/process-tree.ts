/**
 * A process with everything below it, read from /proc, and its certain end. Used by `stop -force`, where nothing of the
 * master's own order can be relied on.
 */
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../platform/clock/system-clock.js';
import { allListening, type ListeningPort, socketInodes } from '../platform/instance/kernel-sockets.js';
import {
  factsOf,
  identityIn,
  isAlive,
  type ProcessIdentity,
  readProcessStat,
  sameProcess,
} from '../platform/instance/process-identity.js';
import { type KnownProcess, signalProcess } from '../platform/instance/signal-process.js';
import { msBetween, msLater, msSince } from '../shared/base/clock.js';
import { SpushError } from '../shared/base/errors.js';

export interface TreeProcess {
  readonly identity: ProcessIdentity;
  readonly uid: number;
  readonly title: string;
}

const POLL_MS = 20;

/** The root first, then its children, and theirs; nobody when the root is not the one that is meant. */
export async function readTree(root: KnownProcess): Promise<TreeProcess[]> {
  const below = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readProcessStat(Number(name));
    if (stat) below.set(stat.parent, [...(below.get(stat.parent) ?? []), stat.pid]);
  }
  const tree: TreeProcess[] = [];
  for (const queue = [root.identity.pid]; queue.length > 0; ) {
    const pid = queue.shift();
    const facts = pid === undefined ? null : factsOf(pid);
    if (facts === null) continue;
    const identity = identityIn(facts);
    if (facts.pid === root.identity.pid) {
      const isMeant = facts.uid === root.uid && (root.title === null || facts.title === root.title);
      if (!isMeant || !sameProcess(identity, root.identity)) return [];
    }
    tree.push({ identity, uid: facts.uid, title: facts.title || `process ${facts.pid}` });
    queue.push(...(below.get(facts.pid) ?? []));
  }
  return tree;
}

/** Kills the whole tree. Answers whom it killed and which ports they had open, all of it gone. */
export async function killTree(
  root: KnownProcess,
  { deadlineMs }: { deadlineMs: number },
): Promise<{ killed: TreeProcess[]; ports: ListeningPort[] }> {
  const tree = await suspendTree(root);
  const ports = await listeningPorts(tree.map(({ identity }) => identity.pid));
  for (const process of tree) signal(process, 'SIGKILL');
  const end = msLater(systemClock.moment(), deadlineMs);
  const left = await waitGone(tree, { deadlineMs });
  if (left.length > 0) {
    throw new SpushError('STOP_FAILED', `killed, but still there after ${deadlineMs} ms: ${names(left)}`);
  }
  const open = await waitClosed(ports, { deadlineMs: msBetween(systemClock.moment(), end) });
  if (open.length > 0) {
    const list = open.map(({ port }) => port).join(', ');
    throw new SpushError('STOP_FAILED', `all processes are gone, but a port is still held open: ${list}`);
  }
  return { killed: tree, ports };
}

/** Answers which of them are still there at the deadline. */
export async function waitGone<P extends { readonly identity: ProcessIdentity }>(
  processes: readonly P[],
  { deadlineMs }: { deadlineMs: number },
): Promise<P[]> {
  const begunAt = systemClock.moment();
  let left = [...processes];
  while (left.length > 0) {
    const alive = await Promise.all(left.map(({ identity }) => isAlive(identity)));
    left = left.filter((_, at) => alive[at]);
    if (left.length === 0 || msSince(systemClock, begunAt) >= deadlineMs) break;
    await delay(POLL_MS);
  }
  return left;
}

export function names(processes: readonly TreeProcess[]): string {
  return processes.map(({ identity, title }) => `${title} (pid ${identity.pid})`).join(', ');
}

/** A master that runs starts a new child for each one that dies: nothing may run when the killing begins. */
async function suspendTree(root: KnownProcess): Promise<TreeProcess[]> {
  const suspended = new Set<number>();
  for (;;) {
    const tree = await readTree(root);
    const running = tree.filter(({ identity }) => !suspended.has(identity.pid));
    if (running.length === 0) return tree;
    for (const process of running) {
      signal(process, 'SIGSTOP');
      suspended.add(process.identity.pid);
    }
  }
}

/** Titles are not compared: a child that is starting gives itself one. Who it is, is what was read a moment ago. */
function signal({ identity, uid }: TreeProcess, name: NodeJS.Signals): void {
  signalProcess({ identity, uid, title: null }, name);
}

async function listeningPorts(pids: readonly number[]): Promise<ListeningPort[]> {
  const held = new Set<string>();
  for (const pid of pids) for (const inode of await socketInodes(pid)) held.add(inode);
  return (await allListening()).filter(({ inode }) => held.has(inode));
}

/** A process counts as ended when its first thread has; the others hold its sockets for a moment longer. */
async function waitClosed(
  ports: readonly ListeningPort[],
  { deadlineMs }: { deadlineMs: number },
): Promise<ListeningPort[]> {
  const begunAt = systemClock.moment();
  for (;;) {
    const inodes = new Set((await allListening()).map(({ inode }) => inode));
    const open = ports.filter(({ inode }) => inodes.has(inode));
    if (open.length === 0 || msSince(systemClock, begunAt) >= deadlineMs) return open;
    await delay(POLL_MS);
  }
}
