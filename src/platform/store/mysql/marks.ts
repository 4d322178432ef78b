/**
 * What became of messages: sent, acknowledged, read; and the runs of the crontab jobs.
 *
 * Calls of a group share statements: the rows are locked and read, what each call changes is worked out here, and the result
 * is written. Rows are locked in the order of their ids. Of a notice for everybody only a shared lock is taken, so that
 * thousands who acknowledge it do not wait for each other; it keeps pruning from taking the notice away meanwhile.
 */
import { sql } from 'kysely';
import { isMessageId, type MessageId } from '../../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../kind-number.js';
import type { SentMark } from '../message-store.js';
import { OPEN, READ, SETTLED } from './message-rows.js';
import type { Session } from './session.js';
import { build, chunksOf, groupBy, written } from './statements.js';

/** Ids in one statement. */
const IDS = 1000;
/** Pairs of message and user looked up by one statement: see LOOKUP_KEYS in accept.ts. */
const PAIRS = 250;

export interface SettleArgs {
  readonly uid: number;
  readonly ids: readonly MessageId[];
  readonly at: number;
}

export interface ReadKindsArgs {
  readonly uid: number;
  readonly kinds: readonly number[];
  readonly at: number;
  readonly now: number;
}

interface MarkSentCall {
  readonly marks: readonly SentMark[];
  readonly at: number;
}

interface Sent {
  readonly uid: number;
  readonly id: MessageId;
  at: number;
  settled: boolean;
}

/** Whose each message is that is marked; unknown ones are absent. */
export type Owners = ReadonlyMap<MessageId, number>;

export async function markAllSent(
  session: Session,
  calls: readonly MarkSentCall[],
  owners: Owners,
): Promise<null[]> {
  const sent = new Map<string, Sent>();
  for (const { marks, at } of calls)
    for (const { uid, id, settled } of marks) {
      const known = sent.get(pairKey(id, uid));
      if (known === undefined) sent.set(pairKey(id, uid), { uid, id, at, settled });
      else if (!known.settled) {
        known.at = Math.max(known.at, at);
        known.settled = settled;
      }
    }
  const personal = [...sent.values()].filter(({ id, uid }) => owners.get(id) === uid);
  for (const { at, settled, ids } of alike(personal))
    for (const some of chunksOf(ids.sort(), IDS))
      await session.run(
        written(sql`
          UPDATE spush_message FORCE INDEX (PRIMARY)
          SET sent_at = GREATEST(COALESCE(sent_at, 0), ${at}), state = ${settled ? SETTLED : OPEN}
          WHERE id IN (${idList(some)}) AND state = ${OPEN}`),
      );
  const notices = [...sent.values()].filter(({ id }) => owners.get(id) === EVERYBODY);
  const open = await lockNotices(session, notices, { openOnly: true });
  const receipts = notices.filter(({ id }) => open.has(id)).sort(byPair);
  for (const some of chunksOf(receipts, IDS))
    await session.run({
      // The old value of `settled` decides, so it is replaced last.
      sql: `INSERT INTO spush_receipt (message_id, uid, settled, sent_at) VALUES ?
        ON DUPLICATE KEY UPDATE
          sent_at = IF(settled = 0, GREATEST(sent_at, VALUES(sent_at)), sent_at),
          settled = GREATEST(settled, VALUES(settled))`,
      parameters: [some.map(({ uid, id, at, settled }) => [BigInt(id), uid, settled ? 1 : 0, at])],
    });
  return calls.map(() => null);
}

export function ackAll(session: Session, calls: readonly SettleArgs[], owners: Owners): Promise<number[]> {
  return settleAll(session, 'ack', calls, owners);
}

export function readAllOfIds(
  session: Session,
  calls: readonly SettleArgs[],
  owners: Owners,
): Promise<number[]> {
  return settleAll(session, 'read', calls, owners);
}

export async function readAllOfKinds(session: Session, calls: readonly ReadKindsArgs[]): Promise<number[]> {
  const changed: number[] = [];
  for (const call of calls) changed.push(await readKinds(session, call));
  return changed;
}

