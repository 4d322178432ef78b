/** Ends one process so that another takes its place: in order, as a reload does, or by killing it. */
import { type Clock, msSince } from '../../shared/base/clock.js';
import { type Moved, movedText } from '../handoff/moved.js';
import type { Child } from './child.js';
import type { ReplaceProgress, Replacer } from './replace.js';
import type { Slot } from './slot.js';

/** A process that was killed is there again within this, or is not waited for. */
export const NEW_PROCESS_MS = 15_000;

export interface EndedProcess {
  readonly slot: Slot;
  readonly child: Child;
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** Unix ms. */
  readonly toldAt: number;
  /** How long it took to go; null when it is still there. */
  readonly endedAfterMs: number | null;
  readonly newPid: number | null;
  /** What became of its connections; null where none are moved. */
  readonly moved: Moved | null;
}

export interface EndProcessDeps {
  readonly replacer: Pick<Replacer, 'replace'>;
  readonly clock: Clock;
}

export interface EndProcessOptions {
  readonly reason: string;
  readonly progress: ReplaceProgress;
}

/** Rejects with RELOAD_FAILED when the new process does not come up; then the old one goes on. */
export async function replaceProcess(
  { replacer, clock }: EndProcessDeps,
  { slot, child }: { slot: Slot; child: Child },
  { reason, progress }: EndProcessOptions,
): Promise<EndedProcess> {
  const replaced = await replacer.replace(slot, reason, progress);
  const { child: next, toldAt, endedAfterMs } = replaced;
  const moved = slot.role === 'worker' ? replaced : null;
  const how = moved ? `, ${movedText(moved)}` : '';
  progress(`${newPidText(child, next.pid)}${how}`);
  const signal = 'SIGTERM';
  return { slot, child, signal, toldAt: toldAt ?? clock.now(), endedAfterMs, newPid: next.pid, moved };
}

export async function killProcess(
  { clock }: Pick<EndProcessDeps, 'clock'>,
  { slot, child }: { slot: Slot; child: Child },
  { progress }: Pick<EndProcessOptions, 'progress'>,
): Promise<EndedProcess> {
  const [toldAt, told] = [clock.now(), clock.moment()];
  let endedAfterMs: number | null = null;
  void child.ended.then(() => {
    endedAfterMs = msSince(clock, told);
  });
  child.kill('SIGKILL');
  const next = await slot.untilReady((ready) => ready !== child, NEW_PROCESS_MS);
  progress(newPidText(child, next?.pid ?? null));
  return { slot, child, signal: 'SIGKILL', toldAt, endedAfterMs, newPid: next?.pid ?? null, moved: null };
}

function newPidText({ name, pid }: Child, newPid: number | null): string {
  return newPid === null
    ? `${name}: pid ${pid} has ended, no new process is ready yet`
    : `${name}: pid ${pid} -> ${newPid}`;
}
