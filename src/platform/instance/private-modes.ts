/**
 * Who may read what spush writes: message texts and the control socket its own user alone, logs its group too. New files get
 * that whatever the umask is; what was made with wider rights, by an earlier version or by hand, is tightened.
 */
import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../shared/base/errors.js';
import type { Paths } from '../config/config-schema.js';
import { LOG_FILE_MODE, LOG_FOLDER_MODE } from '../log/log-file.js';
import { isCode, PRIVATE_FILE_MODE } from './atomic-files.js';

export const FOLDER_MODES = { temp: 0o700, log: LOG_FOLDER_MODE, data: 0o700 } as const;

export interface Tightened {
  readonly path: string;
  /** As `ls` and `chmod` count: 0644. */
  readonly from: string;
  readonly to: string;
}

export interface TightenedFiles {
  readonly changed: readonly Tightened[];
  /** What could not be changed, and why. */
  readonly faults: readonly string[];
}

/** The folders, and in them the files of one mode; and the store where the configuration puts it elsewhere. */
export async function tightenFiles(
  paths: Pick<Paths, 'temp' | 'log' | 'data'>,
  mode: string,
  storeFile: string | null,
): Promise<TightenedFiles> {
  const wanted: [path: string, mode: number][] = [
    [paths.temp, FOLDER_MODES.temp],
    [paths.log, FOLDER_MODES.log],
    [paths.data, FOLDER_MODES.data],
    ...(await filesOf(paths.log, mode)).map((file): [string, number] => [file, LOG_FILE_MODE]),
    ...(await filesOf(paths.data, mode)).map((file): [string, number] => [file, PRIVATE_FILE_MODE]),
  ];
  if (storeFile !== null) {
    for (const part of ['', '-wal', '-shm']) wanted.push([`${storeFile}${part}`, PRIVATE_FILE_MODE]);
  }
  const changed: Tightened[] = [];
  const faults: string[] = [];
  for (const [path, most] of wanted) {
    try {
      const done = await tighten(path, most);
      if (done) changed.push(done);
    } catch (error) {
      if (!isCode(error, 'ENOENT')) faults.push(`${path}: ${errorText(error)}`);
    }
  }
  return { changed, faults };
}

/** Takes away what goes beyond `most`; null when nothing does. Throws when it cannot, or it does not last. */
export async function tighten(path: string, most: number): Promise<Tightened | null> {
  const before = (await stat(path)).mode & 0o7777;
  const after = before & (most | 0o7000);
  if (after === before) return null;
  await chmod(path, after);
  if (((await stat(path)).mode & 0o777 & ~most) !== 0) {
    throw new Error(`its file system keeps the mode ${octal(before)}`);
  }
  return { path, from: octal(before), to: octal(after) };
}

async function filesOf(folder: string, mode: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const own = entries.filter((entry) => entry.isFile() && entry.name.startsWith(`${mode}.`));
    return own.map(({ name }) => join(folder, name));
  } catch {
    // A folder that cannot be listed is told by whoever needs it.
    return [];
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
