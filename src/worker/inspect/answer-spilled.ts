/** This process's answers to what is asked of the spill of its node, which all processes of the node share. */
import type { MessageStore } from '../../platform/store/message-store.js';
import type { Questions } from '../../shared/protocol/questions.js';
import { inTime } from './in-time.js';

/** The connections are told by the same answer, and must not wait for a file that is locked. */
const FILE_DEADLINE_MS = 500;

export interface SpillAnswers {
  ofUser(uid: number): Promise<Pick<Questions['online']['result'], 'spilled'>>;
  ofMessage(args: Questions['spilled']['args']): Promise<Questions['spilled']['result']>;
}

/** @param node told apart from others of its name */
export function answerSpilled({ spilled }: Pick<MessageStore, 'spilled'>, node: string): SpillAnswers {
  return {
    async ofUser(uid) {
      if (spilled === null) return {};
      const { value } = await inTime(spilled.backlog(uid), {
        who: 'the spill',
        code: 'STORE_UNAVAILABLE',
        deadlineMs: FILE_DEADLINE_MS,
      });
      return { spilled: { node, backlog: value } };
    },
    ofMessage: async ({ id }) => ({ node, message: spilled === null ? null : await spilled.inspect(id) }),
  };
}
