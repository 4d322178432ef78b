/** What any process may ask all processes that hold sockets. */
import { z } from 'zod';
import type { SessionSummary } from '../domain/session.js';
import { type NodeFigures, nodeFiguresSchema } from './node-figures.js';

export interface Questions {
  /** Where and with what a user is connected. */
  online: { args: { uid: number }; result: { connections: SessionSummary[] } };
  /** Close all of a user's connections (4003). */
  kick: { args: { uid: number; reason: string }; result: { closed: number } };
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

/** What comes from another node is parsed with these. */
export const questionSchemas: {
  readonly [Q in QuestionName]: {
    readonly args: z.ZodType<Questions[Q]['args']>;
    readonly result: z.ZodType<Questions[Q]['result']>;
  };
} = {
  online: {
    args: z.object({ uid }),
    result: z.object({ connections: z.array(session).max(10_000) }),
  },
  kick: {
    args: z.object({ uid, reason: z.string().max(1024) }),
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
