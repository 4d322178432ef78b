/** CPU and memory of processes, as the kernel counts them. What cannot be read (it ended meanwhile) is left out. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pidusage from 'pidusage';
import type { Log } from '../../platform/log/log.js';
import { errorText } from '../../shared/base/errors.js';

/** pidusage tells what was used since it was asked last; the first answer about a process is always 0. */
const SAMPLE_MS = 250;

export interface ProcessFigures {
  /** Per cent of one core, lately. */
  readonly cpu: number;
  /** Bytes of resident memory, now and at most; the latter null where there is no /proc. */
  readonly memory: number;
  readonly memoryPeak: number | null;
}

export type ReadProcessFigures = (pids: readonly number[]) => Promise<ReadonlyMap<number, ProcessFigures>>;

export function processFigures(log: Log): ReadProcessFigures {
  return async (pids) => {
    const found = new Map<number, ProcessFigures>();
    try {
      await pidusage([...pids]);
      await sleep(SAMPLE_MS);
      const usage = Object.values(await pidusage([...pids]));
      await Promise.all(
        usage.map(async (each) => {
          if (!each) return;
          const { pid, cpu, memory } = each;
          found.set(pid, { cpu: Math.round(cpu * 10) / 10, memory, memoryPeak: await peak(pid, memory) });
        }),
      );
    } catch (error) {
      log.warn('process.figuresUnknown', { error: errorText(error) });
    }
    return found;
  };
}

/** Read a moment later than the memory of now, which may be above it. */
async function peak(pid: number, memoryNow: number): Promise<number | null> {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Math.max(memoryNow, Number(kilobytes) * 1024);
  } catch (error) {
    // Gone meanwhile, or a system without /proc.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
