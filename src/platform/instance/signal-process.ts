/**
 * A signal to a process that was found by a number: in a file, in /proc. Between finding and signalling the number may have
 * passed to another program, and a file may have been written by somebody else. So what is known of the process is
 * compared once more in the very step that signals; nothing is awaited in between. (What remains are some microseconds:
 * Node has no pidfd.)
 */
import { SpushError } from '../../shared/base/errors.js';
import { factsOf, identityIn, isHidden, type ProcessIdentity, sameProcess } from './process-identity.js';

export interface KnownProcess {
  readonly identity: ProcessIdentity;
  /** The user that it runs as. */
  readonly uid: number;
  /** Null: it may still be giving itself one. */
  readonly title: string | null;
}

/** False: it is gone, or no more the one that was meant. Throws CONTROL_NO_PERMISSION when it is another user's. */
export function signalProcess({ identity, uid, title }: KnownProcess, name: NodeJS.Signals): boolean {
  const { pid } = identity;
  const facts = factsOf(pid);
  if (facts === null) {
    if (isHidden(pid)) throw notPermitted(pid, name);
    return false;
  }
  if (!sameProcess(identityIn(facts), identity)) return false;
  if (facts.uid !== uid || (title !== null && facts.title !== title)) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw notPermitted(pid, name, error);
  }
}

function notPermitted(pid: number, name: NodeJS.Signals, cause?: unknown): SpushError {
  const text = `not permitted to send ${name} to pid ${pid}: it is of another user`;
  return new SpushError('CONTROL_NO_PERMISSION', text, { cause });
}
