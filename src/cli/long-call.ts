/**
 * Work that may take minutes: whether anybody answers at all is known at once; after that, each step that is reported
 * renews the wait for the next.
 */
import type { ControlArgsIn, ControlCommandName, ControlData } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { configuredSeconds } from './configured-seconds.js';
import { askMaster, callMaster, targetOf } from './master-call.js';
import { progressOf } from './progress.js';

/** What a process may do before it makes room for the new one. */
export type Before = 'stop' | 'finishTasks';

export async function callForLong<C extends ControlCommandName>(
  context: CliContext,
  options: GivenOptions,
  call: { readonly command: C; readonly args: ControlArgsIn<C>; readonly before: Before },
): Promise<ControlData<C>> {
  const { command, args, before } = call;
  await askMaster(context, options, 'ping', {});
  const tell = progressOf(context, options);
  return callMaster(targetOf(context, options), command, args, {
    deadlineMs: await longestStepMs(context, options, before),
    renewedByEvents: true,
    onEvent: ({ text }) => tell(text),
  });
}

/** One process: the old one ends, the new one starts. */
async function longestStepMs(context: CliContext, options: GivenOptions, before: Before): Promise<number> {
  const { mode } = targetOf(context, options);
  const { startMs, spareMs } = context.patience;
  const stopSeconds = await configuredSeconds(context, mode, 'StopSeconds');
  const taskSeconds = before === 'stop' ? 0 : await configuredSeconds(context, mode, 'TaskSeconds');
  return (stopSeconds + taskSeconds) * 1000 + startMs + spareMs;
}
