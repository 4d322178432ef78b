/**
 * Who a process is. A pid alone says nothing: numbers are used again, after a reboot at the latest. A pid together
 * with the moment it was started and the boot it belongs to names one process for ever.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export const processIdentitySchema = z.object({
  pid: z.int().min(1),
  /** Start time in clock ticks since boot: field 22 of /proc/PID/stat. */
  startTicks: z.int().min(0),
  bootId: z.string().min(1),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

export interface ProcessStat {
  readonly pid: number;
  /** R running, S sleeping, T stopped by a signal, Z ended and not yet collected, … (man 5 proc). */
  readonly state: string;
  readonly parent: number;
  readonly startTicks: number;
}

/** What the kernel says about a process; null when there is none, or it has ended and waits to be collected. */
export async function readProcessStat(pid: number): Promise<ProcessStat | null> {
  const text = await readOrNull(`/proc/${pid}/stat`);
  const stat = text === null ? null : parseStat(text);
  return stat === null || stat.state === 'Z' || stat.state === 'X' ? null : stat;
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
  return stat === null ? null : { pid, startTicks: stat.startTicks, bootId: await bootId() };
}

/** Whether this very process, and not another one with its number, is still there. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.bootId !== (await bootId())) return false;
  const stat = await readProcessStat(identity.pid);
  // A /proc mounted with hidepid does not show the processes of others; the kernel still tells that they are there.
  return stat === null ? isHidden(identity.pid) : stat.startTicks === identity.startTicks;
}

export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId;
}

/** The title a process gave itself, or its command line. */
export async function processTitle(pid: number): Promise<string | null> {
  const text = await readOrNull(`/proc/${pid}/cmdline`);
  return text === null || text === '' ? null : text.replace(/\0+$/, '').replaceAll('\0', ' ').trim();
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Null when the process ended; ESRCH is what a read of /proc says when that happens between open and read. */
async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return null;
    throw error;
  }
}
