/** What the server sends: replies to a command, and events whose `id` is "". */
import type { MessageItem, ReadMark } from '../domain/message.js';

export interface WsReply {
  readonly cmd: string;
  readonly id: string;
  /** Unix seconds. */
  readonly ts: number;
  readonly code: number;
  readonly msg: string;
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

export function replyText(reply: WsReply): string {
  return JSON.stringify(reply);
}

export function eventText<E extends keyof WsEvents>(cmd: E, ts: number, body: WsEvents[E]): string {
  return JSON.stringify({ cmd, id: '', ts, code: 200, msg: 'ok', body });
}
