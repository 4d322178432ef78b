/**
 * The signature of a call: HMAC-SHA256 over what the call is, when it was made, a nonce and its body's digest.
 * Both sides are here: `signCall` for those who call, the rest for those who are called.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SpushError } from '../../shared/base/errors.js';

/** Clocks must agree within this; a call is good for as long after its time. */
export const TOLERANCE_SECONDS = 60;
export const NONCE_CHARS_MIN = 8;
export const NONCE_CHARS_MAX = 64;

export const SIGNATURE_HEADERS = {
  key: 'X-Spush-Key',
  timestamp: 'X-Spush-Timestamp',
  nonce: 'X-Spush-Nonce',
  signature: 'X-Spush-Signature',
} as const;

const FIELDS = Object.keys(SIGNATURE_HEADERS) as (keyof typeof SIGNATURE_HEADERS)[];

export interface ApiKey {
  readonly id: string;
  readonly secret: string;
}

/** The parts of a call that are signed. */
export interface CallParts {
  readonly method: string;
  /** With the query, as on the request line. */
  readonly path: string;
  readonly body: Uint8Array | string;
}

export interface CallSignature {
  readonly key: string;
  /** Unix seconds, as sent. */
  readonly timestamp: string;
  readonly nonce: string;
  /** Hex. */
  readonly signature: string;
}

export type CallHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The headers that make a call valid. `path` is what stands on the request line, its query included. */
export function signCall(
  key: ApiKey,
  call: CallParts & { readonly timestamp: number; readonly nonce: string },
): Record<string, string> {
  const timestamp = String(call.timestamp);
  const text = textToSign(call, { timestamp, nonce: call.nonce });
  return {
    [SIGNATURE_HEADERS.key]: key.id,
    [SIGNATURE_HEADERS.timestamp]: timestamp,
    [SIGNATURE_HEADERS.nonce]: call.nonce,
    [SIGNATURE_HEADERS.signature]: hmac(key.secret, text).toString('hex'),
  };
}

/** METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE and the body's SHA-256, a line each. */
export function textToSign(
  call: CallParts,
  { timestamp, nonce }: { readonly timestamp: string; readonly nonce: string },
): string {
  const digest = createHash('sha256').update(call.body).digest('hex');
  return [call.method, call.path, timestamp, nonce, digest].join('\n');
}

export function isSigned(headers: CallHeaders): boolean {
  return FIELDS.some((field) => headers[SIGNATURE_HEADERS[field].toLowerCase()] !== undefined);
}

/** The four headers, in form; says which one is missing or malformed. */
export function parseSignature(headers: CallHeaders): CallSignature {
  const read = (field: keyof typeof SIGNATURE_HEADERS): string => {
    const name = SIGNATURE_HEADERS[field];
    const value = headers[name.toLowerCase()];
    if (typeof value === 'string' && value !== '') return value;
    throw refused(
      `header ${name} is missing; a signed call has ${Object.values(SIGNATURE_HEADERS).join(', ')}`,
    );
  };
  const [key, timestamp, nonce, signature] = [
    read('key'),
    read('timestamp'),
    read('nonce'),
    read('signature'),
  ];
  if (!new RegExp(`^[\\x21-\\x7e]{${NONCE_CHARS_MIN},${NONCE_CHARS_MAX}}$`).test(nonce)) {
    throw refused(
      `header ${SIGNATURE_HEADERS.nonce} must be ${NONCE_CHARS_MIN}-${NONCE_CHARS_MAX} visible ASCII characters, never used before`,
    );
  }
  if (!/^[0-9a-f]{64}$/i.test(signature)) {
    throw refused(`header ${SIGNATURE_HEADERS.signature} must be an HMAC-SHA256 in hex: 64 digits`);
  }
  return { key, timestamp, nonce, signature };
}

/** Throws when the caller's clock is off by more than the tolerance; answers the time, Unix seconds. */
export function parseTimestamp(text: string, nowSeconds: number): number {
  if (!/^\d{1,12}$/.test(text)) throw refused('the timestamp must be Unix seconds, digits only');
  const timestamp = Number(text);
  const off = Math.abs(nowSeconds - timestamp);
  if (off > TOLERANCE_SECONDS) {
    const side = timestamp < nowSeconds ? 'behind' : 'ahead of';
    throw refused(
      `the timestamp is ${off} s ${side} this server's clock; clocks must agree within ${TOLERANCE_SECONDS} s`,
    );
  }
  return timestamp;
}

/** Compares in constant time, and with every secret to the end: one id may have two while it is rotated. */
export function isSignatureOf(signature: CallSignature, secrets: readonly string[], text: string): boolean {
  const given = Buffer.from(signature.signature, 'hex');
  let matches = false;
  for (const secret of secrets) {
    const expected = hmac(secret, text);
    if (given.length === expected.length && timingSafeEqual(given, expected)) matches = true;
  }
  return matches;
}

export function refused(text: string, detail?: Readonly<Record<string, unknown>>): SpushError {
  return new SpushError('UNAUTHORIZED', text, detail === undefined ? {} : { detail });
}

function hmac(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}
