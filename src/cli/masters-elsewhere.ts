/**
 * Masters of a mode that run in another SPUSH_HOME. A restart that finds none in its own home was most likely typed in a shell
 * that lacks the variable: it would start a second server and leave the first one as it is. They are found by the control
 * sockets that the kernel knows of, and asked who they are; those of other users are not asked, even by root.
 */
import { dirname } from 'node:path';
import { trustedOwner } from '../platform/instance/file-trust.js';
import { unixSockets } from '../platform/instance/kernel-sockets.js';
import type { Environment } from '../shared/protocol/environment.js';
import { callControl } from './control-client.js';
import { isSameFolder } from './folders.js';

export interface MasterElsewhere {
  readonly pid: number;
  readonly environment: Environment;
}

export interface LookElsewhere {
  readonly mode: string;
  readonly root: string;
  readonly home: string;
  /** The folder of the program: a master of the same program, or of the same root, is taken for the one that was meant. */
  readonly program: string;
  readonly answerMs: number;
}

/** More are not asked. */
const ASKED_MAX = 16;

/** Those of the same SPUSH_ROOT first, then those that only run the same program. */
export async function mastersElsewhere(look: LookElsewhere): Promise<MasterElsewhere[]> {
  const { mode, home } = look;
  const paths = (await unixSockets()).flatMap(({ path, listens }) =>
    listens && path !== null ? [path] : [],
  );
  const sockets = [...new Set(paths)].filter(
    (path) =>
      path.startsWith('/') &&
      path.endsWith(`/Temp/${mode}.sock`) &&
      !isSameFolder(dirname(dirname(path)), home) &&
      isOwn(path),
  );
  const found = await Promise.all(sockets.slice(0, ASKED_MAX).map((socket) => askWhoItIs(socket, look)));
  const masters = found.filter((master) => master !== null);
  const isOfRoot = ({ environment: { root } }: MasterElsewhere): boolean => isSameFolder(root, look.root);
  return [...masters.filter(isOfRoot), ...masters.filter((master) => !isOfRoot(master))];
}

/** What it answers becomes a command to be copied, which runs the files of its root: root would run those of another user. */
function isOwn(socket: string): boolean {
  try {
    return trustedOwner(socket, 'socket') === process.geteuid?.();
  } catch {
    // Gone, not ours to look at, or others can write there: passed over, as this is only a hint.
    return false;
  }
}

async function askWhoItIs(socket: string, look: LookElsewhere): Promise<MasterElsewhere | null> {
  const { mode, root, program, answerMs } = look;
  try {
    const { pid, environment } = await callControl({ mode, socket }, 'ping', {}, { deadlineMs: answerMs });
    if (environment === undefined) return null;
    const isMeant = isSameFolder(environment.root, root) || isSameFolder(environment.program, program);
    return isMeant ? { pid, environment } : null;
  } catch {
    // Of an earlier version, hanging, or in a container: passed over, as this is only a hint.
    return null;
  }
}
