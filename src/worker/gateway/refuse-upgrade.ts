/** Refusals before the upgrade: plain HTTP answers, so that proxies, browsers and operators understand them. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Refusal {
  readonly status: 400 | 403 | 404 | 429 | 431 | 503;
  readonly msg: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

export function refuseUpgrade(socket: Duplex, { status, msg, retryAfter }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ code: status, msg, data: retryAfter === undefined ? {} : { retryAfter } });
  const retry = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${retry}\r\n${body}`,
  );
}
