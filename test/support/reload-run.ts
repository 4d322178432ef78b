/** `spush server reload --json` as a script sees it, and the Workers that come and go meanwhile. */
import type { CommandResult, Daemon } from './daemon.js';
import { rssBytes } from './tcp-table.js';

export interface ReloadRun extends CommandResult {
  /** Its last line, when it succeeded. */
  readonly result: ReloadData | null;
  /** What it said of its failure; empty when it succeeded. */
  readonly failure: string;
  /** Texts of the steps that were reported. */
  readonly events: readonly string[];
  readonly seconds: number;
}

export interface ReloadData {
  readonly workers: number;
  readonly kept: number;
  readonly closed: number;
  readonly closedBy: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly longestPauseMs: number;
}

type ReloadLine = ReloadData & {
  readonly event?: { readonly text: string };
  readonly error?: { readonly message: string };
};

export async function reload(daemon: Daemon): Promise<ReloadRun> {
  const begunAt = performance.now();
  const run = await daemon.run('server', 'reload', '--json');
  const seconds = (performance.now() - begunAt) / 1000;
  const lines = run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as ReloadLine);
  const last = lines.at(-1);
  return {
    ...run,
    result: run.exitCode === 0 && last && !last.event ? last : null,
    failure: last?.error?.message ?? run.stderr,
    events: lines.flatMap(({ event }) => (event ? [event.text] : [])),
    seconds,
  };
}

/** Workers by pid, under their short names; those that are starting too. */
export function workerPids(daemon: Daemon): Map<number, string> {
  const found = new Map<number, string>();
  for (const [pid, title] of daemon.processes()) {
    const name = /\.(Worker\.\d+)$/.exec(title)?.[1];
    if (name) found.set(pid, name);
  }
  return found;
}

/** Looks every few milliseconds, for what goes by too fast for a relaxed poll. */
export async function watch<T>(what: string, look: () => T | undefined, waitMs = 30_000): Promise<T> {
  const end = performance.now() + waitMs;
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface WorkerMemory {
  readonly pid: number;
  readonly name: string;
  readonly firstBytes: number;
  readonly peakBytes: number;
  readonly lastBytes: number;
}

const SAMPLE_MS = 100;

/** Follows the memory of every Worker, old and new. */
export class MemoryWatch {
  readonly #daemon: Daemon;
  readonly #timer: NodeJS.Timeout;
  readonly #workers = new Map<number, WorkerMemory>();

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  stop(): WorkerMemory[] {
    clearInterval(this.#timer);
    return [...this.#workers.values()];
  }

  #sample(): void {
    for (const [pid, name] of workerPids(this.#daemon)) {
      const bytes = rssBytes(pid);
      if (bytes === 0) continue;
      const known = this.#workers.get(pid) ?? { pid, name, firstBytes: bytes, peakBytes: 0, lastBytes: 0 };
      this.#workers.set(pid, { ...known, peakBytes: Math.max(known.peakBytes, bytes), lastBytes: bytes });
    }
  }
}
