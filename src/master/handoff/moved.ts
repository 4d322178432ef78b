/** What became of the connections of Workers that left: figures that can be added up, and said. */
import { counted } from '../../shared/base/counted.js';
import type { ClosedByReason } from '../../shared/protocol/handoff.js';

/** How a move went. */
export interface MoveResult {
  /** Connections that another Worker has now. */
  readonly kept: number;
  /** Connections that could not be moved and were closed. */
  readonly closed: ClosedByReason;
  readonly longestPauseMs: number;
  /** Connections that the leaver still holds, or that ended with it. */
  readonly left: number;
}

export interface Moved {
  /** Connections that stayed open. */
  readonly kept: number;
  readonly closed: number;
  /** How many for which reason; `left`: they were still there when the old process ended. */
  readonly closedBy: Readonly<Record<string, number>>;
  readonly longestPauseMs: number;
}

export const NOTHING_MOVED: Moved = { kept: 0, closed: 0, closedBy: {}, longestPauseMs: 0 };

/** With the end of the leaver what it had left is closed. */
export function movedOf({ kept, closed, left, longestPauseMs }: MoveResult): Moved {
  const closedBy = { ...closed, ...(left > 0 ? { left } : {}) };
  return { kept, closed: sum(Object.values(closedBy)), closedBy, longestPauseMs };
}

export function addMoved(a: Moved, b: Moved): Moved {
  const reasons = new Set([...Object.keys(a.closedBy), ...Object.keys(b.closedBy)]);
  const closedBy = [...reasons].map((reason) => [
    reason,
    (a.closedBy[reason] ?? 0) + (b.closedBy[reason] ?? 0),
  ]);
  return {
    kept: a.kept + b.kept,
    closed: a.closed + b.closed,
    closedBy: Object.fromEntries(closedBy),
    longestPauseMs: Math.max(a.longestPauseMs, b.longestPauseMs),
  };
}

/** `1200 connections kept, 3 closed (tls 2, left 1), longest pause 12.3 ms` */
export function movedText({ kept, closed, closedBy, longestPauseMs }: Moved): string {
  const reasons = reasonsText(closedBy);
  const why = reasons === '' ? '' : ` (${reasons})`;
  return `${counted(kept, 'connection')} kept, ${closed} closed${why}, ${pauseText(longestPauseMs)}`;
}

/** `tls 2, left 1` */
export function reasonsText(closedBy: Moved['closedBy']): string {
  return Object.entries(closedBy)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');
}

export function pauseText(longestPauseMs: number): string {
  return `longest pause ${longestPauseMs.toFixed(1)} ms`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
