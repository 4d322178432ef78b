/** JSON that a caller sent. Depth is looked at first: parsing a million levels stops the event loop for half a second. */
import { errorText, SpushError } from '../../shared/base/errors.js';
import { JsonCursor, stringEnd } from '../../shared/base/json-cursor.js';
import { keepDataText } from '../../shared/protocol/raw-data.js';

/** More than the deepest `data` in a batch needs. */
export const JSON_DEPTH_MAX = 64;
/** Shorter texts cannot be deep enough to cost anything. */
const HARMLESS_CHARS = 16_384;

/** Throws BAD_REQUEST; `what` names the text in the fault. */
export function parseJson(text: string, what: string): unknown {
  if (text.length > HARMLESS_CHARS && isDeeper(text, JSON_DEPTH_MAX)) {
    throw new SpushError('BAD_REQUEST', `${what} is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SpushError('BAD_REQUEST', `${what} is not JSON: ${errorText(error)}`, { cause: error });
  }
}

/** The body of a call: plain values, but `data` of each message is a RawJson. Throws BAD_REQUEST. */
export function parseCall(text: string): unknown {
  const call = parseJson(text, 'the body');
  if (!isObject(call)) return call;
  let messagesAt = 0;
  keepDataText(new JsonCursor(text), call, (name, at) => {
    if (name === 'messages') messagesAt = at;
  });
  if (Object.hasOwn(call, 'messages')) readMessages(new JsonCursor(text, messagesAt), call.messages);
  return call;
}

/** The same of a batch alone, as forms carry it. */
export function parseMessages(text: string): unknown {
  const messages = parseJson(text, 'field messages');
  readMessages(new JsonCursor(text), messages);
  return messages;
}

function readMessages(cursor: JsonCursor, messages: unknown): void {
  if (!Array.isArray(messages)) return;
  cursor.enter();
  for (let index = 0; cursor.more(); index += 1) {
    const message: unknown = messages[index];
    if (isObject(message)) keepDataText(cursor, message);
    else cursor.skip();
  }
}

function isObject(value: unknown): value is { messages?: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Right for JSON; for what is no JSON it answers something. */
function isDeeper(text: string, levels: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '"':
        at = stringEnd(text, at);
        break;
      case '[':
      case '{':
        depth += 1;
        if (depth > levels) return true;
        break;
      case ']':
      case '}':
        depth -= 1;
        break;
    }
  }
  return false;
}
