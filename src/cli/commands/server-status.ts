/** `spush server status`: the numbers of the whole node, and below them those of all nodes where there are several. */
import { EXIT } from '../../shared/base/errors.js';
import type { ServerStatus } from '../../shared/protocol/control-commands.js';
import type { Warning } from '../../shared/protocol/node-troubles.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { dateTime } from '../date-time.js';
import { askMaster } from '../master-call.js';
import { nodeTable } from '../node-table.js';
import { renderTable } from '../table.js';

export const serverStatus: CliAction = {
  name: 'status',
  doc: 'show the numbers of the running server',
  saidAs: ['show', 'info'],
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const status = await askMaster(context, options, 'server.status', {});
    if (options.flag('json')) terminal.printJson(status);
    else {
      terminal.print(statusTable(status, terminal.width));
      const nodes = nodeTable(status, terminal);
      if (nodes !== null) terminal.print(nodes);
      for (const name of status.silentNodes ?? []) {
        terminal.print(terminal.paint('red', `warning: no answer from ${name}; it is not in the total`));
      }
      for (const name of status.crashLoops) {
        const text = `warning: ${name} dies again and again and is tried once a minute only; see the log`;
        terminal.print(terminal.paint('red', text));
      }
      for (const text of warningTexts(status.warnings)) terminal.print(terminal.paint('red', text));
    }
    return EXIT.done;
  },
};

function statusTable(status: ServerStatus, width: number): string {
  const { crashLoops, warnings, nodes, total, silentNodes, versions, ...numbers } = status;
  const items = { ...numbers, version: versionText(status), startTime: dateTime(new Date(status.startTime)) };
  const rows = Object.entries(items).map(([item, value]) => ({
    item,
    value: value === null ? '-' : String(value),
  }));
  return renderTable([{ key: 'item' }, { key: 'value' }], rows, { width });
}

/** One line for each version with its processes, when they differ. */
function versionText({ version, versions }: ServerStatus): string {
  if (versions.length <= 1) return version;
  return versions.map((each) => `${each.version ?? 'unknown'}: ${each.processes.join(', ')}`).join('\n');
}

/** One line for what several processes say in the same words. */
export function warningTexts(warnings: readonly Warning[]): string[] {
  const groups = new Map<string, Warning[]>();
  for (const warning of warnings) {
    const key = `${warning.trouble}: ${warning.text}`;
    groups.set(key, [...(groups.get(key) ?? []), warning]);
  }
  return [...groups].map(([text, all]) => {
    const [first = '', ...others] = all.map(({ process }) => process);
    const who = others.length === 0 ? first : `${first} and ${others.length} more`;
    const since = all.map((warning) => warning.since).reduce((a, b) => (a < b ? a : b));
    return `warning: ${text} (${who}, since ${dateTime(new Date(since))})`;
  });
}
