/**
 * Whether the user of this process can be the user of a server in this home. It has to write to Temp/: the control socket and
 * the pid file are in it. Said before anything is started, with whose the folder is, as that is what has to be changed.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SpushError } from '../../shared/base/errors.js';
import { shellWord } from '../../shared/base/shell-word.js';
import { isCode } from '../instance/atomic-files.js';
import type { Paths } from './config-schema.js';

export interface User {
  readonly uid: number;
  mayWrite(folder: string): boolean;
}

/** @throws SpushError CONTROL_NO_PERMISSION. What else keeps a folder from being made is said by whoever makes it. */
export function refuseHomeOfOthers({ home, temp }: Pick<Paths, 'home' | 'temp'>, user: User = self()): void {
  const { folder, owner } = nearestFolder(temp);
  if (user.mayWrite(folder)) return;
  const me = userName(user.uid);
  const isHome = folder === home || folder.startsWith(`${home}/`);
  throw new SpushError('CONTROL_NO_PERMISSION', isHome ? notMine() : notThere());

  function notMine(): string {
    if (owner === user.uid) return `${me} may not write to ${folder}: chmod u+rwx ${shellWord(folder)}`;
    const its = userName(owner);
    const asOwner = owner === 0 ? '' : `run the command as ${its} (as root: runuser -u ${its} -- …), or, `;
    return `${folder} belongs to ${its}, and ${me} may not write there: ${asOwner}where the server is to run as ${me}, as root: chown -R ${me} ${shellWord(home)}`;
  }

  function notThere(): string {
    return `${home} is not there, and ${me} may not make it in ${folder}: as root, install -d -m 0750 -o ${me} ${shellWord(home)}; or name another folder in SPUSH_HOME`;
  }
}

/** Null: nothing is wrong. @param user who runs the server */
export function rootWarning(
  { home }: Pick<Paths, 'home'>,
  { uid }: Pick<User, 'uid'> = self(),
): string | null {
  const { folder, owner } = nearestFolder(home);
  if (uid !== 0 || owner === 0 || folder !== home) return null;
  const its = userName(owner);
  return `root runs this server, but ${home} belongs to ${its}: what is written there now is root's, and a start as ${its} will be refused until chown -R ${its} ${shellWord(home)}`;
}

function self(): User {
  return {
    // Not on Linux: then nobody can be told apart.
    uid: process.geteuid?.() ?? 0,
    mayWrite: (folder) => {
      try {
        accessSync(folder, constants.W_OK | constants.X_OK);
        return true;
      } catch (error) {
        // Read-only file systems and the like are told by whoever writes.
        return !isCode(error, 'EACCES');
      }
    },
  };
}

/** The folder itself, or the first above it that is there and can be looked at. */
function nearestFolder(path: string): { readonly folder: string; readonly owner: number } {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      return { folder, owner: statSync(folder).uid };
    } catch (error) {
      if (dirname(folder) === folder || !isCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
    }
  }
}

/** The number where there is no account, as in many containers. */
function userName(uid: number): string {
  const fields = accounts().find((each) => each[2] === String(uid));
  return fields?.[0] ?? String(uid);
}

function accounts(): string[][] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    // It only makes numbers readable.
    return [];
  }
}
