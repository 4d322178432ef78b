/**
 * Small steps on files that either happen or do not, and say which. What is written is on the disk, with its name, when the
 * call returns: a loss of power leaves the old or the new file, never an empty one.
 */
import { constants } from 'node:fs';
import { link, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorText } from '../../shared/base/errors.js';
import { MeaninglessFile } from './meaningless-file.js';

/** Files that were set aside and are kept, for each name; the oldest go. */
export const ASIDE_MAX = 3;
/** For their owner alone. */
export const PRIVATE_FILE_MODE = 0o600;
/** What spush keeps in such files is far below. */
const OWN_FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Also when its folder is none. */
const NOT_THERE = ['ENOENT', 'ENOTDIR'] as const;

/**
 * The text of a plain file; null when there is none. Throws MeaninglessFile for something else that has its name, which could
 * keep a reader waiting for ever (a pipe), and for a file that is longer than any of ours.
 */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new MeaninglessFile(`${file} is no plain file`);
      if (stats.size > OWN_FILE_BYTES_MAX) throw new MeaninglessFile(`${file} has ${stats.size} bytes`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isCode(error, ...NOT_THERE)) return null;
    // A socket, or a device that is not there.
    if (isCode(error, 'ENXIO', 'ENODEV')) throw new MeaninglessFile(`${file} is no plain file`);
    throw error;
  }
}

/** Gives a complete file its name, unless the name is in use. */
export async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
  await syncFolder(dirname(to));
  return true;
}

export async function unlinkIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!isCode(error, ...NOT_THERE)) throw error;
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Replaces a file as a whole: whoever reads it sees the old or the new text, also after a loss of power. One writer at a
 * time per file; what a writer that was killed has left is overwritten.
 */
export async function replaceFile(file: string, text: string, mode = PRIVATE_FILE_MODE): Promise<void> {
  const draft = `${file}.new`;
  await writeWhole(draft, text, mode);
  await moveOver(draft, file);
}

/**
 * A file with this text, on the disk; its name may be lost with the power. What has the name goes. The file is made anew and
 * never one that is there: a link that somebody has put there would lead what root writes anywhere.
 */
export async function writeWhole(file: string, text: string, mode = PRIVATE_FILE_MODE): Promise<void> {
  await unlinkIfThere(file);
  const handle = await open(file, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a file the name of another, which is gone then. */
export async function moveOver(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/**
 * Moves a file that makes no sense out of the way, to `FILE.broken-20260131T120000`, so that somebody can look at it. The
 * newest three are kept. Answers where it is, null when it was gone already.
 */
export async function setAside(file: string, unixMs: number): Promise<string | null> {
  const stamp = new Date(unixMs).toISOString().replace(/[-:]|\.\d+Z$/g, '');
  const folder = dirname(file);
  const prefix = `${basename(file)}.broken-`;
  const taken = new Set((await readdir(folder)).filter((name) => name.startsWith(prefix)));
  let name = `${prefix}${stamp}`;
  for (let n = 2; taken.has(name); n += 1) name = `${prefix}${stamp}-${n}`;
  const to = join(folder, name);
  try {
    await rename(file, to);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
  await syncFolder(folder);
  for (const old of [...taken]
    .sort()
    .reverse()
    .slice(ASIDE_MAX - 1))
    await unlinkIfThere(join(folder, old));
  return to;
}

/** A name given, changed or taken away is on the disk. Some file systems cannot be asked for that, and need not be. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!isCode(error, 'EINVAL', 'ENOTSUP', 'EBADF')) throw error;
  } finally {
    await handle.close();
  }
}

/** Why a file cannot be read as what it should be: empty and filled with zeros are what a loss of power leaves. */
export function whatIsWrong(text: string, error: unknown): string {
  if (text === '') return 'it is empty';
  if (/^\0+$/.test(text)) return 'it holds nothing but zero bytes';
  return errorText(error);
}
