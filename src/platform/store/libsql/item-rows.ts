/**
 * How stored messages travel from the store thread: five plain values a message, and each distinct text once.
 */
import { assert } from '../../../shared/base/assert.js';
import type { MessageItem } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { EVERYBODY, kindOf } from '../kind-number.js';
import { type MessageText, parseBody } from '../message-text.js';

/** id, kind number, uid (0: everybody), createdAt, index of the body. */
export type ItemRow = readonly [MessageId, number, number, number, number];

export interface ItemRows {
  readonly bodies: readonly string[];
  readonly rows: readonly ItemRow[];
}

/** Collects rows in the thread; equal bodies are sent once. */
export class ItemRowsBuilder {
  readonly #bodies: string[] = [];
  readonly #rows: ItemRow[] = [];
  readonly #indexOfBody = new Map<string, number>();

  /** `body.id` is its key in the store. */
  add(
    id: MessageId,
    kind: number,
    uid: number,
    createdAt: number,
    body: { readonly id: string; readonly text: string },
  ): void {
    let index = this.#indexOfBody.get(body.id);
    if (index === undefined) {
      index = this.#bodies.push(body.text) - 1;
      this.#indexOfBody.set(body.id, index);
    }
    this.#rows.push([id, kind, uid, createdAt, index]);
  }

  build(): ItemRows {
    return { bodies: this.#bodies, rows: this.#rows };
  }
}

/**
 * One for each row; null for a text that cannot be read, which the log hears of: others of the same reader arrive all the same.
 */
export function decodeItems(items: ItemRows, log: Pick<Log, 'warn'>): (MessageItem | null)[] {
  const bodies = items.bodies.map(readBody);
  return items.rows.map(([id, kind, uid, createdAt, index]) => {
    const body = bodies[index];
    assert(body !== undefined, `message ${id} came without its body`);
    if (body instanceof Error) {
      log.warn('store.text_unreadable', { message: id, reason: body.name });
      return null;
    }
    const everybody = uid === EVERYBODY;
    return { id, kind: kindOf(kind), ...(everybody ? {} : { uid }), ...body, createdAt };
  });
}

function readBody(text: string): MessageText | Error {
  try {
    return parseBody(text);
  } catch (error) {
    return error as Error;
  }
}
