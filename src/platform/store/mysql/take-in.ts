/**
 * Takes in what was spilled while the server was away (see docs/decisions/0014-spill.md), in the transaction of its group.
 *
 * As often as it is done with the same message, the message is there once: what stands under its id with its user, text, time
 * and keys is itself, kept by an accept whose commit was in doubt or by a move that was cut off; what stands under its
 * caller's key is its double. Two that do it at once meet at the unique keys, and the second one, done again, finds what
 * the first one wrote. What became of a message while it was spilled is written with it, so that nobody gets it again
 * in between.
 */
import { sql } from 'kysely';
import { assert } from '../../../shared/base/assert.js';
import { type MessageId, messageIdFrom } from '../../../shared/domain/message-id.js';
import { EVERYBODY } from '../kind-number.js';
import type { SpilledMessage, SpilledReceipt, TakenIn } from '../spill/spill-target.js';
import {
  type AcceptContext,
  byteLength,
  countReleases,
  findDoubles,
  insertBodies,
  type NewBody,
  packets,
  ROW_BYTES,
} from './accept.js';
import { ackAll, markAllSent, ownersOf, readAllOfIds } from './marks.js';
import { mapKey, OPEN, READ, SETTLED } from './message-rows.js';
import { ofKey, rising, settleOlder } from './older.js';
import type { Session } from './session.js';
import { chunksOf, groupBy, written } from './statements.js';

/** Ids and keys in one statement. */
const IDS = 250;

export interface TakeInArgs {
  readonly messages: readonly SpilledMessage[];
  readonly receipts: readonly SpilledReceipt[];
  readonly now: number;
}

export async function takeInAll(
  session: Session,
  calls: readonly TakeInArgs[],
  context: AcceptContext,
): Promise<TakenIn[]> {
  const answers: TakenIn[] = [];
  for (const call of calls) answers.push(await takeIn(session, call, context));
  return answers;
}

async function takeIn(
  session: Session,
  { messages, receipts, now }: TakeInArgs,
  { ids, place }: AcceptContext,
): Promise<TakenIn> {
  const { homes, idTaken } = await findKnown(session, messages);
  const known = messages.filter(({ id }) => homes.has(id));
  const fresh = messages.filter(({ id }) => !homes.has(id) && !idTaken.has(id));
  const releases = await countReleases(session, fresh);
  const dueOf = ({ cron, released, kind }: SpilledMessage): number => {
    if (!cron) return 0;
    const number = releases.get(kind);
    assert(number !== undefined, `kind ${kind} has no row of releases`);
    // Its job ran already, here: any number that was released lets it out.
    return released ? Math.max(1, number) : number + 1;
  };
  const bodies = new Map<string, NewBody>();
  for (const { bodyId, body } of fresh) {
    const shared = bodies.get(bodyId) ?? { id: ids.next(), text: body, copies: 0 };
    shared.copies += 1;
    bodies.set(bodyId, shared);
  }
  await insertBodies(session, [...bodies.values()], place);
  await insertMessages(session, fresh, (message) => {
    const body = bodies.get(message.bodyId);
    assert(body !== undefined, `message ${message.id} has no text`);
    return { bodyId: body.id, due: dueOf(message) };
  });
  const replaced = await settleCollapsed(session, fresh, now);
  for (const { id } of fresh) homes.set(id, id);
  await applyMarks(session, known, homes);
  await applyReceipts(session, receipts, homes);
  const live = fresh.filter(
    ({ id, cron, open, sentAt, expiresAt }) =>
      open && !cron && sentAt === null && expiresAt > now && !replaced.has(id),
  );
  return {
    stored: fresh.length,
    known: known.length,
    idTaken: [...idTaken],
    live: live.map(({ id }) => id),
  };
}

interface StoredRow {
  readonly id: MessageId;
  readonly uid: string;
  readonly kind: number;
  readonly created_at: string;
  readonly caller_key: Buffer | null;
  readonly collapse_key: Buffer | null;
  readonly text: string;
}

/** Under which id each message stands already, and which ids stand for other messages. */
async function findKnown(
  session: Session,
  messages: readonly SpilledMessage[],
): Promise<{ homes: Map<MessageId, MessageId>; idTaken: Set<MessageId> }> {
  const homes = new Map<MessageId, MessageId>();
  const idTaken = new Set<MessageId>();
  const byId = new Map(messages.map((message) => [message.id, message]));
  for (const some of chunksOf(messages, IDS)) {
    const wanted = some.map(({ id }) => BigInt(id));
    const rows = await session.rows<StoredRow>(
      written(sql`
        SELECT m.id, m.uid, m.kind, m.created_at, m.caller_key, m.collapse_key, b.text
        FROM spush_message m FORCE INDEX (PRIMARY) JOIN spush_body b ON b.id = m.body_id
        WHERE m.id IN (${sql.join(wanted)})`),
    );
    for (const row of rows) {
      const message = byId.get(row.id);
      if (message === undefined) continue;
      if (isSame(row, message)) homes.set(row.id, row.id);
      else idTaken.add(row.id);
    }
  }
  const rest = messages.filter(({ id, callerKey }) => callerKey !== null && !homes.has(id));
  const runs = rest.map(({ kind, uid, callerKey }) => ({ kind, callerKey, uids: [uid] }));
  const { byCaller } = await findDoubles(session, runs);
  for (const { id, kind, uid, callerKey } of rest) {
    const double = callerKey === null ? undefined : byCaller.get(mapKey(kind, uid, callerKey));
    if (double === undefined) continue;
    homes.set(id, messageIdFrom(double.id));
    idTaken.delete(id);
  }
  return { homes, idTaken };
}

