/**
 * The messages that newer ones of the same key replace (`collapse`). Whoever asks for them has locked the keys
 * (lock-order.ts), so nobody else stores one of them meanwhile: they are found without locks, and changed by id.
 */
import { sql } from 'kysely';
import { EVERYBODY } from '../kind-number.js';
import { mapKey, OPEN, SETTLED } from './message-rows.js';
import type { Session } from './session.js';
import { chunksOf, groupBy, written } from './statements.js';

/** Keys looked up by one statement: see LOOKUP_KEYS in accept.ts. */
const KEYS = 250;
/** Ids in one statement. */
const IDS = 1000;

export interface CollapseKey {
  readonly kind: number;
  readonly uid: number;
  /** As it is stored. */
  readonly key: string;
}

/** Those still to be delivered, ids rising. */
export async function findOlder(session: Session, keys: readonly CollapseKey[]): Promise<bigint[]> {
  const found: bigint[] = [];
  for (const some of chunksOf(keys, KEYS)) {
    const groups = [...groupBy(some, ({ kind, key }) => mapKey(kind, EVERYBODY, key)).values()];
    const matches = groups.map((group) => sql`(${ofKey(group)} AND state = ${OPEN})`);
    const rows = await session.rows<{ id: string }>(
      written(sql`
        SELECT id FROM spush_message FORCE INDEX (spush_message_collapse)
        WHERE ${sql.join(matches, sql` OR `)}`),
    );
    for (const { id } of rows) found.push(BigInt(id));
  }
  return rising(found);
}

/** Rows of one kind and key and these users: one range of the index for each user. */
export function ofKey(group: readonly CollapseKey[]) {
  const [first] = group;
  return sql`collapse_key = ${first?.key ?? ''} AND uid IN (${sql.join(group.map(({ uid }) => uid))})
    AND kind = ${first?.kind ?? 0}`;
}

/** @param ids rising */
export async function settleOlder(session: Session, ids: readonly bigint[], now: number): Promise<void> {
  for (const some of chunksOf(ids, IDS))
    await session.run(
      written(sql`
        UPDATE spush_message FORCE INDEX (PRIMARY) SET state = ${SETTLED}, expires_at = LEAST(expires_at, ${now})
        WHERE id IN (${sql.join([...some])}) AND state = ${OPEN}`),
    );
}

export function rising(ids: readonly bigint[]): bigint[] {
  return [...new Set(ids)].sort((a, b) => (a < b ? -1 : 1));
}
