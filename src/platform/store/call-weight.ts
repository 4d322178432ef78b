/** What a call weighs while it waits in a store's queue. */
import type { NewMessage } from '../../shared/domain/message.js';

export interface Weight {
  readonly rows: number;
  readonly bytes: number;
}

/** What a call and a row weigh besides their texts. */
const CALL_BYTES = 256;
const ROW_BYTES = 64;

export function weightOfRows(rows: number): Weight {
  return { rows, bytes: CALL_BYTES + rows * ROW_BYTES };
}

/** A text that neighbours share weighs once. */
export function weightOf(messages: readonly NewMessage[]): Weight {
  let { bytes } = weightOfRows(messages.length);
  let last: NewMessage | undefined;
  for (const message of messages) {
    if (message.content !== last?.content || message.title !== last.title || message.data !== last.data)
      bytes += message.title.length + message.content.length + (message.data?.length ?? 0);
    last = message;
  }
  return { rows: messages.length, bytes };
}
