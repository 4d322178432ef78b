/**
 * The signature of a call: HMAC-SHA256 over what the call is, when it was made, a nonce and its body's digest.
 * Both sides are here: `signCall` for those who call, the rest for those who are called.
 *
 * Version 2 covers everything that decides what a call means, and carries the body's digest in a header: its head alone
 * shows who calls, before a byte of the body is read. Version 1 leaves out the key's id and the body's type, and shows
 * nothing without the body.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SpushError } from '../../shared/base/errors.js';

/** Clocks must agree within this; a call is good for as long after its time. */
export const TOLERANCE_SECONDS = 60;
export const NONCE_CHARS_MIN = 8;
export const NONCE_CHARS_MAX = 64;

export const SIGNATURE_HEADERS = {
  version: 'X-Spush-Version',
  key: 'X-Spush-Key',
  timestamp: 'X-Spush-Timestamp',
  nonce: 'X-Spush-Nonce',
  digest: 'X-Spush-Digest',
  signature: 'X-Spush-Signature',
} as const;

type Field = keyof typeof SIGNATURE_HEADERS;

export const FIELDS_V2 = ['version', 'key', 'timestamp', 'nonce', 'digest', 'signature'] as const;
export const FIELDS_V1 = ['key', 'timestamp', 'nonce', 'signature'] as const;

/** First line of what version 2 signs. No HTTP method, so no text of one version is ever one of the other. */
const FIRST_LINE_V2 = 'SPUSH 2';

export interface ApiKey {
  readonly id: string;
  readonly secret: string;
}

/** The parts of a call that are signed. */
export interface CallParts {
  readonly method: string;
  /** With the query, as on the request line. */
  readonly path: string;
  /** The whole header, as sent; absent or empty: there is none. */
  readonly contentType?: string;
  readonly body: Uint8Array | string;
}

interface SignedHead {
  /** Unix seconds, as sent. */
  readonly timestamp: string;
  readonly nonce: string;
}

interface SignatureFields extends SignedHead {
  readonly key: string;
  /** Hex. */
  readonly signature: string;
}

export type CallSignature =
  | (SignatureFields & { readonly version: 1 })
  /** `digest`: of the body, hex. */
  | (SignatureFields & { readonly version: 2; readonly digest: string });

export type CallHeaders = Readonly<Record<string, string | string[] | undefined>>;

type CallToSign = CallParts & { readonly timestamp: number; readonly nonce: string };

/** The headers that make a call valid. `path` is what stands on the request line, its query included. */
export function signCall(key: ApiKey, call: CallToSign): Record<string, string> {
  const timestamp = String(call.timestamp);
  const digest = digestOf(call.body);
  const text = textToSign(call, { key: key.id, timestamp, nonce: call.nonce, digest });
  return {
    [SIGNATURE_HEADERS.version]: '2',
    [SIGNATURE_HEADERS.key]: key.id,
    [SIGNATURE_HEADERS.timestamp]: timestamp,
    [SIGNATURE_HEADERS.nonce]: call.nonce,
    [SIGNATURE_HEADERS.digest]: digest,
    [SIGNATURE_HEADERS.signature]: hmac(key.secret, text).toString('hex'),
  };
}

/** The same in version 1. */
export function signCallV1(key: ApiKey, call: CallToSign): Record<string, string> {
  const timestamp = String(call.timestamp);
  const text = textToSignV1(call, { timestamp, nonce: call.nonce });
  return {
    [SIGNATURE_HEADERS.key]: key.id,
    [SIGNATURE_HEADERS.timestamp]: timestamp,
    [SIGNATURE_HEADERS.nonce]: call.nonce,
    [SIGNATURE_HEADERS.signature]: hmac(key.secret, text).toString('hex'),
  };
}

/** Version 2, a line each: `SPUSH 2`, KEY, METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE, CONTENT_TYPE, DIGEST. */
export function textToSign(
  call: Omit<CallParts, 'body'>,
  { key, timestamp, nonce, digest }: SignedHead & { readonly key: string; readonly digest: string },
): string {
  const { method, path, contentType = '' } = call;
  return [FIRST_LINE_V2, key, method, path, timestamp, nonce, contentType, digest].join('\n');
}

