/** The tables of `task status` and `task reboot`, or where to look when no TaskWorker is configured. */
import type { RebootRow, TaskRow } from '../shared/protocol/control-commands.js';
import { shortTime, text, time } from './figures.js';
import { fitTable, type Layout, type Layouts } from './fitted-table.js';

interface TableOptions {
  readonly width: number;
  readonly now: Date;
}

const NO_TASK_WORKERS = 'there is no TaskWorker; please check TaskWorkerNum: spush config show';

export function taskTable(rows: readonly TaskRow[], { width, now }: TableOptions): string {
  if (rows.length === 0) return NO_TASK_WORKERS;
  const layout = (start: (iso: string | null) => string, index: string): Layout<TaskRow> => [
    { title: 'running', cell: ({ running }) => text(running) },
    { title: 'success', cell: ({ success }) => text(success) },
    { title: 'fail', cell: ({ fail }) => text(fail) },
    { title: 'pid', cell: ({ pid }) => text(pid) },
    { title: 'startUpTime', cell: ({ startUpTime }) => start(startUpTime) },
    { title: index, cell: ({ workerIndex }) => text(workerIndex) },
    { title: 'queued', cell: ({ queued }) => text(queued) },
  ];
  const layouts: Layouts<TaskRow> = [
    layout(time, 'workerIndex'),
    layout(time, 'index'),
    layout((iso) => shortTime(iso, now), 'index'),
  ];
  return fitTable(layouts, rows, { width }).text;
}

export function rebootTable(rows: readonly RebootRow[], { width, now }: TableOptions): string {
  if (rows.length === 0) return NO_TASK_WORKERS;
  const layout = (when: (iso: string | null) => string): Layout<RebootRow> => [
    { title: 'pid', cell: ({ pid }) => text(pid) },
    { title: 'startUpTime', cell: ({ startUpTime }) => when(startUpTime) },
    { title: 'signalTime', cell: ({ signalTime }) => when(signalTime) },
    { title: 'signalType', cell: ({ signalType }) => signalType },
    { title: '3s-Status', cell: (row) => row['3s-Status'] },
    { title: 'newPid', cell: ({ newPid }) => text(newPid) },
  ];
  return fitTable([layout(time), layout((iso) => shortTime(iso, now))], rows, { width }).text;
}
