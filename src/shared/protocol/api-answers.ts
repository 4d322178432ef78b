/** What the HTTP API answers: `data` of each answer. For types and for the OpenAPI document; own answers are not checked. */
import * as z from 'zod';
import { KINDS } from '../domain/kind.js';
import type { MessageStatus } from '../domain/message.js';
import { isMessageId, type MessageId } from '../domain/message-id.js';
import type { SessionSummary } from '../domain/session.js';

/** Ids of one answer that are listed; a batch may have made more. */
export const IDS_LISTED_MAX = 1000;

const messageId = z
  .custom<MessageId>(isMessageId)
  .meta({ type: 'string', pattern: '^[1-9][0-9]{18}$', description: 'Message id; ids sort by time.' });
const unixMs = z.int().meta({ description: 'Unix milliseconds.' });
const count = z.int().min(0);
const silent = z
  .array(z.string())
  .optional()
  .meta({ description: 'Processes that did not answer in time: the answer leaves their part out.' });

export const acceptedSchema = z.object({
  accepted: count.meta({ description: 'Messages stored by this call, one per user.' }),
  duplicates: count.meta({ description: 'Messages stored by an earlier call with the same id.' }),
  spilled: count.optional().meta({
    description: 'Of both, those that are on the disk of this node until the database is back; absent: none.',
  }),
  ids: z
    .array(messageId)
    .max(IDS_LISTED_MAX)
    .meta({ description: 'One per message and user, in order; the stored id for a duplicate.' }),
  idsTruncated: z.literal(true).optional().meta({ description: 'There are more ids than are listed.' }),
});
export type AcceptedAnswer = z.output<typeof acceptedSchema>;

export const messageStatusSchema = z.object({
  id: messageId,
  kind: z.enum(KINDS),
  uid: z.int().positive().nullable().meta({ description: 'Null: for everybody.' }),
  state: z.enum(['pending', 'sent', 'acked', 'read', 'expired']),
  deliver: z.enum(['now', 'cron']),
  createdAt: unixMs,
  expiresAt: unixMs,
  sentAt: unixMs.nullable(),
  ackedAt: unixMs.nullable(),
  readAt: unixMs.nullable(),
  receipts: z
    .object({ sent: count, acked: count, read: count })
    .exactOptional()
    .meta({ description: 'System notices: how many users’ receipts say so.' }),
}) satisfies z.ZodType<MessageStatus>;

const sessionSummarySchema = z.object({
  session: z.string(),
  channel: z.enum(['web', 'app']),
  device: z.string().nullable(),
  since: unixMs.meta({ description: 'When it logged in, Unix milliseconds.' }),
  node: z.string(),
  worker: z.string(),
}) satisfies z.ZodType<SessionSummary>;

export const userStateSchema = z.object({
  uid: z.int().positive(),
  online: z.boolean(),
  connections: z.array(sessionSummarySchema),
  silent,
});
export type UserState = z.output<typeof userStateSchema>;

export const kickedSchema = z.object({
  uid: z.int().positive(),
  closed: count.meta({ description: 'Connections that were closed.' }),
  silent,
});
export type Kicked = z.output<typeof kickedSchema>;

/** `data` of a fault; which of these are there depends on the fault. */
export const faultDataSchema = z.object({
  errors: z
    .array(z.object({ index: count, path: z.string(), message: z.string() }))
    .optional()
    .meta({ description: 'Bad messages of a call: which of the batch, which field, what is wrong with it.' }),
  reasons: z
    .array(z.object({ check: z.string(), reason: z.string() }))
    .optional()
    .meta({ description: 'Why the process is not ready.' }),
  signedText: z
    .string()
    .optional()
    .meta({ description: 'What this server signed; compare it with what the caller signed.' }),
  ref: z.string().optional().meta({ description: 'Stands in the log beside an internal error.' }),
});
