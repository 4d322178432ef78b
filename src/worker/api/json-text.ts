/** JSON that a caller sent. Depth is looked at first: parsing a million levels stops the event loop for half a second. */
import { errorText, SpushError } from '../../shared/base/errors.js';
import { JsonCursor, stringEnd } from '../../shared/base/json-cursor.js';
import { clipped } from '../../shared/base/well-formed.js';
import { BATCH_MAX, badCall } from '../../shared/protocol/api.js';
import { keepDataText } from '../../shared/protocol/raw-data.js';

/** More than the deepest `data` in a batch needs. */
export const JSON_DEPTH_MAX = 64;
/** Shorter texts cannot be deep enough to cost anything. */
const HARMLESS_CHARS = 16_384;
/** The parser's text quotes what it found. */
const REASON_UNITS_MAX = 200;
const NAME_UNITS_MAX = 40;

/** Throws BAD_REQUEST; `what` names the text in the fault. */
export function parseJson(text: string, what: string): unknown {
  if (text.length > HARMLESS_CHARS && isDeeper(text, JSON_DEPTH_MAX)) {
    throw new SpushError('BAD_REQUEST', `${what} is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = clipped(errorText(error), REASON_UNITS_MAX);
    throw new SpushError('BAD_REQUEST', `${what} is not JSON: ${reason}`, { cause: error });
  }
}

/**
 * The body of a call: plain values, but `data` of each message is a RawJson. Throws BAD_REQUEST, also for a field that is there
 * twice: parsers take the one or the other, so who gets the message would be luck.
 */
export function parseCall(text: string): unknown {
  const call = parseJson(text, 'the body');
  if (!isObject(call)) return call;
  let messagesAt = 0;
  const noted = once(0, false);
  keepDataText(new JsonCursor(text), call, (name, at) => {
    noted(name);
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
  // What is none, or too many, is refused by the schemas.
  if (!Array.isArray(messages) || messages.length > BATCH_MAX) return;
  cursor.enter();
  for (let index = 0; cursor.more(); index += 1) {
    const message: unknown = messages[index];
    if (isObject(message)) keepDataText(cursor, message, once(index, true));
    else cursor.skip();
  }
}

/** Takes each name once. */
function once(index: number, inBatch: boolean): (name: string) => void {
  const names = new Set<string>();
  return (name) => {
    if (names.has(name)) {
      const path = clipped(name, NAME_UNITS_MAX);
      throw badCall([{ index, path, message: 'is there twice' }], { inBatch });
    }
    names.add(name);
  };
}

function isObject(value: unknown): value is { messages?: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Which value a place in JSON text belongs to: names and indexes from the outside in.
 *
 * @param text read by JSON.parse before, and not too deep.
 */
export function pathAt(text: string, place: number): string[] {
  const path: string[] = [];
  const cursor = new JsonCursor(text);
  for (let kind = cursor.peek(); kind === '{' || kind === '['; kind = cursor.peek()) {
    const step = stepTo(cursor, kind, place);
    if (step === null) break;
    path.push(step);
  }
  return path;
}

/** Moves the cursor to the member or element that the place is in; null when it is in none, or in a name. */
function stepTo(cursor: JsonCursor, kind: '{' | '[', place: number): string | null {
  cursor.enter();
  for (let index = 0; cursor.more(); index += 1) {
    const step = kind === '{' ? cursor.name() : String(index);
    const from = cursor.at;
    if (place < from) return null;
    if (place < cursor.skip()) {
      cursor.back(from);
      return step;
    }
  }
  return null;
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
