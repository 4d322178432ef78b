/** `spush server reload`: the configuration is read again and every Worker replaced; the connections go to the new ones. */
import { EXIT } from '../../shared/base/errors.js';
import type { ReloadResult } from '../../shared/protocol/control-commands.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { callForLong } from '../long-call.js';
import { modeOf } from '../start-options.js';
import { renderTable } from '../table.js';

export const serverReload: CliAction = {
  name: 'reload',
  doc: 'read the configuration again and replace every Worker; connections stay open',
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const call = { command: 'server.reload', args: {}, before: 'stop' } as const;
    const result = await callForLong(context, options, call);
    if (options.flag('json')) {
      terminal.printJson(result);
      return EXIT.done;
    }
    terminal.print(resultTable(result, terminal.width));
    if (result.notApplied.length > 0) {
      const keys = result.notApplied.join(', ');
      const text = `not applied until spush server restart -mode=${modeOf(options)}: ${keys}`;
      terminal.print(terminal.paint('brown', text));
    }
    return EXIT.done;
  },
};

function resultTable(result: ReloadResult, width: number): string {
  const rows = Object.entries(result).map(([item, value]) => ({
    item,
    value: shown(value),
  }));
  return renderTable([{ key: 'item' }, { key: 'value' }], rows, { width });
}

function shown(value: ReloadResult[keyof ReloadResult]): string {
  if (typeof value === 'number') return String(value);
  const parts = Array.isArray(value) ? value : Object.entries(value).map((pair) => pair.join(' '));
  return parts.join(', ') || '-';
}
