/**
 * The master of a mode as a process that may be signalled: by the kernel's claim or its files, and, where those are gone or
 * say nothing, by asking the process that listens on the control socket for its pid. Throws NOT_RUNNING when there is none, and a text
 * that says what to do when there may be one that cannot be named for certain.
 */

import { trustedOwner, UntrustedFile } from '../platform/instance/file-trust.js';
import { isListening, readInstance, removeStaleInstance } from '../platform/instance/instance-file.js';
import { factsOf, identityIn } from '../platform/instance/process-identity.js';
import type { KnownProcess } from '../platform/instance/signal-process.js';
import { SpushError } from '../shared/base/errors.js';
import { masterTitle } from '../shared/domain/role.js';
import { callMaster, type MasterTarget, notRunning } from './master-call.js';

export async function findMaster(target: MasterTarget, answerMs: number): Promise<KnownProcess> {
  const { paths } = target;
  const instance = await readInstance(paths);
  if (instance.state === 'running') return instance.master;
  if (instance.state === 'denied') throw notTold(target, 'CONTROL_NO_PERMISSION', instance.reason);
  if (await isListening(paths)) return askForMaster(target, answerMs);
  const notHere = (why: string) => notRunning(target, { why, deadlineMs: answerMs });
  switch (instance.state) {
    case 'none':
      throw await notHere(`there is no pid file at ${paths.pidFile}`);
    case 'elsewhere':
      throw await notHere(
        `pid ${instance.pid} in ${paths.pidFile} is of another container, and nobody listens on ${paths.socket}`,
      );
    case 'broken':
      if (instance.isUntrusted) throw notTold(target, 'STOP_FAILED', instance.reason);
      throw await notHere(`${instance.reason}; the next start sets it aside`);
    case 'stale': {
      const removed = await removeStaleInstance(paths, instance);
      const what = removed ? 'the stale file is removed' : 'another start is replacing the stale file';
      throw await notHere(`pid ${instance.pid} in ${paths.pidFile} is not its master any more; ${what}`);
    }
  }
}

/** Whoever listens may say any number: it is his only when it is a master's, of the user whose socket it is. */
async function askForMaster(target: MasterTarget, answerMs: number): Promise<KnownProcess> {
  const { mode, paths } = target;
  const { pid } = await callMaster(target, 'ping', {}, { deadlineMs: answerMs });
  const title = masterTitle(mode);
  const facts = factsOf(pid);
  try {
    const uid = trustedOwner(paths.socket, 'socket');
    if (facts !== null && facts.uid === uid && facts.title === title) {
      return { identity: identityIn(facts), uid, title };
    }
  } catch (error) {
    if (error instanceof UntrustedFile) throw notTold(target, 'STOP_FAILED', error.message);
    throw error;
  }
  throw notTold(
    target,
    'STOP_FAILED',
    `somebody answers at ${paths.socket} as pid ${pid}, which is not its master here: it runs in another container, or as another user; stop it there`,
  );
}

function notTold(
  { mode }: MasterTarget,
  code: 'CONTROL_NO_PERMISSION' | 'STOP_FAILED',
  reason: string,
): SpushError {
  return new SpushError(code, `cannot tell which process is the master of mode ${mode}: ${reason}`);
}
