/** Turns rows into what clients get to see; each text is read once, whoever it is for. */
import { sql } from 'kysely';
import type { MessageItem } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { EVERYBODY, kindOf } from '../kind-number.js';
import { type MessageText, parseBody } from '../message-text.js';
import type { Session } from './session.js';
import { chunksOf, written } from './statements.js';

export interface ItemRow {
  readonly id: MessageId;
  readonly kind: number;
  readonly uid: string;
  readonly created_at: string;
  readonly body_id: string;
}

export const ITEM_COLUMNS = sql`m.id, m.kind, m.uid, m.created_at, m.body_id`;

/** Texts in one statement: at most some 4 MiB. */
const BODIES = 200;

/** @param log hears of texts that cannot be read; they are left out, so that others of the same reader arrive */
export async function textsOf(
  session: Session,
  rows: readonly Pick<ItemRow, 'body_id'>[],
  log: Pick<Log, 'warn'>,
): Promise<Map<string, MessageText>> {
  const texts = new Map<string, MessageText>();
  for (const ids of chunksOf([...new Set(rows.map((row) => row.body_id))], BODIES)) {
    const found = await session.rows<{ id: string; text: string }>(
      written(sql`
        SELECT id, text FROM spush_body FORCE INDEX (PRIMARY) WHERE id IN (${sql.join(ids.map(BigInt))})`),
    );
    for (const { id, text } of found) {
      try {
        texts.set(id, parseBody(text));
      } catch (error) {
        log.warn('store.text_unreadable', {
          text: id,
          reason: error instanceof Error ? error.name : 'unknown',
        });
      }
    }
  }
  return texts;
}

/** Null when there is no text: the message was pruned since its row was read, or what is there cannot be read. */
export function itemOf(row: ItemRow, texts: ReadonlyMap<string, MessageText>): MessageItem | null {
  const text = texts.get(row.body_id);
  if (text === undefined) return null;
  const uid = Number(row.uid);
  return {
    id: row.id,
    kind: kindOf(row.kind),
    ...(uid === EVERYBODY ? {} : { uid }),
    ...text,
    createdAt: Number(row.created_at),
  };
}
