import type { BusEvent } from '../../shared/protocol/bus-events.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';

/** What is published together, in pieces that fit into one frame each, in order. */
export function eventPieces(event: BusEvent): BusEvent[] {
  if (event.t !== 'push' || event.items.length <= PUSH_ITEMS_MAX) return [event];
  const pieces: BusEvent[] = [];
  for (let from = 0; from < event.items.length; from += PUSH_ITEMS_MAX)
    pieces.push({ ...event, items: event.items.slice(from, from + PUSH_ITEMS_MAX) });
  return pieces;
}
