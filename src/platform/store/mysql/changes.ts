/** The calls that change something, as one typed map, and how a group of them is done inside a transaction. */
import type { NewMessage } from '../../../shared/domain/message.js';
import { keyText } from '../accept-runs.js';
import { EVERYBODY, KIND_NUMBER } from '../kind-number.js';
import type { Accepted, SentMark } from '../message-store.js';
import type { AcceptAttempt, TakenIn } from '../spill/spill-target.js';
import { type AcceptContext, acceptAll } from './accept.js';
import { lockInOrder, type Touched } from './lock-order.js';
import {
  ackAll,
  markAllSent,
  type Owners,
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

interface Context extends AcceptContext {
  readonly owners: Owners;
}

/** Each takes neighbours of one name and answers one for each, as if they had come one after the other. */
type Operations = {
  readonly [N in ChangeName]: (
    session: Session,
    calls: readonly ChangeArgs<N>[],
    context: Context,
  ) => Promise<readonly ChangeAnswer<N>[]>;
};

const OPERATIONS: Operations = {
  accept: acceptAll,
  takeIn: takeInAll,
  markSent: (session, calls, { owners }) => markAllSent(session, calls, owners),
  ack: (session, calls, { owners }) => ackAll(session, calls, owners),
  readIds: (session, calls, { owners }) => readAllOfIds(session, calls, owners),
  readKinds: readAllOfKinds,
  release: releaseAll,
};

/** What neighbours of one name will touch of the messages that are there. */
const TOUCHES: {
  readonly [N in ChangeName]: (calls: readonly ChangeArgs<N>[]) => readonly Touched[];
} = {
  accept(calls) {
    const keys = calls.flatMap(({ messages }) =>
      messages.flatMap(({ kind, uid, collapse }) => {
        const key = keyText(collapse);
        return key === null ? [] : [{ kind: KIND_NUMBER[kind], uid: uid ?? EVERYBODY, key }];
      }),
    );
    return keys.length === 0 ? [] : [{ keys }];
  },
  takeIn: (calls) =>
    calls.map(({ messages }) => ({
      keys: messages.flatMap(({ kind, uid, collapseKey: key }) => (key === null ? [] : [{ kind, uid, key }])),
    })),
  markSent: (calls) => [{ ids: calls.flatMap(({ marks }) => marks.map(({ id }) => id)) }],
  ack: (calls) => [{ ids: calls.flatMap(({ ids }) => ids) }],
  readIds: (calls) => [{ ids: calls.flatMap(({ ids }) => ids) }],
  readKinds: (calls) => calls.map((unread) => ({ unread })),
  release: () => [],
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
  const runs = runsOf(changes);
  const owners = await lockInOrder(
    session,
    runs.flatMap(({ name, args }) => touchedBy(name, args)),
  );
  const answers: ChangeAnswer<ChangeName>[] = [];
  for (const { name, args } of runs)
    answers.push(...(await performRun(session, name, args, { ...context, owners })));
  return answers;
}

interface Run<N extends ChangeName = ChangeName> {
  readonly name: N;
  readonly args: readonly ChangeArgs<N>[];
}

function runsOf(changes: readonly Change[]): Run[] {
  const runs: { readonly name: ChangeName; readonly args: ChangeArgs<ChangeName>[] }[] = [];
  for (const { name, args } of changes) {
    const last = runs.at(-1);
    if (last?.name === name) last.args.push(args);
    else runs.push({ name, args: [args] });
  }
  return runs;
}

// The arguments of a run are those of its name: a change is made with both at once.

function touchedBy<N extends ChangeName>(name: N, args: readonly ChangeArgs<ChangeName>[]) {
  return TOUCHES[name](args as readonly ChangeArgs<N>[]);
}

function performRun<N extends ChangeName>(
  session: Session,
  name: N,
  args: readonly ChangeArgs<ChangeName>[],
  context: Context,
): Promise<readonly ChangeAnswer<N>[]> {
  return OPERATIONS[name](session, args as readonly ChangeArgs<N>[], context);
}
