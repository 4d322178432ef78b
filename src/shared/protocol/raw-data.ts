/** Keeps `data` of messages as text where JSON with messages in it is read. */
import type { JsonCursor } from '../base/json-cursor.js';
import { RawJson } from '../base/raw-json.js';

/**
 * Puts the text of a message's `data` in place of its value; null stays null.
 *
 * @param cursor at the message's text; behind it afterwards.
 * @param message what JSON.parse made of it.
 * @param onMember told of each member: its name, and where its value begins.
 */
export function keepDataText(
  cursor: JsonCursor,
  message: object,
  onMember?: (name: string, at: number) => void,
): void {
  cursor.enter();
  while (cursor.more()) {
    const name = cursor.name();
    const from = cursor.at;
    onMember?.(name, from);
    const end = cursor.skip();
    if (name === 'data' && 'data' in message && message.data !== null) {
      message.data = new RawJson(cursor.text.slice(from, end));
    }
  }
}
