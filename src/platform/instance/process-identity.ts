/**
 * Who a process is. A pid alone says nothing: numbers are used again, after a reboot at the latest. A pid together
 * with the moment it was started and the boot it belongs to names one process for ever, among those that share its
 * numbers: a container has numbers of its own.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { isGone, unlessGone } from './proc-files.js';

export const processIdentitySchema = z.object({
  pid: z.int().min(1),
  /** Start time in clock ticks since boot: field 22 of /proc/PID/stat. */
  startTicks: z.int().min(0),
  bootId: z.string().min(1),
  /** Whose numbers these are, as /proc/self/ns/pid tells it. Earlier versions do not say. */
  pidNamespace: z.string().min(1).optional(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

export interface ProcessStat {
  readonly pid: number;
  /** R running, S sleeping, T stopped by a signal, Z ended and not yet collected, … (man 5 proc). */
  readonly state: string;
  readonly parent: number;
  readonly startTicks: number;
}

/** What is compared before a process is signalled. */
export interface ProcessFacts extends ProcessStat {
  /** Effective user. */
  readonly uid: number;
  readonly title: string;
}

/** What the kernel says about a process; null when there is none, or it has ended and waits to be collected. */
export async function readProcessStat(pid: number): Promise<ProcessStat | null> {
  const text = await unlessGone(readFile(`/proc/${pid}/stat`, 'utf8'));
  return text === null ? null : living(parseStat(text));
}

/** The second field is the name in brackets and may hold blanks and brackets: count from the last one. */
export function parseStat(text: string): ProcessStat | null {
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const [state, parent] = fields;
  const startTicks = fields[19];
  if (state === undefined || parent === undefined || startTicks === undefined) return null;
  return { pid: Number.parseInt(text, 10), state, parent: Number(parent), startTicks: Number(startTicks) };
}

/** Null when there is no such process. */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const stat = await readProcessStat(pid);
  return stat === null ? null : identityIn(stat);
}

/** Read at once, so that nothing can change between looking and acting. Null when there is no such process. */
export function factsOf(pid: number): ProcessFacts | null {
  try {
    const stat = living(parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    // Real, effective, saved and of the file system.
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (stat === null || uid === undefined) return null;
    return { ...stat, uid: Number(uid), title: titleIn(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** Whether this very process, and not another one with its number, is still there; seen from here. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.bootId !== bootId() || isElsewhere(identity)) return false;
  const stat = await readProcessStat(identity.pid);
  // A /proc mounted with hidepid does not show the processes of others; the kernel still tells that they are there.
  return stat === null ? isHidden(identity.pid) : stat.startTicks === identity.startTicks;
}

/** Its number belongs to another pid namespace, a container's: nothing can be told about it from here. */
export function isElsewhere({ bootId: boot, pidNamespace }: ProcessIdentity): boolean {
  return pidNamespace !== undefined && boot === bootId() && pidNamespace !== ownPidNamespace();
}

export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  const sameNumbers =
    a.pidNamespace === undefined || b.pidNamespace === undefined || a.pidNamespace === b.pidNamespace;
  return a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId && sameNumbers;
}

/** The identity of a process that was just looked at. */
export function identityIn({ pid, startTicks }: Pick<ProcessStat, 'pid' | 'startTicks'>): ProcessIdentity {
  const pidNamespace = ownPidNamespace();
  return { pid, startTicks, bootId: bootId(), ...(pidNamespace === undefined ? {} : { pidNamespace }) };
}

/** The title a process gave itself, or its command line. */
export async function processTitle(pid: number): Promise<string | null> {
  const text = await unlessGone(readFile(`/proc/${pid}/cmdline`, 'utf8'));
  return text === null || text === '' ? null : titleIn(text);
}

/** The kernel tells that there is a process, but not to us who it is. */
export function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function titleIn(cmdline: string): string {
  return cmdline.replace(/\0+$/, '').replaceAll('\0', ' ').trim();
}

function living(stat: ProcessStat | null): ProcessStat | null {
  return stat === null || stat.state === 'Z' || stat.state === 'X' ? null : stat;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Undefined where the kernel has no such namespaces. */
function ownPidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