/** Version 1: METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE and the body's SHA-256, a line each. */
export function textToSignV1(call: CallParts, { timestamp, nonce }: SignedHead): string {
  return [call.method, call.path, timestamp, nonce, digestOf(call.body)].join('\n');
}

/** SHA-256 in lower-case hex. */
export function digestOf(body: Uint8Array | string): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Whose nonces these are: keys with one secret share them, as each can sign for the other. Tells nothing of the secret. */
export function nonceScope(secret: string): string {
  return hmac(secret, 'spush: whose nonces').toString('base64url');
}

export function isSigned(headers: CallHeaders): boolean {
  return FIELDS_V2.some((field) => headers[SIGNATURE_HEADERS[field].toLowerCase()] !== undefined);
}

/** The headers of either version, in form; says which one is missing or malformed. */
export function parseSignature(headers: CallHeaders): CallSignature {
  const version = versionOf(headers);
  const read = (field: Field): string => {
    const name = SIGNATURE_HEADERS[field];
    const value = headers[name.toLowerCase()];
    if (typeof value === 'string' && value !== '') return value;
    throw refused(`header ${name} is missing; a signed call has ${headerNames(version)}`);
  };
  const [key, timestamp, nonce] = [read('key'), read('timestamp'), read('nonce')];
  const digest = version === 2 ? read('digest').toLowerCase() : '';
  const signature = read('signature');
  if (!new RegExp(`^[\\x21-\\x7e]{${NONCE_CHARS_MIN},${NONCE_CHARS_MAX}}$`).test(nonce)) {
    throw refused(
      `header ${SIGNATURE_HEADERS.nonce} must be ${NONCE_CHARS_MIN}-${NONCE_CHARS_MAX} visible ASCII characters, never used before`,
    );
  }
  if (!isSha256(signature)) {
    throw refused(`header ${SIGNATURE_HEADERS.signature} must be an HMAC-SHA256 in hex: 64 digits`);
  }
  if (version === 1) return { version, key, timestamp, nonce, signature };
  if (!isSha256(digest)) {
    throw refused(`header ${SIGNATURE_HEADERS.digest} must be the SHA-256 of the body in hex: 64 digits`);
  }
  return { version, key, timestamp, nonce, signature, digest };
}

/** Version 1 has no header that says so. One that has the digest means version 2 and is told what is missing. */
function versionOf(headers: CallHeaders): 1 | 2 {
  const version = headers[SIGNATURE_HEADERS.version.toLowerCase()];
  if (version === '2') return 2;
  if (version === undefined) {
    if (headers[SIGNATURE_HEADERS.digest.toLowerCase()] === undefined) return 1;
    throw refused(
      `header ${SIGNATURE_HEADERS.version} is missing beside ${SIGNATURE_HEADERS.digest}; it is 2`,
    );
  }
  throw refused(`header ${SIGNATURE_HEADERS.version} must be 2; a call that is signed by version 1 has none`);
}

function headerNames(version: 1 | 2): string {
  const fields = version === 2 ? FIELDS_V2 : FIELDS_V1;
  return fields.map((field) => SIGNATURE_HEADERS[field]).join(', ');
}

function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
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

/**
 * The secret that made it, or null. Compares in constant time, and with every secret to the end: one id may have two
 * while it is rotated.
 */
export function secretOf(signature: CallSignature, secrets: readonly string[], text: string): string | null {
  const given = Buffer.from(signature.signature, 'hex');
  let madeWith: string | null = null;
  for (const secret of secrets) {
    const expected = hmac(secret, text);
    if (given.length === expected.length && timingSafeEqual(given, expected)) madeWith = secret;
  }
  return madeWith;
}

export function refused(text: string, detail?: Readonly<Record<string, unknown>>): SpushError {
  return new SpushError('UNAUTHORIZED', text, detail === undefined ? {} : { detail });
}

function hmac(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}
