/** `spush server reload`: the configuration is read again and every Worker replaced; the connections go to the new ones. */
import { EXIT, SpushError } from '../../shared/base/errors.js';
import type { HiddenEditRow, ReloadResult } from '../../shared/protocol/control-commands.js';
import type { NameChangesRow } from '../../shared/protocol/name-changes.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { failureOf, tellFailure } from '../failure.js';
import { callForLong } from '../long-call.js';
import { modeOf } from '../start-options.js';
import { renderTable } from '../table.js';

export const serverReload: CliAction = {
  name: 'reload',
  doc: 'read the configuration again and replace every Worker; connections stay open',
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const call = { command: 'server.reload', args: {}, before: 'stop', readsFiles: true } as const;
    const result = await callForLong(context, options, call);
    const failure = failureIn(result);
    const exitCode = failure?.exitCode ?? EXIT.done;
    if (options.flag('json')) {
      terminal.printJson({ ...result, ...(failure ? { error: failureOf(failure) } : {}) });
      return exitCode;
    }
    terminal.print(resultTable(result, terminal.width));
    for (const edit of result.hidden)
      terminal.print(terminal.paint('brown', hiddenText(edit, modeOf(options))));
    if (result.notApplied.length > 0) {
      const keys = result.notApplied.join(', ');
      const text = `not applied until spush server restart -mode=${modeOf(options)}: ${keys}`;
      terminal.print(terminal.paint('brown', text));
    }
    if (failure) tellFailure(terminal, failure, { json: false });
    return exitCode;
  },
};

/** All else is done when own jobs and tasks are not; null: they are too. */
function failureIn({ hooksFailed }: ReloadResult): SpushError | null {
  if (hooksFailed === null) return null;
  const text = `own jobs and tasks do not count everywhere yet: ${hooksFailed}; see the log, then reload again`;
  return new SpushError('RELOAD_FAILED', text);
}

/** A restart takes the variables of its own shell, and keeps the command line of the start. */
function hiddenText({ key, variable }: HiddenEditRow, mode: string): string {
  const how =
    variable === null
      ? `the command line of its start sets it and wins; spush server stop -mode=${mode}, then start it without that option`
      : `${variable} in the environment of its start wins; without it: spush server restart -mode=${mode}`;
  return `the edit of ${key} has no effect: ${how}`;
}

function resultTable({ hidden, hooksFailed, ...items }: ReloadResult, width: number): string {
  const rows = Object.entries(items).map(([item, value]) => ({ item, value: shown(value) }));
  return renderTable([{ key: 'item' }, { key: 'value' }], rows, { width });
}

/** Names, counts by reason, or what was added, removed and changed. */
function shown(value: number | readonly string[] | Record<string, number> | NameChangesRow): string {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.join(', ') || '-';
  const parts = Object.entries(value).map(([what, of]) =>
    typeof of === 'number' || of.length > 0 ? `${what} ${typeof of === 'number' ? of : of.join(', ')}` : '',
  );
  return parts.filter((part) => part !== '').join(', ') || '-';
}
