/**
 * `process.show`: a row for each process, the master first. A slot whose process is not running has a row as well, and
 * while a process is being replaced both the old and the new one have a row.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../../../shared/base/clock.js';
import { childGroup, masterTitle } from '../../../shared/domain/role.js';
import type { ProcessRow } from '../../../shared/protocol/control-commands.js';
import type { ChildStats } from '../../../shared/protocol/ipc.js';
import type { ProcessFigures, ReadProcessFigures } from '../../status/process-figures.js';
import type { Child } from '../../supervisor/child.js';
import type { Slot } from '../../supervisor/slot.js';
import type { ControlHandler } from '../control-handlers.js';

export interface ProcessShowDeps {
  readonly mode: string;
  /** The master's. */
  readonly version: string;
  /** Unix ms. */
  readonly startedAt: number;
  readonly slots: () => readonly Slot[];
  /** Every process of this place, the one that has it first. */
  readonly childrenOf: (slot: Slot) => readonly Child[];
  readonly figures: ReadProcessFigures;
  readonly statsOf: (child: Child) => Promise<ChildStats | null>;
}

export function processShow(deps: ProcessShowDeps): ControlHandler<'process.show'> {
  const { mode, startedAt, slots, childrenOf } = deps;
  return async () => {
    const places = slots().map((slot) => ({ slot, children: childrenOf(slot) }));
    const children = places.flatMap((place) => place.children);
    const pids = [process.pid, ...children.flatMap(({ pid }) => (pid === null ? [] : [pid]))];
    const [figures, stats] = await Promise.all([
      deps.figures(pids),
      Promise.all(children.map(async (child) => [child, await deps.statsOf(child)] as const)),
    ]);
    const statsOf = new Map(stats);
    const title = masterTitle(mode);
    const master: ProcessRow = {
      pid: process.pid,
      name: title,
      group: title,
      ...usage(figures.get(process.pid)),
      startUpTime: isoTime(startedAt),
      heapUsed: getHeapStatistics().used_heap_size,
      connections: null,
      restarts: 0,
      version: deps.version,
      state: 'ready',
    };
    const rows = places.flatMap(({ slot, children }) => {
      const group = childGroup(mode, slot.role);
      if (children.length === 0) return [emptyRow(slot, group)];
      return children.map((child) =>
        childRow({ slot, group, child }, figures.get(child.pid ?? 0), statsOf.get(child) ?? null),
      );
    });
    return { processes: [master, ...rows] };
  };
}

function childRow(
  { slot, group, child }: { slot: Slot; group: string; child: Child },
  figures: ProcessFigures | undefined,
  stats: ChildStats | null,
): ProcessRow {
  return {
    pid: child.pid,
    name: slot.name,
    group,
    ...usage(figures),
    startUpTime: isoTime(child.startedAt),
    heapUsed: stats?.heapUsedBytes ?? null,
    connections: slot.role === 'worker' ? (stats?.connections ?? null) : null,
    restarts: slot.restarts,
    version: child.version,
    state: child.stopping ? 'stopping' : child.readySince === null ? 'starting' : 'ready',
  };
}

function emptyRow(slot: Slot, group: string): ProcessRow {
  return {
    pid: null,
    name: slot.name,
    group,
    ...usage(undefined),
    startUpTime: null,
    heapUsed: null,
    connections: null,
    restarts: slot.restarts,
    version: null,
    state: slot.state,
  };
}

function usage(figures: ProcessFigures | undefined) {
  return {
    memoryUsage: figures?.memory ?? null,
    memoryPeakUsage: figures?.memoryPeak ?? null,
    cpu: figures?.cpu ?? null,
  };
}

function isoTime(at: ReturnType<Clock['now']>): string {
  return new Date(at).toISOString();
}
