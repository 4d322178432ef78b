/** What travels on the bus. Parsed on arrival as hostile input. */
import { z } from 'zod';
import { KINDS } from '../domain/kind.js';
import type { MessageItem, ReadMark } from '../domain/message.js';
import { isMessageId, type MessageId } from '../domain/message-id.js';

const uid = z.int().positive();
const messageId = z.custom<MessageId>(isMessageId, 'a message id is a decimal string of 19 digits');

const item = z.object({
  id: messageId,
  kind: z.enum(KINDS),
  uid: uid.exactOptional(),
  title: z.string(),
  content: z.string(),
  url: z.string().exactOptional(),
  data: z.record(z.string(), z.unknown()).exactOptional(),
  createdAt: z.number(),
}) satisfies z.ZodType<MessageItem>;

const readMark = z.union([
  z.object({ ids: z.array(messageId).max(500).readonly() }),
  z.object({ kind: z.enum(KINDS) }),
  z.object({ all: z.literal(true) }),
]) satisfies z.ZodType<ReadMark>;

export const busEventSchema = z.discriminatedUnion('t', [
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
