/** A caller that waits for `100 Continue` says how large its body is; one that will be refused need not be sent. */
import type { IncomingMessage } from 'node:http';
import { SpushError } from '../../shared/base/errors.js';
import { BODY_BYTES_MAX } from './body.js';

/** Throws TOO_LARGE. */
export function assertAnnouncedFits({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const announced = Number(headers['content-length'] ?? 0);
  if (announced <= BODY_BYTES_MAX) return;
  throw new SpushError(
    'TOO_LARGE',
    `a body may have ${BODY_BYTES_MAX} bytes, this one would have ${announced}: split the batch into several calls`,
  );
}