async function readKinds(session: Session, call: ReadKindsArgs): Promise<number> {
  const { uid, kinds, at, now } = call;
  let changed = 0;
  for (const some of chunksOf(await findUnread(session, call), IDS))
    changed += await session.run(
      written(sql`
        UPDATE spush_message FORCE INDEX (PRIMARY) SET ${READ_SETS(at)}
        WHERE id IN (${idList(some)}) AND state IN (${OPEN}, ${SETTLED}) AND expires_at > ${now}`),
    );
  if (!kinds.includes(KIND_NUMBER.systemNotice)) return changed;
  const rows = await session.rows<{ id: MessageId }>(
    written(sql`
      SELECT m.id FROM spush_message m FORCE INDEX (spush_message_state)
      LEFT JOIN spush_receipt r ON r.message_id = m.id AND r.uid = ${uid}
      WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.expires_at > ${now}
        AND r.read_at IS NULL`),
  );
  const ids = rows.map(({ id }) => id);
  const owners = new Map(ids.map((id) => [id, EVERYBODY]));
  const [notices = 0] = await settleAll(session, 'read', [{ uid, ids, at }], owners);
  return changed + notices;
}

/** The personal ones that reading all of these kinds is about, ids rising; found without locks. */
export async function findUnread(session: Session, { uid, kinds, now }: ReadKindsArgs): Promise<MessageId[]> {
  const personal = PERSONAL_KINDS.filter((kind) => kinds.includes(kind));
  if (personal.length === 0) return [];
  const rows = await session.rows<{ id: MessageId }>(
    written(sql`
      SELECT id FROM spush_message FORCE INDEX (spush_message_state)
      WHERE state IN (${OPEN}, ${SETTLED}) AND uid = ${uid} AND kind IN (${sql.join(personal)}) AND expires_at > ${now}`),
  );
  return rows.map(({ id }) => id).sort();
}

interface ReleaseCall {
  readonly kind: number;
  readonly at: number;
}

export async function releaseAll(session: Session, calls: readonly ReleaseCall[]): Promise<null[]> {
  for (const { kind, at } of calls)
    await session.run(
      build
        .updateTable('spush_released')
        .set({ number: sql`number + 1`, last_at: sql`GREATEST(COALESCE(last_at, 0), ${at})` })
        .where('kind', '=', kind)
        .compile(),
    );
  return calls.map(() => null);
}

type Step = 'ack' | 'read';

interface Wanted {
  readonly uid: number;
  readonly id: MessageId;
  readonly at: number;
  /** Which call of the group. */
  readonly call: number;
}

/** Of several calls for the same message and user the first one changes it. */
async function settleAll(
  session: Session,
  step: Step,
  calls: readonly SettleArgs[],
  owners: Owners,
): Promise<number[]> {
  const wanted = new Map<string, Wanted>();
  // Ids that are none match nothing.
  for (const [call, { uid, ids, at }] of calls.entries())
    for (const id of ids)
      if (isMessageId(id) && !wanted.has(pairKey(id, uid)))
        wanted.set(pairKey(id, uid), { uid, id, at, call });
  const all = [...wanted.values()];
  const personal = all.filter(({ id, uid }) => owners.get(id) === uid);
  const notices = all.filter(({ id }) => owners.get(id) === EVERYBODY);
  const changed = [
    ...(await settlePersonal(session, step, personal)),
    ...(await settleNotices(session, step, notices)),
  ];
  const counts = calls.map(() => 0);
  for (const { call } of changed) counts[call] = (counts[call] ?? 0) + 1;
  return counts;
}

const doneColumn = { ack: sql.ref('acked_at'), read: sql.ref('read_at') } as const;

const ACK_SETS = (at: number) =>
  sql`acked_at = ${at}, sent_at = COALESCE(sent_at, ${at}), state = GREATEST(state, ${SETTLED})`;
const READ_SETS = (at: number) =>
  sql`read_at = ${at}, acked_at = COALESCE(acked_at, ${at}), sent_at = COALESCE(sent_at, ${at}), state = ${READ}`;

async function settlePersonal(session: Session, step: Step, wanted: readonly Wanted[]): Promise<Wanted[]> {
  const changed: Wanted[] = [];
  const byId = new Map(wanted.map((one) => [one.id, one]));
  for (const some of chunksOf([...byId.keys()].sort(), IDS)) {
    const rows = await session.rows<{ id: MessageId }>(
      written(sql`
        SELECT id FROM spush_message FORCE INDEX (PRIMARY)
        WHERE id IN (${idList(some)}) AND ${doneColumn[step]} IS NULL ORDER BY id FOR UPDATE`),
    );
    for (const { id } of rows) {
      const one = byId.get(id);
      if (one !== undefined) changed.push(one);
    }
  }
  for (const { at, ids } of alike(changed))
    for (const some of chunksOf(ids, IDS))
      await session.run(
        written(sql`
          UPDATE spush_message FORCE INDEX (PRIMARY) SET ${step === 'ack' ? ACK_SETS(at) : READ_SETS(at)}
          WHERE id IN (${idList(some)})`),
      );
  return changed;
}

