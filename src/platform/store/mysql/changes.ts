/** The calls that change something, as one typed map, and how a group of them is done inside a transaction. */
import type { NewMessage } from '../../../shared/domain/message.js';
import type { Accepted, SentMark } from '../message-store.js';
import type { AcceptAttempt, TakenIn } from '../spill/spill-target.js';
import { type AcceptContext, acceptAll } from './accept.js';
import {
  ackAll,
  markAllSent,
  type ReadKindsArgs,
  readAllOfIds,
  readAllOfKinds,
  releaseAll,
  type SettleArgs,
} from './marks.js';
import type { Session } from './session.js';
import { type TakeInArgs, takeInAll } from './take-in.js';

export interface Changes {
  accept: {
    args: {
      readonly messages: readonly NewMessage[];
      readonly now: number;
      readonly attempt?: AcceptAttempt;
    };
    answer: Accepted[];
  };
  takeIn: { args: TakeInArgs; answer: TakenIn };
  markSent: { args: { readonly marks: readonly SentMark[]; readonly at: number }; answer: null };
  ack: { args: SettleArgs; answer: number };
  readIds: { args: SettleArgs; answer: number };
  readKinds: { args: ReadKindsArgs; answer: number };
  release: { args: { readonly kind: number; readonly at: number }; answer: null };
}

export type ChangeName = keyof Changes;
export type ChangeArgs<N extends ChangeName> = Changes[N]['args'];
export type ChangeAnswer<N extends ChangeName> = Changes[N]['answer'];

/** Each takes neighbours of one name and answers one for each, as if they had come one after the other. */
type Operations = {
  readonly [N in ChangeName]: (
    session: Session,
    calls: readonly ChangeArgs<N>[],
    context: AcceptContext,
  ) => Promise<readonly ChangeAnswer<N>[]>;
};

const OPERATIONS: Operations = {
  accept: acceptAll,
  takeIn: takeInAll,
  markSent: markAllSent,
  ack: ackAll,
  readIds: readAllOfIds,
  readKinds: readAllOfKinds,
  release: releaseAll,
};

export interface Change<N extends ChangeName = ChangeName> {
  readonly name: N;
  readonly args: ChangeArgs<N>;
}

/** In their order; neighbours of one name share statements. */
export async function performAll(
  session: Session,
  changes: readonly Change[],
  context: AcceptContext,
): Promise<readonly ChangeAnswer<ChangeName>[]> {
  const answers: ChangeAnswer<ChangeName>[] = [];
  for (let from = 0; from < changes.length; ) {
    const name = changes[from]?.name;
    let to = from + 1;
    while (changes[to]?.name === name) to += 1;
    if (name !== undefined)
      answers.push(...(await performSame(session, name, changes.slice(from, to), context)));
    from = to;
  }
  return answers;
}

function performSame<N extends ChangeName>(
  session: Session,
  name: N,
  changes: readonly Change[],
  context: AcceptContext,
): Promise<readonly ChangeAnswer<N>[]> {
  // Only changes of this name are given, so these are its arguments.
  const args = changes.map((change) => change.args as ChangeArgs<N>);
  return OPERATIONS[name](session, args, context);
}
