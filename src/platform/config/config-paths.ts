/**
 * Where an instance lives on disk. SPUSH_ROOT holds what operators edit, SPUSH_HOME what spush writes,
 * SPUSH_LOG the logs where they are kept apart (/var/log). Needs the environment and the mode only, no configuration file: `server stop` must work while a file is faulty.
 */
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { isFormerMode, isMode } from '../../shared/domain/role.js';
import { PACKAGE_ROOT } from '../program/program-files.js';
import { type ConfigFault, configInvalid } from './config-fault.js';
import { type ConfigFile, ENV_NAMES, type Paths, type PushEnv } from './config-schema.js';

export const DEFAULT_MODE = 'websocket';

export interface PathOptions {
  /** What relative paths count from; null when it has been removed (present-folder.ts). */
  readonly cwd: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly mode: string;
}

/** Bytes of `sun_path`, less the zero at its end. */
export const SOCKET_PATH_BYTES_MAX = 107;

/** Where a server is that may run already. Throws CONFIG_INVALID, or USAGE for what was never the name of a mode. */
export function locatePaths(options: PathOptions): Paths {
  if (!isFormerMode(options.mode)) throw wrongMode(options.mode);
  const { paths, faults } = locate(options);
  if (faults.length > 0) throw configInvalid(faults);
  return paths;
}

/** Where a server is to be started. Answers the faults, to be listed with those of the files; throws USAGE for the mode. */
export function findPaths(options: PathOptions): { paths: Paths; faults: ConfigFault[] } {
  if (!isMode(options.mode)) throw wrongMode(options.mode);
  return locate(options);
}

function locate({ cwd, env, mode }: PathOptions): { paths: Paths; faults: ConfigFault[] } {
  const faults: ConfigFault[] = [];
  const root = env['SPUSH_ROOT'] ? absolute(cwd, env['SPUSH_ROOT']) : nearestRoot(presentOf(cwd));
  const problem = folderProblem(root);
  if (problem !== null) {
    faults.push({ where: 'SPUSH_ROOT', key: null, problem, expected: 'a folder that exists' });
  }
  const home = env['SPUSH_HOME'] ? absolute(cwd, env['SPUSH_HOME']) : root;
  const log = env['SPUSH_LOG'] ? absolute(cwd, env['SPUSH_LOG']) : logOf(home);
  const paths = pathsOf({ root, home, log, mode });
  const length = Buffer.byteLength(paths.socket);
  if (length > SOCKET_PATH_BYTES_MAX) {
    faults.push({
      where: env['SPUSH_HOME'] ? 'SPUSH_HOME' : 'SPUSH_ROOT',
      key: null,
      problem: `makes the path of the control socket ${length} bytes long (${paths.socket})`,
      expected: `at most ${SOCKET_PATH_BYTES_MAX} bytes, as Unix sockets take no more: set SPUSH_HOME to a shorter folder`,
    });
  }
  return { paths, faults };
}

/** Where logs are unless SPUSH_LOG says so. */
export function logOf(home: string): string {
  return join(home, 'Log');
}

export function pathsOf({
  root,
  home,
  log = logOf(home),
  mode,
}: {
  root: string;
  home: string;
  log?: string;
  mode: string;
}): Paths {
  const temp = join(home, 'Temp');
  return {
    root,
    home,
    temp,
    log,
    data: join(home, 'Data'),
    pidFile: join(temp, `${mode}.pid`),
    socket: join(temp, `${mode}.sock`),
    logFile: join(log, `${mode}.log`),
  };
}

/** Where a file is that differs between Test and Online. */
export function envFile(root: string, env: PushEnv, file: Exclude<ConfigFile, 'system'>): string {
  return join(root, 'conf', ENV_NAMES[env], `${file}.ts`);
}

/** Temp/ is for its owner alone: the control socket is in it. Without it nobody could stop the server, so it must be. */
export async function makeTempFolder({ temp }: Pick<Paths, 'temp'>): Promise<void> {
  try {
    await mkdir(temp, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new SpushError('START_FAILED', `cannot make the folder ${temp}: ${errorText(cause)}`, { cause });
  }
}

function wrongMode(mode: string): SpushError {
  const expected = 'expected 1 to 32 letters, digits, dashes or underscores, the first a letter or digit';
  const text = `the mode is ${JSON.stringify(mode)}; ${expected}`;
  if (!isFormerMode(mode)) return new SpushError('USAGE', text);
  const name = mode.replaceAll('.', '-');
  return new SpushError(
    'USAGE',
    `${text}. Dots are no longer taken, as files of such a mode could be those of another: stop it if it runs (spush server stop -mode=${mode}), rename Data/${mode}.* to Data/${name}.*, and start it as -mode=${name}`,
  );
}

function nearestRoot(cwd: string): string {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'bootstrap.ts'))) return folder;
    if (dirname(folder) === folder) return PACKAGE_ROOT;
  }
}

/** Throws USAGE for a relative path in a folder that has been removed. */
export function absolute(cwd: string | null, path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(presentOf(cwd), path);
}

function presentOf(cwd: string | null): string {
  if (cwd !== null) return cwd;
  throw new SpushError(
    'USAGE',
    'the folder in which this command was typed has been removed: change to one that exists, or set SPUSH_ROOT (and SPUSH_HOME, if it is set) to an absolute path',
  );
}

/** Null: it is one. */
function folderProblem(path: string): string | null {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? null : `is ${path}`;
  } catch (error) {
    // No right to look, a loop of links: what the system says.
    return `is ${path}, which cannot be looked at (${errorText(error)})`;
  }
}
