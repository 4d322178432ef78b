/**
 * Why did it not arrive? What is known of a user on all nodes: connections, what is pending, what is unread. Whatever does not
 * answer in time is named, and the rest is told.
 */
import type { Bus } from '../../platform/bus/bus.js';
import { nameIn } from '../../platform/bus/bus-identity.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import type { SpushError } from '../../shared/base/errors.js';
import { KINDS } from '../../shared/domain/kind.js';
import type { UserBacklog } from '../../shared/domain/message.js';
import type { ShownBacklogs, ShownConnection, UserShown } from '../../shared/protocol/inspections.js';
import type { Answers, Questions } from '../../shared/protocol/questions.js';
import { inTime } from './in-time.js';
import { iso } from './iso.js';

/** The bus names those that do not answer before this is over. */
const BUS_DEADLINE_MS = 1000;
const BUS_MARGIN_MS = 700;
const STORE_DEADLINE_MS = 1700;

export interface ShowUserDeps {
  readonly store: Pick<MessageStore, 'backlog' | 'pending' | 'unread'>;
  readonly bus: Pick<Bus, 'ask'>;
}

type Online = Questions['online']['result'];

export async function showUser(
  { store, bus }: ShowUserDeps,
  { uid, next }: { readonly uid: number; readonly next: number },
): Promise<UserShown> {
  const [online, stored] = await Promise.all([
    inTime(bus.ask('online', { uid, details: true }, { deadlineMs: BUS_DEADLINE_MS, patient: true }), {
      who: 'the bus',
      code: 'NODES_SILENT',
      deadlineMs: BUS_DEADLINE_MS + BUS_MARGIN_MS,
    }),
    inTime(
      Promise.all([
        store.backlog(uid),
        next === 0 ? [] : store.pending(uid, { limit: next }),
        store.unread(uid),
      ]),
      { who: 'the store', code: 'STORE_UNAVAILABLE', deadlineMs: STORE_DEADLINE_MS },
    ),
  ]);
  const { answers, silent: silentOnes } = online.value ?? { answers: [], silent: [online.fault.message] };
  const connections = connectionsOf(answers);
  const spills = spillsOf(answers);
  const spilled = spills.flatMap(({ node, backlog }) => {
    return backlog?.known ? [{ node, pending: pendingOf(backlog), kinds: backlogsOf(backlog) }] : [];
  });
  const unreadable = spills.filter(({ backlog }) => backlog === null);
  const silent = [...silentOnes, ...unreadable.map(({ node }) => `the spill of ${node}`)];
  const isSeen = connections.length > 0 || spilled.length > 0 || stored.value?.[0].known === true;
  const isAll = silent.length === 0 && stored.fault === null;
  return {
    uid,
    known: isSeen ? true : isAll ? false : null,
    connections,
    silent,
    store: stored.value && storeOf(stored.value),
    storeFault: stored.fault && faultOf(stored.fault),
    spilled,
  };
}

function storeOf([backlog, items, unread]: readonly [
  UserBacklog,
  Awaited<ReturnType<MessageStore['pending']>>,
  Awaited<ReturnType<MessageStore['unread']>>,
]): NonNullable<UserShown['store']> {
  return {
    pending: pendingOf(backlog),
    capped: backlog.capped,
    kinds: backlogsOf(backlog),
    next: items.map(({ id }) => id),
    unread,
  };
}

/** One that is handed over at this moment is told of by both its Workers. */
function connectionsOf(answers: Answers<Online>['answers']): ShownConnection[] {
  const found = answers.flatMap(({ result }) => result.connections).map((one) => [one.session, one] as const);
  const connections = [...new Map(found).values()];
  connections.sort((a, b) => a.since - b.since);
  return connections.map(({ node, worker, channel, device, since, session, details }) => ({
    node,
    process: worker,
    channel,
    device,
    since: iso(since),
    session,
    address: details?.address ?? null,
    connectedAt: details ? iso(details.connectedAt) : null,
    heardMsAgo: details?.heardMsAgo ?? null,
    ack: details?.ack ?? null,
    unconfirmed: details?.unconfirmed ?? null,
    unsentBytes: details?.unsentBytes ?? null,
    replaying: details?.replaying ?? null,
    leftOut: details?.leftOut ?? null,
    silentMs: details?.silentMs ?? null,
  }));
}

/** By the name of the node: its processes tell of the same file, and one that could read it is enough. */
function spillsOf(
  answers: Answers<Online>['answers'],
): { readonly node: string; readonly backlog: UserBacklog | null }[] {
  const byNode = new Map<string, UserBacklog | null>();
  for (const { result } of answers)
    if (result.spilled)
      byNode.set(result.spilled.node, result.spilled.backlog ?? byNode.get(result.spilled.node) ?? null);
  return [...byNode].map(([node, backlog]) => ({ node: nameIn(node), backlog }));
}

function pendingOf({ kinds }: UserBacklog): number {
  return KINDS.reduce((sum, kind) => sum + kinds[kind].count, 0);
}

function backlogsOf({ kinds }: UserBacklog): ShownBacklogs {
  const shown = KINDS.map((kind) => {
    const { oldestAt, ...counts } = kinds[kind];
    return [kind, { ...counts, oldestAt: oldestAt === null ? null : iso(oldestAt) }] as const;
  });
  return Object.fromEntries(shown) as ShownBacklogs;
}

function faultOf({ code, message }: SpushError): NonNullable<UserShown['storeFault']> {
  return { code, text: message };
}
