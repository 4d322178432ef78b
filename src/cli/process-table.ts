/** The table of `process show`: master first, then by group, descending as in the original. */
import type { ProcessRow } from '../shared/protocol/control-commands.js';
import { age, cpu, memory, memoryPair, text, time } from './figures.js';
import { type FittedColumn, fitTable, type Layout } from './fitted-table.js';

export interface ProcessTableOptions {
  readonly mode: string;
  readonly width: number;
  readonly now: Date;
}

export function processTable(rows: readonly ProcessRow[], { mode, width, now }: ProcessTableOptions): string {
  const layouts = [WITHOUT_GROUP, ...narrowLayouts(mode, now)];
  const { text: table, layout } = fitTable([FULL, ...layouts], rows, { width });
  // Where there is no room for a column, only what is out of the ordinary is said.
  if (layout.includes(STATE)) return table;
  const notes = rows.filter(({ state }) => state !== 'ready').map(({ name, state }) => `${name}: ${state}`);
  return [table, ...notes].join('\n');
}

export function sortedProcesses(rows: readonly ProcessRow[], mode: string): ProcessRow[] {
  const isMaster = ({ name }: ProcessRow) => (name === `spush.${mode}.Master` ? 0 : 1);
  return [...rows].sort(
    (a, b) => isMaster(a) - isMaster(b) || b.group.localeCompare(a.group) || byNumber(a.name, b.name),
  );
}

/** Worker.2 before Worker.10. */
const byNumber = new Intl.Collator('en', { numeric: true }).compare;

type ProcessColumn = FittedColumn<ProcessRow>;

const PID: ProcessColumn = { title: 'pid', cell: ({ pid }) => text(pid) };
const NAME: ProcessColumn = { title: 'name', cell: ({ name }) => name };
const GROUP: ProcessColumn = { title: 'group', cell: ({ group }) => group };
const MEMORY: ProcessColumn = { title: 'memoryUsage', cell: ({ memoryUsage }) => memory(memoryUsage) };
const PEAK: ProcessColumn = {
  title: 'memoryPeakUsage',
  cell: ({ memoryPeakUsage }) => memory(memoryPeakUsage),
};
const START: ProcessColumn = { title: 'startUpTime', cell: ({ startUpTime }) => time(startUpTime) };
const CPU: ProcessColumn = { title: 'cpu', cell: (row) => cpu(row.cpu) };
const CONNECTIONS: ProcessColumn = { title: 'connections', cell: ({ connections }) => text(connections) };
const RESTARTS: ProcessColumn = { title: 'restarts', cell: ({ restarts }) => text(restarts) };
const HEAP: ProcessColumn = { title: 'heap', cell: ({ heapUsed }) => memory(heapUsed) };
const STATE: ProcessColumn = { title: 'state', cell: ({ state }) => state };

const FULL = [PID, NAME, GROUP, MEMORY, PEAK, START, CPU, CONNECTIONS, RESTARTS, HEAP, STATE];
/** The name begins with it. */
const WITHOUT_GROUP = FULL.filter((column) => column !== GROUP);

/** For terminals narrower than the full names need, from 120 columns down to 80. */
function narrowLayouts(mode: string, now: Date): Layout<ProcessRow>[] {
  const prefix = `spush.${mode}.`;
  const name: ProcessColumn = {
    title: 'name',
    cell: (row) => (row.name.startsWith(prefix) ? row.name.slice(prefix.length) : row.name),
  };
  const both: ProcessColumn = {
    title: 'memory/peak',
    cell: ({ memoryUsage, memoryPeakUsage }) => memoryPair(memoryUsage, memoryPeakUsage),
  };
  const up: ProcessColumn = { title: 'up', cell: ({ startUpTime }) => age(startUpTime, now) };
  const conns: ProcessColumn = { title: 'conns', cell: CONNECTIONS.cell };
  return [
    [PID, name, MEMORY, PEAK, START, CPU, CONNECTIONS, RESTARTS],
    [PID, name, both, up, CPU, conns, RESTARTS],
    // With pids of seven digits and connections of six.
    [PID, name, { title: 'memory', cell: MEMORY.cell }, up, CPU, conns, RESTARTS],
  ];
}
