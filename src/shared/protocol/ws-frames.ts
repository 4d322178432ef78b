/** What the server sends: replies to a command, and events whose `id` is "". */
import { RawJson } from '../base/raw-json.js';
import { strictJson } from '../base/strict-json.js';
import type { MessageItem, ReadMark } from '../domain/message.js';

export interface WsReply {
  readonly cmd: string;
  readonly id: string;
  /** Unix seconds. */
  readonly ts: number;
  readonly code: number;
  readonly msg: string;
  /** A RawJson goes out as it stands: messages are in it, whose `data` is text. */
  readonly body: object;
}

export interface Hello {
  readonly version: 1;
  readonly session: string;
  readonly heartbeat: { readonly interval: number; readonly timeout: number; readonly tries: number };
  readonly login: { readonly retryAfter: number };
  readonly reconnect: readonly number[];
}

export interface Bye {
  readonly reason: string;
  /** Seconds until this client should come back, spread per client; null: not by itself. */
  readonly retryAfter: number | null;
}

export interface WsEvents {
  hello: Hello;
  push: { readonly items: readonly MessageItem[]; readonly more?: true };
  read: ReadMark;
  bye: Bye;
}

export const PUSH_ITEMS_MAX = 50;
export const LOGIN_RETRY_SECONDS = 30;
export const RECONNECT_SECONDS = [60, 120, 180] as const;
export const HEARTBEAT_TIMEOUT_SECONDS = 30;
export const HEARTBEAT_TRIES = 2;
export const UNREADABLE_FRAMES_MAX = 10;

export function replyText({ body, ...head }: WsReply): string {
  if (!(body instanceof RawJson)) return strictJson({ ...head, body });
  return `${strictJson(head).slice(0, -1)},"body":${body.text}}`;
}

export function eventText<E extends Exclude<keyof WsEvents, 'push'>>(
  cmd: E,
  ts: number,
  body: WsEvents[E],
): string {
  return replyText({ cmd, id: '', ts, code: 200, msg: 'ok', body });
}

/** The `push` event. */
export function pushText(ts: number, { items, more }: WsEvents['push']): string {
  const body = new RawJson(`{"items":${itemsText(items)}${more ? ',"more":true' : ''}}`);
  return replyText({ cmd: 'push', id: '', ts, code: 200, msg: 'ok', body });
}

/** The list `items` of a frame. */
export function itemsText(items: readonly MessageItem[]): string {
  return `[${items.map(itemText).join(',')}]`;
}

/** A message, and what else its item holds, with its `data` as it came. */
export function itemText(item: MessageItem): string {
  if (item.data === undefined) return JSON.stringify(item);
  const { data, ...rest } = item;
  return `${JSON.stringify(rest).slice(0, -1)},"data":${data}}`;
}
