/** What any process may ask all processes that hold sockets. */
import * as z from 'zod';
import type { MessageFacts, UserBacklog } from '../domain/message.js';
import type { MessageId } from '../domain/message-id.js';
import type { SessionDetails, SessionSummary } from '../domain/session.js';
import { type NodeFigures, nodeFiguresSchema } from './node-figures.js';
import { messageFactsSchema, messageIdSchema, userBacklogSchema } from './store-facts.js';

export interface Questions {
  /** Where and with what a user is connected. */
  online: {
    /** `details`: all that an operator may know of them; processes of an earlier version leave it out. */
    args: { uid: number; details?: boolean | undefined };
    result: {
      connections: (SessionSummary & { details?: SessionDetails | undefined })[];
      /** With `details`, where there is a spill: what waits in it for the user; null: its file did not answer. */
      spilled?: { node: string; backlog: UserBacklog | null } | undefined;
    };
  };
  /** What the spill of the node knows of a message; its processes share it, and answer the same. */
  spilled: { args: { id: MessageId }; result: { node: string; message: MessageFacts | null } };
  /** Close all of a user's connections (4003). `late`: it was asked while the answerer was cut off; they may come back. */
  kick: { args: { uid: number; reason: string; late?: boolean | undefined }; result: { closed: number } };
  /** A page of logged-in users' ids, rising, above `after`. */
  uids: { args: { after: number; limit: number }; result: { uids: number[]; next: number | null } };
  /** The process's metrics, as prom-client's JSON. */
  metrics: { args: Record<string, never>; result: { metrics: unknown[] } };
  /** The figures of the process's whole node. */
  figures: { args: Record<string, never>; result: NodeFigures };
}

export type QuestionName = keyof Questions;

export interface Answers<R> {
  readonly answers: ReadonlyArray<{ readonly from: string; readonly result: R }>;
  /** Names of those that did not answer in time. */
  readonly silent: readonly string[];
}

/**
 * Who is asked: `everywhere` the processes of all nodes, `node` those of the asker's own node only, as each node sweeps
 * for its own users and tells its own metrics.
 */
export const QUESTION_REACH = {
  online: 'everywhere',
  spilled: 'everywhere',
  kick: 'everywhere',
  uids: 'node',
  metrics: 'node',
  figures: 'everywhere',
} as const satisfies Record<QuestionName, 'everywhere' | 'node'>;

const uid = z.int().positive();
const text = z.string().max(256);

const session = z.object({
  session: text,
  channel: z.enum(['web', 'app']),
  device: text.nullable(),
  since: z.number(),
  node: text,
  worker: text,
}) satisfies z.ZodType<SessionSummary>;

const details = z.object({
  address: text,
  connectedAt: z.number(),
  heardMsAgo: z.number(),
  ack: z.boolean(),
  unconfirmed: z.number(),
  unsentBytes: z.number(),
  replaying: z.boolean(),
  leftOut: z.boolean(),
  silentMs: z.number().nullable(),
}) satisfies z.ZodType<SessionDetails>;

/** What comes from another node is parsed with these. */
export const questionSchemas: {
  readonly [Q in QuestionName]: {
    readonly args: z.ZodType<Questions[Q]['args']>;
    readonly result: z.ZodType<Questions[Q]['result']>;
  };
} = {
  online: {
    args: z.object({ uid, details: z.boolean().optional() }),
    result: z.object({
      connections: z.array(session.extend({ details: details.optional() })).max(10_000),
      spilled: z.object({ node: text, backlog: userBacklogSchema.nullable() }).optional(),
    }),
  },
  spilled: {
    args: z.object({ id: messageIdSchema }),
    result: z.object({ node: text, message: messageFactsSchema.nullable() }),
  },
  kick: {
    args: z.object({ uid, reason: z.string().max(1024), late: z.boolean().optional() }),
    result: z.object({ closed: z.int().min(0) }),
  },
  uids: {
    args: z.object({ after: z.int().min(0), limit: z.int().min(1) }),
    result: z.object({ uids: z.array(uid), next: uid.nullable() }),
  },
  metrics: {
    args: z.strictObject({}),
    result: z.object({ metrics: z.array(z.unknown()) }),
  },
  figures: { args: z.strictObject({}), result: nodeFiguresSchema },
};
