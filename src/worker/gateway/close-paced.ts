/**
 * Closes many connections in slots, so that neither this process nor the one their clients come to has them all at once:
 * at a bounded rate, or faster where that would take longer than there is time.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const SLOT_MS = 50;
/** Connections closed in a second, as long as the time is enough for all of them. */
export const CLOSES_PER_SECOND = 1000;

export interface PacedOptions {
  /** All are closed after this. */
  readonly withinMs: number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** How many are closed in each slot. */
export function slotSize(count: number, withinMs: number): number {
  const slots = Math.max(1, Math.floor(withinMs / SLOT_MS));
  return Math.max((CLOSES_PER_SECOND * SLOT_MS) / 1000, Math.ceil(count / slots));
}

/** Resolves when `close` was called for each. */
export async function closePaced<T>(
  connections: readonly T[],
  close: (connection: T) => void,
  { withinMs, wait = sleep }: PacedOptions,
): Promise<void> {
  const size = slotSize(connections.length, withinMs);
  for (let from = 0; from < connections.length; from += size) {
    if (from > 0) await wait(SLOT_MS);
    for (const connection of connections.slice(from, from + size)) close(connection);
  }
}
