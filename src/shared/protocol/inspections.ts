/** What `spush user show` and `spush message show` tell: asked by the master of a Worker. Times are ISO 8601. */
import * as z from 'zod';
import { kindBacklogs, messageCourse, messageIdSchema } from './store-facts.js';

const count = z.number();
const time = z.string();

/** A connection of the user. The fields after `session` are null when its process is of an earlier version. */
const shownConnectionSchema = z.object({
  node: z.string(),
  /** Title of its Worker. */
  process: z.string(),
  channel: z.enum(['web', 'app']),
  device: z.string().nullable(),
  /** Of the login. */
  since: time,
  session: z.string(),
  address: z.string().nullable(),
  connectedAt: time.nullable(),
  /** How long ago the client was heard of last. */
  heardMsAgo: z.number().nullable(),
  /** Whether its client acknowledges. */
  ack: z.boolean().nullable(),
  /** Messages that a client which does not acknowledge was sent and is not known to have. */
  unconfirmed: count.nullable(),
  /** Written, and not taken by the other side. */
  unsentBytes: count.nullable(),
  /** What is pending is being written to it. */
  replaying: z.boolean().nullable(),
  /** Live copies were left out because it takes its output too slowly. */
  leftOut: z.boolean().nullable(),
  /** How long ago the oldest push was since which nothing has been heard; null: there is none. */
  silentMs: z.number().nullable(),
});
export type ShownConnection = z.infer<typeof shownConnectionSchema>;

const shownBacklogs = kindBacklogs(time);
export type ShownBacklogs = z.infer<typeof shownBacklogs>;

/** Part of the answer could not be had. */
const missingSchema = z.object({ code: z.string(), text: z.string() });

export const userShownSchema = z.object({
  uid: z.number(),
  /** Whether there is a connection of the user, or a message for the user in a store; null: what was reached has nothing, and not all was. */
  known: z.boolean().nullable(),
  connections: z.array(shownConnectionSchema),
  /** Processes and nodes that did not answer: what they hold is missing here. */
  silent: z.array(z.string()),
  /** Null when the store did not answer; `storeFault` says why. */
  store: z
    .object({
      pending: count,
      /** Of one kind as many were counted as are counted at most: there may be more. */
      capped: z.boolean(),
      kinds: shownBacklogs,
      /** The next ones that may be delivered. */
      next: z.array(z.string()),
      unread: z.object({ comment: count, userNotice: count, systemNotice: count, total: count }),
    })
    .nullable(),
  storeFault: missingSchema.nullable(),
  /** What waits for the user in the spills of nodes, until the database is back. */
  spilled: z.array(z.object({ node: z.string(), pending: count, kinds: shownBacklogs })),
});
export type UserShown = z.infer<typeof userShownSchema>;

export const messageShownSchema = z.object({
  id: z.string(),
  ...messageCourse(time),
  replacedBy: z.string().nullable(),
  /** It waits for the next run of the job of its kind, which has this name. */
  waitsForJob: z.string().nullable(),
  /** The node in whose spill it lies; null: in the store. */
  node: z.string().nullable(),
});
export type MessageShown = z.infer<typeof messageShownSchema>;

export const NEXT_IDS_MAX = 100;
export const userShowArgs = z.object({
  uid: z.int().positive(),
  /** How many of the next messages are named. */
  next: z.int().min(0).max(NEXT_IDS_MAX).default(5),
});
export const messageShowArgs = z.object({ id: messageIdSchema });
