/**
 * Whether a file that names a process may be believed. Whoever could have written it could have named any process, which
 * would then be signalled with the rights of the person who types `server stop`. So the file and its folder must be
 * writable by one user only, and the process must be that user's: a forger gets at his own processes, which are his anyway.
 */
import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;

/** Why a file is not believed, and what to do. */
export class UntrustedFile extends Error {}

/** The user that wrote the file, or made the socket. Throws UntrustedFile, or what the file system says. */
export function trustedOwner(file: string, kind: 'file' | 'socket' = 'file'): number {
  const folder = dirname(file);
  const { uid: folderUid, mode: folderMode } = statSync(folder);
  const stats = lstatSync(file);
  if (kind === 'file' ? !stats.isFile() : !stats.isSocket()) {
    throw new UntrustedFile(`${file} is no ${kind === 'file' ? 'plain file' : 'socket'}; remove it`);
  }
  for (const [path, mode] of [
    [folder, folderMode],
    [file, stats.mode],
  ] as const) {
    if ((mode & WRITABLE_BY_OTHERS) === 0) continue;
    const shown = (mode & 0o7777).toString(8).padStart(4, '0');
    throw new UntrustedFile(
      `${path} can be written by others (mode ${shown}), so what is in it is not believed: chmod go-w ${path}`,
    );
  }
  const self = process.geteuid?.() ?? 0;
  const isBelieved = (uid: number): boolean => uid === 0 || uid === self || self === 0;
  if (!isBelieved(stats.uid) || !(folderUid === stats.uid || folderUid === 0)) {
    throw new UntrustedFile(
      `${file} belongs to user ${stats.uid} and its folder to user ${folderUid}, so what is in it is not believed: chown both to the user of the server`,
    );
  }
  return stats.uid;
}
