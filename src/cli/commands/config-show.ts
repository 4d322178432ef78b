/** `spush config show`: every key with its value, secrets masked, and where the value came from. */
import { relative } from 'node:path';
import { type ConfigRow, describeConfig } from '../../platform/config/describe-config.js';
import { loadConfig } from '../../platform/config/load-config.js';
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION } from '../action.js';
import { loadOptionsOf, START_OPTIONS } from '../start-options.js';
import { type Row, renderTable } from '../table.js';

export const configShow: CliAction = {
  name: 'show',
  doc: 'print every key, its value and where it came from; secrets are masked',
  options: [...START_OPTIONS, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const loaded = await loadConfig(loadOptionsOf(context, options));
    const rows = describeConfig(loaded);
    if (options.flag('json')) {
      terminal.printJson(rows);
      return EXIT.done;
    }
    const { root } = loaded.config.paths;
    terminal.print(
      renderTable(
        [{ key: 'key' }, { key: 'value' }, { key: 'source' }, { key: 'apply' }],
        rows.map((row) => toTableRow(row, root)),
        { width: terminal.width },
      ),
    );
    return EXIT.done;
  },
};

function toTableRow({ key, value, unit, source, apply }: ConfigRow, root: string): Row {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    key,
    value: unit === null || value === null ? text : `${text} ${unit}`,
    source: source.startsWith('/') ? relative(root, source) : source,
    apply,
  };
}
