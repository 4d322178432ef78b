/** What `process kill` and `process killAll` share: the long call, the rows with old and new pid, the exit code. */
import { EXIT, SpushError } from '../shared/base/errors.js';
import type { ControlArgsIn, KilledRow } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { failureOf, tellFailure } from './failure.js';
import { text } from './figures.js';
import { fitTable, type Layout } from './fitted-table.js';
import { callForLong } from './long-call.js';

const WITHOUT_GROUP: Layout<KilledRow> = [
  { title: 'pid', cell: ({ pid, newPid }) => `${pid} → ${text(newPid)}` },
  { title: 'name', cell: ({ name }) => name },
  { title: 'option', cell: ({ option }) => option },
];
const OF_WORKERS: Layout<KilledRow> = [
  ...WITHOUT_GROUP,
  { title: 'kept', cell: ({ kept }) => text(kept) },
  { title: 'closed', cell: ({ closed }) => text(closed) },
  { title: 'longestPauseMs', cell: ({ longestPauseMs }) => text(longestPauseMs) },
];
const [PID, NAME, ...REST] = WITHOUT_GROUP;
const FULL = [PID, NAME, { title: 'group', cell: ({ group }: KilledRow) => group }, ...REST].filter(
  (column) => column !== undefined,
);

/** @param which as a person would say it, for the text when there is none */
export async function killProcesses(
  context: CliContext,
  options: GivenOptions,
  { args, which }: { readonly args: ControlArgsIn<'process.kill'>; readonly which: string },
): Promise<number> {
  const { terminal } = context;
  const call = { command: 'process.kill', args, before: args.force ? 'stop' : 'finishTasks' } as const;
  const { processes } = await callForLong(context, options, call);
  if (processes.length === 0) throw new SpushError('PROCESS_UNKNOWN', `no process was killed: ${which}`);
  const missing = processes.filter(({ newPid }) => newPid === null).map(({ name }) => name);
  const text = `not yet up again: ${missing.join(', ')}; see spush process show and the log`;
  const failure = missing.length === 0 ? null : new SpushError('START_FAILED', text);
  if (options.flag('json')) {
    terminal.printJson({ processes, ...(failure ? { error: failureOf(failure) } : {}) });
  } else {
    const moved = processes.some(({ kept }) => kept !== null);
    const layouts = moved ? ([OF_WORKERS, WITHOUT_GROUP] as const) : ([FULL, WITHOUT_GROUP] as const);
    terminal.print(fitTable(layouts, processes, terminal).text);
    if (failure) tellFailure(terminal, failure, { json: false });
  }
  return failure?.exitCode ?? EXIT.done;
}
