import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { HEADER_LINES_MAX, headFault } from '../../../../src/worker/gateway/request-head.js';

function head(...lines: [name: string, value: string][]): IncomingMessage {
  const headers = Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value]));
  return { rawHeaders: lines.flat(), headers, httpVersion: '1.1' } as unknown as IncomingMessage;
}

test('what a browser or a proxy sends has no fault', () => {
  expect(
    headFault(head(['Host', 'a'], ['X-Forwarded-Host', 'b'], ['Transfer-Encoding', 'Chunked'])),
  ).toBeNull();
});

test.each([
  [
    'headers',
    431,
    head(...Array.from({ length: HEADER_LINES_MAX + 1 }, () => ['A', '1'] as [string, string])),
  ],
  ['host', 400, head(['Host', 'a'], ['hOST', 'a'])],
  ['host', 400, head(['Accept', '*/*'])],
  ['encoding', 501, head(['Host', 'a'], ['Transfer-Encoding', 'gzip, chunked'])],
])('%s: %i', (reason, status, request) => {
  expect(headFault(request)).toMatchObject({ reason, status });
});
