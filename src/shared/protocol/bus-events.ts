/** What travels on the bus. Parsed on arrival as hostile input. */
import * as z from 'zod';
import { JsonCursor } from '../base/json-cursor.js';
import { RawJson } from '../base/raw-json.js';
import { KINDS } from '../domain/kind.js';
import type { DataText, MessageItem, ReadMark } from '../domain/message.js';
import { isMessageId, type MessageId } from '../domain/message-id.js';
import { dataText } from './data-text.js';
import { keepDataText } from './raw-data.js';
import { itemsText, itemText } from './ws-frames.js';

const uid = z.int().positive();
const messageId = z.custom<MessageId>(isMessageId, 'a message id is a decimal string of 19 digits');

/** An object on the wire, a RawJson here. */
const data = z.unknown().transform((value, context): DataText => {
  const found = value instanceof RawJson ? dataText(value.text) : null;
  if (typeof found === 'string') return found;
  context.addIssue({ code: 'custom' });
  return z.NEVER;
});

const item = z.object({
  id: messageId,
  kind: z.enum(KINDS),
  uid: uid.exactOptional(),
  title: z.string(),
  content: z.string(),
  url: z.string().exactOptional(),
  data: data.exactOptional(),
  createdAt: z.number(),
}) satisfies z.ZodType<MessageItem>;

const readMark = z.union([
  z.object({ ids: z.array(messageId).max(500).readonly() }),
  z.object({ kind: z.enum(KINDS) }),
  z.object({ all: z.literal(true) }),
]) satisfies z.ZodType<ReadMark>;

const busEventSchema = z.discriminatedUnion('t', [
  /** Messages for one user. `again`: from a sweep, so a session that got one longer ago than the resend time gets it again. */
  z.object({
    t: z.literal('push'),
    uid,
    items: z.array(item).min(1).max(50),
    again: z.literal(true).exactOptional(),
  }),
  /** A notice for everybody, visitors too. */
  z.object({ t: z.literal('notice'), item }),
  /** A device of the user marked something as read; the session that did it is not told again. `n` tells doubles. */
  z.object({ t: z.literal('read'), uid, session: z.string(), n: z.string().min(1).max(64), mark: readMark }),
]);

export type BusEvent = z.infer<typeof busEventSchema>;

/** Who is to hear of an event: the followers of a user, or all. */
export function busEventUid(event: BusEvent): number | null {
  return event.t === 'notice' ? null : event.uid;
}

/** One line of JSON; `data` of messages stands in it as it came. */
export function busEventText(event: BusEvent): string {
  switch (event.t) {
    case 'push': {
      const { items, ...rest } = event;
      return `${JSON.stringify(rest).slice(0, -1)},"items":${itemsText(items)}}`;
    }
    case 'notice':
      return `{"t":"notice","item":${itemText(event.item)}}`;
    case 'read':
      return JSON.stringify(event);
  }
}

/**
 * The event, or what is wrong with it: places only, never the contents.
 *
 * @param json what JSON.parse made of the text.
 */
export function parseBusEvent(json: unknown, text: string): BusEvent | string {
  // No message with data: nothing to take out. A name that is escaped is none of ours, and its data is refused.
  if (text.includes('"data":')) keepItemsData(new JsonCursor(text), json);
  const parsed = busEventSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return issue ? `${issue.path.join('.') || 'event'}: ${issue.code}` : 'does not fit';
}

function keepItemsData(cursor: JsonCursor, event: unknown): void {
  if (!isObject(event)) return;
  cursor.enter();
  while (cursor.more()) {
    const name = cursor.name();
    const value = Object.hasOwn(event, name) ? (event as Record<string, unknown>)[name] : undefined;
    if (name === 'item' && isObject(value) && cursor.peek() === '{') keepDataText(cursor, value);
    else if (name === 'items' && Array.isArray(value) && cursor.peek() === '[') keepEach(cursor, value);
    else cursor.skip();
  }
}

function keepEach(cursor: JsonCursor, items: readonly unknown[]): void {
  cursor.enter();
  for (let index = 0; cursor.more(); index += 1) {
    const value = items[index];
    if (isObject(value) && cursor.peek() === '{') keepDataText(cursor, value);
    else cursor.skip();
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
