/**
 * Answers: JSON `{"code","msg","data"}` whose code is the HTTP status, and the few texts that are not JSON. An answer that
 * comes before its call was read to the end closes the connection, but not before the caller could read the answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode, SpushError } from '../../shared/base/errors.js';
import { strictJson } from '../../shared/base/strict-json.js';
import { hasBody, Pieces } from './body.js';
import type { NotReady } from './readiness.js';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** What a caller may still send after it was refused, before the connection is cut. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024;
const DRAIN_MS = 2000;
const RETRY_SECONDS = 5;
const RETRY_SOON_SECONDS = 1;
/** Passes by itself in a moment. */
const SOON: ReadonlySet<ErrorCode> = new Set(['STORE_BUSY', 'TOO_MANY', 'RPC_BUSY', 'SHUTTING_DOWN']);

export function success(data: object): Answer {
  return { status: 200, contentType: JSON_TYPE, text: strictJson({ code: 200, msg: 'success', data }) };
}

export function fault(error: SpushError, headers: Readonly<Record<string, string>> = {}): Answer {
  // Between the processes a missing answer is a 504; to the caller it is one more way of "not now".
  const status = error.status === 504 ? 503 : error.status;
  const retry = SOON.has(error.code) ? RETRY_SOON_SECONDS : RETRY_SECONDS;
  return {
    status,
    contentType: JSON_TYPE,
    text: strictJson({ code: status, msg: error.message, data: error.detail }),
    headers: status === 503 || status === 429 ? { 'Retry-After': String(retry), ...headers } : headers,
  };
}

/** The caller's connection ends with it. */
export function lastAnswer({ status, msg }: { readonly status: number; readonly msg: string }): Answer {
  const text = strictJson({ code: status, msg, data: {} });
  return { status, contentType: JSON_TYPE, text, headers: { Connection: 'close' } };
}

export function notReady(reasons: readonly NotReady[]): Answer {
  const msg = `not ready: ${reasons.map(({ check, reason }) => `${check}: ${reason}`).join('; ')}`;
  return {
    status: 503,
    contentType: JSON_TYPE,
    text: strictJson({ code: 503, msg, data: { reasons } }),
    headers: { 'Retry-After': String(RETRY_SECONDS) },
  };
}

export interface SendOptions {
  /** The caller waits to be told to send its body, and was not. */
  readonly bodyHeldBack: boolean;
}

export function send(
  req: IncomingMessage,
  res: ServerResponse,
  answer: Answer,
  { bodyHeldBack }: SendOptions,
): void {
  if (res.destroyed || res.headersSent) return;
  const unread = hasBody(req) && !req.complete;
  res.writeHead(answer.status, {
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(unread ? { Connection: 'close' } : {}),
    ...answer.headers,
  });
  if (unread && !bodyHeldBack) {
    res.write(answer.text);
    drain(req, () => res.end());
  } else res.end(answer.text);
}

/** Closing a socket that still receives resets it, and a reset can destroy the answer on its way. */
function drain(req: IncomingMessage, done: () => void): void {
  const pieces = new Pieces();
  const stop = () => {
    clearTimeout(timer);
    req.off('data', onData);
    req.off('end', stop);
    req.off('close', stop);
    done();
  };
  const onData = (chunk: Buffer) => {
    if (!pieces.add(chunk.length) || pieces.bytes > DRAIN_BYTES_MAX) stop();
  };
  const timer = setTimeout(stop, DRAIN_MS);
  req.on('end', stop);
  req.on('close', stop);
  req.on('data', onData);
  req.resume();
}