function isSame(row: StoredRow, message: SpilledMessage): boolean {
  return (
    Number(row.uid) === message.uid &&
    row.kind === message.kind &&
    Number(row.created_at) === message.createdAt &&
    (row.caller_key?.toString() ?? null) === message.callerKey &&
    (row.collapse_key?.toString() ?? null) === message.collapseKey &&
    row.text === message.body
  );
}

async function insertMessages(
  session: Session,
  messages: readonly SpilledMessage[],
  placeOf: (message: SpilledMessage) => { readonly bodyId: bigint; readonly due: number },
): Promise<void> {
  const sized = messages.map((message) => ({
    message,
    bytes: ROW_BYTES + 2 * (byteLength(message.callerKey) + byteLength(message.collapseKey)),
  }));
  for (const some of packets(sized, session.packetBytesMax))
    await session.run({
      sql: `INSERT INTO spush_message (id, uid, kind, state, body_id, due, created_at, expires_at,
        sent_at, acked_at, read_at, caller_key, collapse_key) VALUES ?`,
      parameters: [
        some.map(({ message }) => {
          const { bodyId, due } = placeOf(message);
          return [
            BigInt(message.id),
            message.uid,
            message.kind,
            stateOf(message),
            bodyId,
            due,
            message.createdAt,
            message.expiresAt,
            message.sentAt,
            message.ackedAt,
            message.readAt,
            message.callerKey,
            message.collapseKey,
          ];
        }),
      ],
    });
}

function stateOf({ readAt, open }: SpilledMessage): number {
  if (readAt !== null) return READ;
  return open ? OPEN : SETTLED;
}

/**
 * An older message of the same key that is still open is replaced, as it would have been; and so is a spilled one when a
 * newer one is there already. The keys are locked, so whoever stores one at this moment comes before or after.
 */
async function settleCollapsed(
  session: Session,
  fresh: readonly SpilledMessage[],
  now: number,
): Promise<Set<MessageId>> {
  const replaced = new Set<MessageId>();
  const older: bigint[] = [];
  const keyed = fresh.flatMap(({ id, uid, kind, open, collapseKey: key }) =>
    key === null ? [] : [{ id, uid, kind, open, key }],
  );
  for (const group of groupBy(keyed, ({ kind, key }) => mapKey(kind, EVERYBODY, key)).values())
    for (const some of chunksOf(group, IDS)) {
      const below = some.map(({ uid, id }) => sql`(uid = ${uid} AND id < ${BigInt(id)})`);
      const before = await session.rows<{ id: MessageId }>(
        written(sql`
          SELECT id FROM spush_message FORCE INDEX (spush_message_collapse)
          WHERE ${ofKey(some)} AND state = ${OPEN} AND (${sql.join(below, sql` OR `)})`),
      );
      older.push(...before.map(({ id }) => BigInt(id)));
      const above = some.map(({ uid, id }) => sql`(uid = ${uid} AND id > ${BigInt(id)})`);
      const newer = await session.rows<{ id: MessageId; uid: string }>(
        written(sql`
          SELECT id, uid FROM spush_message FORCE INDEX (spush_message_collapse)
          WHERE ${ofKey(some)} AND (${sql.join(above, sql` OR `)})`),
      );
      for (const { uid, id, open } of some)
        if (open && newer.some((row) => Number(row.uid) === uid && row.id > id)) replaced.add(id);
    }
  await settleOlder(session, rising([...older, ...[...replaced].map(BigInt)]), now);
  return replaced;
}

/** What became of messages that were there already. */
async function applyMarks(
  session: Session,
  known: readonly SpilledMessage[],
  homes: ReadonlyMap<MessageId, MessageId>,
): Promise<void> {
  const marks = known.flatMap(({ id, uid, open, sentAt, ackedAt, readAt }) => {
    const home = homes.get(id);
    if (home === undefined || uid === EVERYBODY || sentAt === null) return [];
    return [{ id: home, uid, open, sentAt, ackedAt, readAt }];
  });
  await apply(session, marks);
}

async function applyReceipts(
  session: Session,
  receipts: readonly SpilledReceipt[],
  homes: ReadonlyMap<MessageId, MessageId>,
): Promise<void> {
  const marks = receipts.flatMap((receipt) => {
    const home = homes.get(receipt.id);
    return home === undefined ? [] : [{ ...receipt, id: home }];
  });
  await apply(session, marks);
}

async function apply(session: Session, marks: readonly SpilledReceipt[]): Promise<void> {
  if (marks.length === 0) return;
  const calls = marks.map(({ id, uid, open, sentAt, ackedAt }) => ({
    marks: [{ uid, id, settled: !open && ackedAt === null }],
    at: sentAt,
  }));
  const owners = await ownersOf(
    session,
    marks.map(({ id }) => id),
  );
  await markAllSent(session, calls, owners);
  const settled = (at: (mark: SpilledReceipt) => number | null) =>
    marks.flatMap((mark) => {
      const moment = at(mark);
      return moment === null ? [] : [{ uid: mark.uid, ids: [mark.id], at: moment }];
    });
  await ackAll(
    session,
    settled(({ ackedAt }) => ackedAt),
    owners,
  );
  await readAllOfIds(
    session,
    settled(({ readAt }) => readAt),
    owners,
  );
}
