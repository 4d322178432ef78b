/**
 * Work that may take minutes: whether anybody answers at all is known at once; after that, each step that is reported
 * renews the wait for the next.
 */
import type { ControlArgsIn, ControlCommandName, ControlData } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { askMaster, callMaster, targetOf } from './master-call.js';
import { progressOf } from './progress.js';
import { configuredMs, type Pong, runningMs } from './running-seconds.js';

/** What a process may do before it makes room for the new one. */
export type Before = 'stop' | 'finishTasks';

export interface LongCall<C extends ControlCommandName> {
  readonly command: C;
  readonly args: ControlArgsIn<C>;
  readonly before: Before;
  /** It makes the server read the files again, and their StopSeconds counts from then on. */
  readonly readsFiles?: boolean;
}

export async function callForLong<C extends ControlCommandName>(
  context: CliContext,
  options: GivenOptions,
  call: LongCall<C>,
): Promise<ControlData<C>> {
  const { command, args } = call;
  const pong = await askMaster(context, options, 'ping', {});
  const tell = progressOf(context, options);
  return callMaster(targetOf(context, options), command, args, {
    deadlineMs: await longestStepMs(context, options, call, pong),
    renewedByEvents: true,
    onEvent: ({ text }) => tell(text),
  });
}

/** One process: the old one ends, the new one starts. */
async function longestStepMs(
  context: CliContext,
  options: GivenOptions,
  { before, readsFiles = false }: Pick<LongCall<ControlCommandName>, 'before' | 'readsFiles'>,
  pong: Pong,
): Promise<number> {
  const { mode } = targetOf(context, options);
  const { startMs, spareMs } = context.patience;
  const runningStopMs = await runningMs(context, mode, pong, 'StopSeconds');
  const stopMs = readsFiles
    ? Math.max(runningStopMs, await configuredMs(context, mode, 'StopSeconds'))
    : runningStopMs;
  const taskMs = before === 'stop' ? 0 : await runningMs(context, mode, pong, 'TaskSeconds');
  return stopMs + taskMs + startMs + spareMs;
}
