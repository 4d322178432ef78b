/** The `push` event as a finished frame. */
import type { MessageItem } from '../../shared/domain/message.js';
import { eventText } from '../../shared/protocol/ws-frames.js';
import { textFrame } from '../gateway/text-frame.js';

/** @param tsSeconds Unix seconds */
export function pushFrame(items: readonly MessageItem[], tsSeconds: number, more = false): Buffer {
  return textFrame(eventText('push', tsSeconds, more ? { items, more: true } : { items }));
}
