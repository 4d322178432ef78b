/**
 * The head of a request, be it a call or an upgrade: what is wrong with it before anybody looks at what it asks for, and one
 * form for its target.
 */
import type { IncomingMessage } from 'node:http';

/** Header lines of a request: a browser sends about twenty, a proxy adds a few. */
export const HEADER_LINES_MAX = 64;

export interface HeadFault {
  readonly reason: 'headers' | 'host' | 'encoding' | 'expect';
  readonly status: 400 | 417 | 431 | 501;
  readonly msg: string;
}

/**
 * The server reads every line (`maxHeadersCount` is off): one that was left out could be the line by which a proxy says whose
 * request it is.
 */
export function headFault({ rawHeaders, headers, httpVersion }: IncomingMessage): HeadFault | null {
  const lines = rawHeaders.length / 2;
  if (lines > HEADER_LINES_MAX) {
    const msg = `a request may have ${HEADER_LINES_MAX} header lines, this one has ${lines}`;
    return { reason: 'headers', status: 431, msg };
  }
  // Node reads the first, a proxy may have read the last (RFC 9112 §3.2).
  if (rawHeaders.filter((word, at) => at % 2 === 0 && word.toLowerCase() === 'host').length > 1) {
    return { reason: 'host', status: 400, msg: 'a request has one Host, this one has several' };
  }
  if (headers.host === undefined && httpVersion === '1.1') {
    return { reason: 'host', status: 400, msg: 'a request of HTTP/1.1 has a Host, this one has none' };
  }
  // Node takes the chunks apart and leaves the other codings in (RFC 9112 §6.1).
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    const msg = `the only Transfer-Encoding that is read is chunked, this one is ${coding.slice(0, 100)}`;
    return { reason: 'encoding', status: 501, msg };
  }
  return null;
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
