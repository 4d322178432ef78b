/** Refusals before the upgrade: plain HTTP answers, so that proxies, browsers and operators understand them. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { closeSoon } from './last-words.js';

export interface Refusal {
  readonly status: 400 | 403 | 404 | 417 | 426 | 429 | 431 | 501 | 503;
  readonly msg: string;
  /** Header lines of this answer only. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly retryAfter?: number;
}

export function refuseUpgrade(socket: Duplex, { status, msg, retryAfter, headers = {} }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ code: status, msg, data: retryAfter === undefined ? {} : { retryAfter } });
  const retry = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
  const lines = Object.entries({ Connection: 'close', ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${retry}${lines}\r\n${body}`,
  );
  closeSoon(socket);
}
