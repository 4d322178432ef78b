/**
 * Reads the body of a call, raw, because the signature is over its bytes. Bounded twice: each body, and all bodies that
 * this process holds at a time.
 */
import type { IncomingMessage } from 'node:http';
import { SpushError } from '../../shared/base/errors.js';

export const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** Bodies being read or worked on, of all calls together: 32 of the largest. */
export const BODIES_BYTES_MAX = 64 * 1024 * 1024;

/** The caller left before its call was complete: nobody is there to answer. */
export class CallerGone extends Error {
  constructor() {
    super('the caller left before its call was complete');
    this.name = 'CallerGone';
  }
}

/** Counts the bytes of all bodies in work. */
export class BodyBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = BODIES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  open(): BodyLease {
    let held = 0;
    return {
      take: (bytes) => {
        if (held + bytes > BODY_BYTES_MAX) throw tooLarge('more');
        if (this.#bytes + bytes > this.#bytesMax) {
          throw new SpushError(
            'TOO_MANY',
            `the calls in work hold ${this.#bytes} bytes of at most ${this.#bytesMax}: repeat this one in a moment`,
          );
        }
        held += bytes;
        this.#bytes += bytes;
      },
      close: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}

/** One call's part of the budget. */
export interface BodyLease {
  /** Throws TOO_LARGE or TOO_MANY. */
  take(bytes: number): void;
  /** When nothing of the body is needed any more. */
  close(): void;
}

/** A request without a body has neither header; one of length 0 has none to wait for. */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

/**
 * Throws TOO_LARGE (at once when the length is announced), TOO_MANY, or CallerGone. A body that stops arriving is ended
 * by the server's requestTimeout, which shows here as CallerGone.
 */
export async function readBody(req: IncomingMessage, lease: BodyLease): Promise<Buffer> {
  if (!hasBody(req)) return Buffer.alloc(0);
  const announced = Number(req.headers['content-length'] ?? 0);
  if (announced > BODY_BYTES_MAX) throw tooLarge(`${announced} bytes`);
  return await collect(req, lease);
}

function collect(req: IncomingMessage, lease: BodyLease): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const stop = () => {
      req.off('data', onData);
      req.off('end', onEnd);
      req.off('close', onClose);
    };
    const onData = (chunk: Buffer) => {
      try {
        lease.take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stop();
        req.pause();
        reject(error);
      }
    };
    const onEnd = () => {
      stop();
      resolve(Buffer.concat(chunks));
    };
    const onClose = () => {
      stop();
      reject(new CallerGone());
    };
    if (req.destroyed) {
      onClose();
      return;
    }
    req.on('data', onData);
    req.on('end', onEnd);
    req.on('close', onClose);
  });
}

function tooLarge(got: string): SpushError {
  return new SpushError(
    'TOO_LARGE',
    `a body may have ${BODY_BYTES_MAX} bytes, this one has ${got}: split the batch into several calls`,
  );
}