async function settleNotices(session: Session, step: Step, wanted: readonly Wanted[]): Promise<Wanted[]> {
  const there = await lockNotices(session, wanted, { openOnly: false });
  const pairs = wanted.filter(({ id }) => there.has(id)).sort(byPair);
  const changed: Wanted[] = [];
  for (const some of chunksOf(pairs, PAIRS)) {
    // Makes the rows that are missing and locks those that are not.
    await session.run({
      sql: `INSERT INTO spush_receipt (message_id, uid, settled, sent_at) VALUES ?
        ON DUPLICATE KEY UPDATE settled = settled`,
      parameters: [some.map(({ uid, id, at }) => [BigInt(id), uid, 1, at])],
    });
    const rows = await session.rows<{ message_id: MessageId; uid: string }>(
      written(sql`
        SELECT message_id, uid FROM spush_receipt FORCE INDEX (PRIMARY)
        WHERE (${anyPair(some)}) AND ${doneColumn[step]} IS NULL FOR UPDATE`),
    );
    const undone = new Set(rows.map((row) => pairKey(row.message_id, Number(row.uid))));
    const now = some.filter(({ id, uid }) => undone.has(pairKey(id, uid)));
    for (const [at, group] of groupBy(now, (one) => one.at)) await setReceipts(session, step, at, group);
    changed.push(...now);
  }
  return changed;
}

async function setReceipts(
  session: Session,
  step: Step,
  at: number,
  group: readonly Wanted[],
): Promise<void> {
  const sets =
    step === 'ack'
      ? sql`acked_at = ${at}, settled = 1`
      : sql`read_at = ${at}, acked_at = COALESCE(acked_at, ${at}), settled = 1`;
  await session.run(
    written(sql`UPDATE spush_receipt FORCE INDEX (PRIMARY) SET ${sets} WHERE ${anyPair(group)}`),
  );
}

/** Whose each message is; that never changes, so no lock is needed. Unknown ids are absent. */
export async function ownersOf(session: Session, ids: readonly MessageId[]): Promise<Owners> {
  const owners = new Map<MessageId, number>();
  for (const some of chunksOf([...new Set(ids)].filter(isMessageId), IDS)) {
    const rows = await session.rows<{ id: MessageId; uid: string }>(
      written(sql`SELECT id, uid FROM spush_message FORCE INDEX (PRIMARY) WHERE id IN (${idList(some)})`),
    );
    for (const { id, uid } of rows) owners.set(id, Number(uid));
  }
  return owners;
}

/** Which of these notices are there, or open; they stay until the commit. */
async function lockNotices(
  session: Session,
  wanted: readonly { readonly id: MessageId }[],
  { openOnly }: { readonly openOnly: boolean },
): Promise<Set<MessageId>> {
  const found = new Set<MessageId>();
  for (const some of chunksOf([...new Set(wanted.map(({ id }) => id))].sort(), IDS)) {
    const rows = await session.rows<{ id: MessageId }>(
      written(sql`
        SELECT id FROM spush_message FORCE INDEX (PRIMARY)
        WHERE id IN (${idList(some)}) AND state <= ${openOnly ? OPEN : READ} ORDER BY id LOCK IN SHARE MODE`),
    );
    for (const { id } of rows) found.add(id);
  }
  return found;
}

/** Ids of marks that say the same, to be written by one statement. */
function alike(
  marks: readonly { readonly id: MessageId; readonly at: number; readonly settled?: boolean }[],
): { readonly at: number; readonly settled: boolean; readonly ids: MessageId[] }[] {
  const groups = groupBy(marks, ({ at, settled }) => `${at} ${settled === true}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [{ at: first.at, settled: first.settled === true, ids: group.map(({ id }) => id) }];
  });
}

/** One user of many messages or many users of one: neighbours of one message become one range each. */
function anyPair(pairs: readonly { readonly id: MessageId; readonly uid: number }[]) {
  const groups = groupBy(pairs, ({ id }) => id);
  return sql.join(
    [...groups].map(
      ([id, group]) =>
        sql`(message_id = ${BigInt(id)} AND uid IN (${sql.join(group.map(({ uid }) => uid))}))`,
    ),
    sql` OR `,
  );
}

function idList(ids: readonly MessageId[]) {
  return sql.join(ids.map((id) => BigInt(id)));
}

function pairKey(id: MessageId, uid: number): string {
  return `${id} ${uid}`;
}

function byPair(a: { id: MessageId; uid: number }, b: { id: MessageId; uid: number }): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.uid - b.uid;
}
