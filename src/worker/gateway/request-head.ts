/**
 * The head of a request, be it a call or an upgrade: what is wrong with it before anybody looks at what it asks for, and one
 * form for its target.
 */
import type { IncomingMessage } from 'node:http';

/** Header lines of a request: a browser sends about twenty, a proxy adds a few. */
export const HEADER_LINES_MAX = 64;

export interface HeadFault {
  readonly reason: 'headers' | 'expect';
  readonly status: 431 | 417;
  readonly msg: string;
}

/**
 * The server reads every line (`maxHeadersCount` is off): one that was left out could be the line by which a proxy says whose
 * request it is.
 */
export function headFault({ rawHeaders }: IncomingMessage): HeadFault | null {
  const lines = rawHeaders.length / 2;
  if (lines <= HEADER_LINES_MAX) return null;
  const msg = `a request may have ${HEADER_LINES_MAX} header lines, this one has ${lines}`;
  return { reason: 'headers', status: 431, msg };
}

/** Of a request that expects something else than `100-continue`, the one expectation there is. */
export const EXPECTATION_FAULT: HeadFault = {
  reason: 'expect',
  status: 417,
  msg: 'the only expectation that can be met is 100-continue',
};

/** Scheme, authority without user, path and query (RFC 9112 §3.2.2). */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#@\s]+)(\/[^#\s]*|\?[^#\s]*)?$/i;

/** `GET http://host/path` asks for what `GET /path` asks for; its host counts, and not that of the header (RFC 9112 §3.2.2). */
export function toOriginForm(req: IncomingMessage): void {
  const [, authority, target = '/'] = ABSOLUTE_FORM.exec(req.url ?? '') ?? [];
  if (authority === undefined) return;
  req.url = target.startsWith('/') ? target : `/${target}`;
  req.headers.host = authority;
}
