/** The table of all nodes in `server status`: a row for each, and one for all together. */
import type { ServerStatus } from '../shared/protocol/control-commands.js';
import type { NodeSums } from '../shared/protocol/node-figures.js';
import { text } from './figures.js';
import { type FittedColumn, fitTable, type Layout, type Layouts } from './fitted-table.js';

type Row = NodeSums & {
  readonly node: string;
  readonly version: string | null;
  readonly versions?: readonly string[] | undefined;
};

const figure = (title: string, key: keyof NodeSums): FittedColumn<Row> => ({
  title,
  cell: (row) => text(row[key]),
});
const node: FittedColumn<Row> = { title: 'node', cell: (row) => row.node };
const version: FittedColumn<Row> = {
  title: 'version',
  cell: ({ version, versions = [] }) => (versions.length > 1 ? versions.join(', ') : text(version)),
};

const few: Layout<Row> = [node, figure('connections', 'connectionNum'), figure('logged in', 'sessionNum')];
const counts: Layout<Row> = [
  figure('requests', 'requestCount'),
  figure('pushes', 'pushCount'),
  figure('acks', 'ackCount'),
];
const workers = figure('workers', 'workerNum');
const LAYOUTS: Layouts<Row> = [
  [...few, figure('at most', 'maxLinkNumber'), ...counts, workers, version],
  [...few, ...counts, workers],
  [...few, ...counts],
  few,
];

/** Null where there is one node only. */
export function nodeTable({ nodes, total }: ServerStatus, { width }: { width: number }): string | null {
  if (!nodes || !total) return null;
  return fitTable(LAYOUTS, [...nodes, { ...total, node: 'total', version: null }], { width }).text;
}
