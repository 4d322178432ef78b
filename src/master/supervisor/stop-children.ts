/**
 * The end of all children: everybody is told at once, Workers first, so that nobody waits for another one's deadline. Each
 * finishes its work and says what it waits for; what is left after the deadline is killed, and that is said too.
 */
import type { Log } from '../../platform/log/log.js';
import { errorText, isSpushError } from '../../shared/base/errors.js';
import type { Child } from './child.js';
import { endText } from './child.js';

/** A child ends by itself at the deadline; it gets this much to do so. */
const KILL_MARGIN_MS = 500;
/** A killed process that is still there after this hangs in the kernel; it is not waited for. */
const KILLED_MS = 5000;

export interface StopChildrenOptions {
  readonly reason: string;
  readonly deadlineMs: number;
  /** Whether the whole server ends, or other processes take the place of these. */
  readonly closing: 'server' | 'process';
  readonly log: Log;
  /** Lines for the person who waits. */
  progress(text: string): void;
}

/** Resolves when all have ended; answers the names of those that had to be killed. */
export async function stopChildren(
  children: readonly Child[],
  options: StopChildrenOptions,
): Promise<string[]> {
  const killed: string[] = [];
  await Promise.all(
    children.map(async (child) => {
      if (!(await stopChild(child, options))) killed.push(child.name);
    }),
  );
  return killed;
}

async function stopChild(child: Child, options: StopChildrenOptions): Promise<boolean> {
  const { deadlineMs, log, progress } = options;
  child.stopping = true;
  const limitMs = deadlineMs + KILL_MARGIN_MS;
  if (child.hears) askToStop(child, options, limitMs);
  // Without a listener yet it dies of the signal; with one it ends in order.
  else child.kill('SIGTERM');
  if (await endsWithin(child, limitMs)) {
    const end = await child.ended;
    const inOrder = end.exitCode === 0;
    progress(inOrder ? `${child.name} has ended` : `${child.name} has ended: ${endText(end)}`);
    return end.signal !== 'SIGKILL';
  }
  log.error('child.killed', { child: child.name, childPid: child.pid, deadlineMs });
  progress(`${child.name} did not end within ${deadlineMs / 1000} s and is killed`);
  child.kill('SIGKILL');
  if (!(await endsWithin(child, KILLED_MS))) {
    log.error('child.unkillable', { child: child.name, childPid: child.pid });
    progress(`${child.name} (pid ${child.pid}) cannot be killed: it hangs in the kernel`);
  }
  return false;
}

function askToStop(
  child: Child,
  { reason, deadlineMs, closing, log }: StopChildrenOptions,
  limitMs: number,
): void {
  child.peer
    .call('stop', { reason, deadlineMs, closing }, { deadlineMs: limitMs })
    .catch((error: unknown) => {
      // That it has ended, or has not in time, is seen below; anything else is its own fault to report.
      if (isSpushError(error, 'RPC_PEER_GONE') || isSpushError(error, 'RPC_TIMEOUT')) return;
      log.warn('child.stopFault', { child: child.name, error: errorText(error) });
    });
}

async function endsWithin(child: Child, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([child.ended.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
