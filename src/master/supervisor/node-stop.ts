/**
 * The end of the node: it runs once, whoever asks for it, and everybody who asked hears how it goes. Told to hurry, it
 * kills what is left.
 */
import type { Log } from '../../platform/log/log.js';
import type { Child } from './child.js';
import { stopChildren } from './stop-children.js';
import type { Supervisor } from './supervisor.js';

export interface NodeStopDeps {
  readonly supervisor: Pick<Supervisor, 'living' | 'startNoMore'>;
  readonly deadlineMs: () => number;
  /** Called first: no new work for the children. */
  readonly onStopping: () => void;
  readonly log: Log;
}

export type StopProgress = (text: string) => void;

export class NodeStop {
  readonly #deps: NodeStopDeps;
  readonly #listeners = new Set<StopProgress>();
  #done: Promise<readonly string[]> | null = null;
  #begun: () => void = () => {};
  /** Resolves when a stop has begun. */
  readonly begun = new Promise<void>((resolve) => {
    this.#begun = resolve;
  });

  constructor(deps: NodeStopDeps) {
    this.#deps = deps;
  }

  get isUnderWay(): boolean {
    return this.#done !== null;
  }

  /** Resolves when all children have ended, with the names of those that had to be killed. */
  async stop(
    reason: string,
    options: { progress?: StopProgress; deadlineMs?: number } = {},
  ): Promise<readonly string[]> {
    if (options.progress) this.#listeners.add(options.progress);
    this.#done ??= this.#stop(reason, options.deadlineMs ?? this.#deps.deadlineMs());
    return this.#done;
  }

  /** A child says what it waits for (and has logged it itself). */
  onWaiting(child: Child, what: string): void {
    this.#tell(`${child.name} waits for ${what}`);
  }

  /** Waits for nobody any longer. */
  hurry(reason: string): void {
    for (const child of this.#deps.supervisor.living()) {
      this.#deps.log.warn('child.killed', { child: child.name, childPid: child.pid, reason });
      child.kill('SIGKILL');
    }
  }

  async #stop(reason: string, deadlineMs: number): Promise<readonly string[]> {
    const { supervisor, onStopping, log } = this.#deps;
    supervisor.startNoMore();
    onStopping();
    this.#begun();
    const children = supervisor.living();
    log.info('stop.begun', { reason, deadlineMs, children: children.length });
    this.#tell(`stopping ${children.length} processes, ${deadlineMs / 1000} s at most`);
    const killed = await stopChildren(children, {
      reason,
      deadlineMs,
      closing: 'server',
      log,
      progress: (text) => this.#tell(text),
    });
    log.info('stop.done', { killed: killed.length });
    return killed;
  }

  #tell(text: string): void {
    for (const listener of this.#listeners) listener(text);
  }
}
