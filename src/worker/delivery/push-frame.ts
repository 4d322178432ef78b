/** The `push` event as a finished frame. */
import type { MessageItem } from '../../shared/domain/message.js';
import { pushText } from '../../shared/protocol/ws-frames.js';
import { textFrame } from '../gateway/text-frame.js';

/** @param tsSeconds Unix seconds */
export function pushFrame(items: readonly MessageItem[], tsSeconds: number, more = false): Buffer {
  return textFrame(pushText(tsSeconds, more ? { items, more: true } : { items }));
}
