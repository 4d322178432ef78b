/** What a store knows of a message and of a user's backlog, as nodes tell each other. Times are Unix ms. */
import * as z from 'zod';
import { KINDS } from '../domain/kind.js';
import type { MessageFacts, UserBacklog } from '../domain/message.js';
import { isMessageId, type MessageId } from '../domain/message-id.js';

const count = z.int().min(0);
const unixMs = z.number();

export const messageIdSchema = z.custom<MessageId>(isMessageId, 'expected a message id (19 digits)');

/** What became of a message, but for other messages and places. @param time how times are told */
export function messageCourse<T extends z.ZodType>(time: T) {
  return {
    kind: z.enum(KINDS),
    /** Null: for everybody. */
    uid: z.int().positive().nullable(),
    state: z.enum(['pending', 'sent', 'acked', 'read', 'expired', 'replaced']),
    /** Nothing more is to be delivered of it. */
    settled: z.boolean(),
    deliver: z.enum(['now', 'cron']),
    createdAt: time,
    expiresAt: time,
    sentAt: time.nullable(),
    ackedAt: time.nullable(),
    readAt: time.nullable(),
    /** Of a notice for everybody: how many users' receipts say so. */
    receipts: z.object({ sent: count, acked: count, read: count }).nullable(),
    storedIn: z.enum(['store', 'spill']),
    /** What it says, in UTF-8. */
    bytes: count,
  };
}

/** What a user has still to get, by kind. @param time how times are told */
export function kindBacklogs<T extends z.ZodType>(time: T) {
  const backlog = z.object({ count, sent: count, held: count, oldestAt: time.nullable() });
  return z.object({ comment: backlog, userNotice: backlog, systemNotice: backlog });
}

export const messageFactsSchema = z.object({
  id: messageIdSchema,
  ...messageCourse(unixMs),
  replacedBy: messageIdSchema.nullable(),
  held: z.boolean(),
}) satisfies z.ZodType<MessageFacts>;

export const userBacklogSchema = z.object({
  known: z.boolean(),
  kinds: kindBacklogs(unixMs),
  capped: z.boolean(),
}) satisfies z.ZodType<UserBacklog>;
