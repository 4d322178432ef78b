/**
 * The users who are logged in on this node, in pages of rising ids. Each Worker pages through its own users; a page of
 * the whole goes as far as every Worker has told, so that a user of several Workers comes once and memory stays small.
 */
import * as z from 'zod';
import { SpushError } from '../../shared/base/errors.js';
import type { Answers, Questions } from '../../shared/protocol/questions.js';

const ASK_DEADLINE_MS = 5000;
const pageSchema = z.object({ uids: z.array(z.int()), next: z.int().nullable() });

export type AskForUids = (
  args: Questions['uids']['args'],
  options: { deadlineMs: number },
) => Promise<Answers<unknown>>;

export interface OnlinePage {
  /** Rising, each once. */
  readonly uids: readonly number[];
  /** Workers that did not answer: their users are left to the next sweep. */
  readonly silent: readonly string[];
}

/** @param limit users of each Worker in one page */
export async function* onlineUsers(ask: AskForUids, limit: number): AsyncGenerator<OnlinePage, void> {
  let after = 0;
  for (;;) {
    const { answers, silent } = await ask({ after, limit }, { deadlineMs: ASK_DEADLINE_MS });
    const pages = answers.map(({ result }) => pageSchema.parse(result));
    const nexts = pages.flatMap(({ next }) => (next === null ? [] : [next]));
    const upTo = nexts.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...nexts);
    const uids = new Set(pages.flatMap((page) => page.uids.filter((uid) => uid > after && uid <= upTo)));
    yield { uids: [...uids].sort((a, b) => a - b), silent };
    if (nexts.length === 0) return;
    if (upTo <= after)
      throw new SpushError('TASK_FAILED', `a Worker's page of users after ${after} ends at ${upTo}`);
    after = upTo;
  }
}
