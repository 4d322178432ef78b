/**
 * Reads the body of a call, raw, because the signature is over its bytes. Bounded in size, in what it costs to read it, and
 * in time; what it holds is counted in the budget (`body-budget.ts`).
 *
 * Pieces are copied into one buffer that grows with them: a piece of one byte that was kept as it came would cost some
 * hundred times its size.
 */
import type { IncomingMessage } from 'node:http';
import { SpushError } from '../../shared/base/errors.js';
import type { BodyLease } from './body-budget.js';

export const BODY_BYTES_MAX = 2 * 1024 * 1024;
const FIRST_BYTES = 4096;
/** A body that brings less than this in each so many looks is ended; none of a caller of ours is as slow. */
export const WINDOW_BYTES_MIN = 65_536;
export const WINDOW_LOOKS = 8;
export const LOOK_MS = 1000;

/** The caller left before its call was complete: nobody is there to answer. */
export class CallerGone extends Error {
  constructor() {
    super('the caller left before its call was complete');
    this.name = 'CallerGone';
  }
}

/** A request without a body has neither header; one of length 0 has none to wait for. */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

/**
 * Throws TOO_LARGE (at once when the length is announced), TOO_MANY, BAD_REQUEST for pieces that are too small, TOO_SLOW,
 * or CallerGone.
 */
export async function readBody(req: IncomingMessage, lease: BodyLease): Promise<Buffer> {
  if (!hasBody(req)) return Buffer.alloc(0);
  const announced = req.headers['content-length'];
  if (announced !== undefined && Number(announced) > BODY_BYTES_MAX) throw tooLarge(`${announced} bytes`);
  const bytesMax = announced === undefined ? BODY_BYTES_MAX : Number(announced);
  return await collect(req, new GrowingBuffer(lease, bytesMax));
}

function collect(req: IncomingMessage, body: GrowingBuffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces = new Pieces();
    let looks = 0;
    let before = 0;
    const stop = () => {
      clearInterval(timer);
      req.off('data', onData);
      req.off('end', onEnd);
      req.off('close', onClose);
    };
    const refuse = (error: unknown) => {
      stop();
      req.pause();
      reject(error);
    };
    const onData = (piece: Buffer) => {
      try {
        if (!pieces.add(piece.length)) throw tooSmallPieces(pieces);
        body.add(piece);
      } catch (error) {
        refuse(error);
      }
    };
    const onEnd = () => {
      stop();
      resolve(body.whole());
    };
    const onClose = () => {
      stop();
      reject(new CallerGone());
    };
    // Looks are counted, not time: a process that stood still has not read meanwhile.
    const timer = setInterval(() => {
      looks += 1;
      if (looks % WINDOW_LOOKS !== 0) return;
      if (body.length - before < WINDOW_BYTES_MIN) refuse(tooSlow(body.length - before));
      before = body.length;
    }, LOOK_MS);
    timer.unref();
    if (req.destroyed) {
      onClose();
      return;
    }
    req.on('data', onData);
    req.on('end', onEnd);
    req.on('close', onClose);
  });
}

/** Doubles when it is full, up to what may come. */
class GrowingBuffer {
  readonly #lease: BodyLease;
  readonly #bytesMax: number;
  #buffer = Buffer.alloc(0);
  length = 0;

  constructor(lease: BodyLease, bytesMax: number) {
    this.#lease = lease;
    this.#bytesMax = bytesMax;
  }

  add(piece: Buffer): void {
    const length = this.length + piece.length;
    if (length > this.#bytesMax) throw tooLarge('more');
    if (length > this.#buffer.length) this.#grow(length);
    piece.copy(this.#buffer, this.length);
    this.length = length;
  }

  whole(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #grow(length: number): void {
    const bytes = Math.min(this.#bytesMax, Math.max(length, 2 * this.#buffer.length, FIRST_BYTES));
    this.#lease.hold(bytes);
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}

/** Pieces that may be small, as those of any network may. */
const PIECES_FREE = 1024;
/** Above these a piece has so many bytes on average. */
const PIECE_BYTES_MIN = 64;

/** Counts the pieces in which a body comes: each costs the loop about the same, however small it is. */
export class Pieces {
  count = 0;
  bytes = 0;

  /** False when they are too many for what they bring. */
  add(bytes: number): boolean {
    this.count += 1;
    this.bytes += bytes;
    return this.count <= PIECES_FREE + this.bytes / PIECE_BYTES_MIN;
  }
}

function tooLarge(got: string): SpushError {
  return new SpushError(
    'TOO_LARGE',
    `a body may have ${BODY_BYTES_MAX} bytes, this one has ${got}: split the batch into several calls`,
  );
}

function tooSmallPieces({ count, bytes }: Pieces): SpushError {
  return new SpushError(
    'BAD_REQUEST',
    `the body comes in ${count} pieces for ${bytes} bytes: send it in pieces of ${PIECE_BYTES_MIN} bytes and more`,
  );
}

function tooSlow(bytes: number): SpushError {
  return new SpushError(
    'TOO_SLOW',
    `${bytes} bytes of the body came in ${(WINDOW_LOOKS * LOOK_MS) / 1000} s, ${WINDOW_BYTES_MIN} are the least: the call is ended`,
  );
}
