/**
 * How a master is started: the command line runs it in the foreground, the detached process runs it by itself, and
 * neither may import it. main.ts hands the function in.
 */
import type { LogConsole } from '../../shared/protocol/ipc.js';
import type { LoadedConfig, LoadOptions } from '../config/load-config.js';

export interface MasterInfo {
  readonly pid: number;
  /** Where the Workers listen, with the real port, e.g. `0.0.0.0:9501`. */
  readonly listen: string;
  /** What is wrong and has not kept the server from starting, in words. */
  readonly warnings: readonly string[];
}

export interface RunMasterOptions extends LoadedConfig {
  /** What the configuration was loaded with, for when it is loaded again. */
  readonly loadOptions: LoadOptions;
  readonly version: string;
  /** The executable as it was called, whose links may be moved to another release before a reload. */
  readonly launchPath: string;
  /** What standard output gets of the log. */
  readonly console: LogConsole;
  /** Called once, when every process is ready and the port is open. */
  onReady(info: MasterInfo): void;
}

/**
 * Resolves with the exit code when the daemon has ended. Rejects with a SpushError (PORT_TAKEN, ALREADY_RUNNING,
 * START_FAILED, …) when it could not start; then nothing of it is left.
 */
export type RunMaster = (options: RunMasterOptions) => Promise<number>;
