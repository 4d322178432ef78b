/**
 * Starts the process of a child: a cluster worker for a Worker, a plain fork otherwise. Connections come from the front
 * door (`accept/`), not from the cluster. Both are the
 * built program with the words `child` and role; the title comes third, so that `ps` tells who it is from the first
 * moment, and so that the arguments are long enough for the title (Linux gives it no more room than they had).
 */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import cluster from 'node:cluster';
import { leaveRemovedFolder } from '../../platform/program/removed-folder.js';
import { IpcChannel } from '../../platform/rpc/ipc-channel.js';
import type { SpawnedRole } from '../../shared/domain/role.js';

/** With the process gone, what it wrote into the channel still arrives; it is not waited for any longer than this. */
const CHANNEL_DRAIN_MS = 1000;
/** A process whose channel is closed ends by itself within its deadline for that (`child-runtime.ts`), or is killed. */
const DEAF_MS = 10_000;
/** Node raises no `disconnect` when the other side dies while a handle waits to be acknowledged; `connected` tells. */
const LOOK_MS = 250;

export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why there was no process at all, e.g. EAGAIN. */
  readonly spawnError: Error | null;
}

export interface SpawnedProcess {
  /** Null when it could not be started; then it ends at once. */
  readonly pid: number | null;
  readonly channel: IpcChannel;
  onMessage(listener: (message: unknown, handle?: unknown) => void): void;
  /** Called once: the process has ended and its last message has been heard. */
  onEnd(listener: (end: ChildEnd) => void): void;
  kill(signal: NodeJS.Signals): void;
}

export type SpawnProcess = (role: SpawnedRole, title: string) => SpawnedProcess;

/** @param mainFile of the program for a process that is started now */
export function processSpawner(mainFile: () => string): SpawnProcess {
  return (role, title) => {
    const program = mainFile();
    const args = ['child', role, title];
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
    try {
      leaveRemovedFolder();
      if (role !== 'worker') return spawned(fork(program, args, { stdio }));
      cluster.setupPrimary({ exec: program, args, stdio });
      const worker = cluster.fork();
      // The same error arrives at the process itself, where it is dealt with; unheard it would be thrown here.
      worker.on('error', () => {});
      return spawned(worker.process);
    } catch (error) {
      // Node throws for some of the kernel's refusals (ENOMEM, E2BIG) and raises 'error' for others.
      return neverStarted(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

function neverStarted(spawnError: Error): SpawnedProcess {
  return {
    pid: null,
    channel: new IpcChannel({ connected: false }),
    onMessage() {},
    onEnd: (listener) => void setImmediate(listener, { exitCode: null, signal: null, spawnError }),
    kill() {},
  };
}

function spawned(child: ChildProcess): SpawnedProcess {
  return {
    pid: child.pid ?? null,
    channel: new IpcChannel(child),
    onMessage: (listener) => child.on('message', listener),
    onEnd: (listener) => whenEnded(child, listener),
    kill: (signal) => child.kill(signal),
  };
}

function whenEnded(child: ChildProcess, listener: (end: ChildEnd) => void): void {
  let end: ChildEnd | null = null;
  let told = false;
  let drain: NodeJS.Timeout | undefined;
  let deaf: NodeJS.Timeout | undefined;
  const tell = (): void => {
    if (told || !end) return;
    told = true;
    clearTimeout(drain);
    listener(end);
  };
  child.on('error', (error) => {
    // Also raised when a message could not be written or a signal not be sent: only without a pid it is the end.
    if (child.pid !== undefined) return;
    end = { exitCode: null, signal: null, spawnError: error };
    tell();
  });
  const look = setInterval(() => {
    if (child.connected || deaf) return;
    deaf = setTimeout(() => child.kill('SIGKILL'), DEAF_MS);
    deaf.unref();
  }, LOOK_MS);
  look.unref();
  child.on('exit', (exitCode, signal) => {
    clearInterval(look);
    clearTimeout(deaf);
    end = { exitCode, signal, spawnError: null };
    if (child.connected) drain = setTimeout(tell, CHANNEL_DRAIN_MS);
    else tell();
  });
  child.on('disconnect', tell);
}
