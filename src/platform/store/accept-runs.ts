/**
 * How messages travel to where they are stored: in runs of neighbours that differ only in their user.
 *
 * One notice to a thousand users is one text and a thousand numbers, in memory, on the way and in the file. Encoding and
 * decoding pause after every slice, so that a batch of hundreds of thousands never stops the process's loop.
 */
import { assert } from '../../shared/base/assert.js';
import type { NewMessage } from '../../shared/domain/message.js';
import { type MessageIdSource, messageIdFrom } from '../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER } from './kind-number.js';
import type { Accepted } from './message-store.js';
import { bodyText } from './message-text.js';

/** Rows encoded or decoded in one turn of the loop: under 2 ms. */
export const SLICE_ROWS = 2_000;

export interface Run {
  readonly kind: number;
  readonly body: string;
  readonly callerKey: string | null;
  readonly collapseKey: string | null;
  readonly cron: boolean;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly uids: readonly number[];
}

export interface AcceptArgs {
  readonly runs: readonly Run[];
  /** One for each row of the runs, rising. */
  readonly ids: BigInt64Array;
  readonly now: number;
}

export const DUPLICATE = 1;
export const UNSENT = 2;

export interface AcceptAnswer {
  /** One for each row: its id, or the id stored first. */
  readonly ids: BigInt64Array;
  /** One for each row: DUPLICATE and UNSENT added up. */
  readonly flags: Uint8Array;
}

/** Takes an id for every message, in order; pauses after each slice. */
export function* encodeAccept(
  messages: readonly NewMessage[],
  ids: MessageIdSource,
  now: number,
): Generator<void, AcceptArgs> {
  const runs: Run[] = [];
  const words = new BigInt64Array(messages.length);
  let first: NewMessage | undefined;
  let uids: number[] = [];
  let index = 0;
  for (const message of messages) {
    if (index > 0 && index % SLICE_ROWS === 0) yield;
    if (first === undefined || !differInUserOnly(first, message)) {
      first = message;
      uids = [];
      runs.push(newRun(message, uids));
    }
    uids.push(userOf(message));
    words[index] = ids.next();
    index += 1;
  }
  return { runs, ids: words, now };
}

export function* decodeAccepted(answer: AcceptAnswer): Generator<void, Accepted[]> {
  const accepted: Accepted[] = [];
  for (const [index, id] of answer.ids.entries()) {
    if (index > 0 && index % SLICE_ROWS === 0) yield;
    const flags = answer.flags[index] ?? 0;
    accepted.push({
      id: messageIdFrom(id),
      duplicate: (flags & DUPLICATE) !== 0,
      unsent: (flags & UNSENT) !== 0,
    });
  }
  return accepted;
}

function newRun(message: NewMessage, uids: readonly number[]): Run {
  assert(Number.isSafeInteger(message.createdAt), `createdAt ${message.createdAt} is not a whole number`);
  assert(Number.isSafeInteger(message.expiresAt), `expiresAt ${message.expiresAt} is not a whole number`);
  return {
    kind: KIND_NUMBER[message.kind],
    body: bodyText(message),
    callerKey: keyText(message.callerId),
    collapseKey: keyText(message.collapse),
    cron: message.deliver === 'cron',
    createdAt: message.createdAt,
    expiresAt: message.expiresAt,
    uids,
  };
}

function differInUserOnly(a: NewMessage, b: NewMessage): boolean {
  return (
    a.kind === b.kind &&
    a.title === b.title &&
    a.content === b.content &&
    a.url === b.url &&
    a.data === b.data &&
    a.callerId === b.callerId &&
    a.collapse === b.collapse &&
    a.deliver === b.deliver &&
    a.createdAt === b.createdAt &&
    a.expiresAt === b.expiresAt
  );
}

function userOf(message: NewMessage): number {
  if (message.kind === 'systemNotice') {
    assert(message.uid === null, `a system notice is for everybody, not for user ${message.uid}`);
    return EVERYBODY;
  }
  assert(
    message.uid !== null && Number.isSafeInteger(message.uid) && message.uid > 0,
    `uid ${message.uid} of a ${message.kind} is not a positive whole number`,
  );
  return message.uid;
}

/**
 * A caller's key with control characters and lone surrogates escaped: the binding would turn all of the latter into one and
 * the same character, so that different keys would be taken for doubles.
 */
export function keyText(key: string | null): string | null {
  return key === null ? null : JSON.stringify(key).slice(1, -1);
}
