/**
 * The configuration of the running server, beside that of this shell. A server that does not answer is no reason to fail: the
 * wait is bounded, and the answer says that it could not be asked.
 */
import { READ_AGAIN_MS } from '../platform/config/read-again.js';
import { newNonce } from '../platform/config/value-digest.js';
import { errorText, isSpushError } from '../shared/base/errors.js';
import type { ControlData } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import type { Digests } from './load-here.js';
import { askMaster, callMaster, targetOf } from './master-call.js';

export type RunningConfig =
  | ({ readonly state: 'answered' } & ControlData<'config.show'>)
  | { readonly state: 'notRunning' }
  /** It runs, and cannot be asked: why. */
  | { readonly state: 'noAnswer'; readonly reason: string };

/** @param digests of what is known of the configuration of this shell */
export async function askRunningConfig(
  context: CliContext,
  options: GivenOptions,
  digests: Digests,
): Promise<RunningConfig> {
  const nonce = newNonce();
  const args = { nonce, digests: digests(nonce) };
  try {
    // Whether anybody answers at all is known at once; reading its files may take a while.
    await askMaster(context, options, 'ping', {});
    const deadlineMs = READ_AGAIN_MS + context.patience.answerMs;
    const data = await callMaster(targetOf(context, options), 'config.show', args, { deadlineMs });
    return { state: 'answered', ...data };
  } catch (error) {
    if (isSpushError(error, 'NOT_RUNNING')) return { state: 'notRunning' };
    if (!isSpushError(error)) throw error;
    return { state: 'noAnswer', reason: errorText(error) };
  }
}
