/** What is wrong with the head of a request, be it a call or an upgrade, before anybody looks at what it asks for. */
import type { IncomingMessage } from 'node:http';

/** Header lines of a request: a browser sends about twenty, a proxy adds a few. */
export const HEADER_LINES_MAX = 64;

export interface HeadFault {
  readonly reason: 'headers';
  readonly status: 431;
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
