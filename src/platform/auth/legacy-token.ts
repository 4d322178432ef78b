/**
 * The old proof: the fields `timestamp` and `token` = md5(timestamp + secret), in the body or the query. It says neither
 * what was called nor that it was called once, so it counts only where the configuration allows it, and only from the
 * addresses in `allow`.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type ApiKey, parseTimestamp, refused } from './signature.js';

export interface LegacyFields {
  readonly timestamp: unknown;
  readonly token: unknown;
}

/** Present when there is a `token`; query before body. A `timestamp` alone is just a field. */
export function legacyFields(query: URLSearchParams, body: unknown): LegacyFields | null {
  if (query.has('token')) return { timestamp: query.get('timestamp'), token: query.get('token') };
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'token')) return null;
  const { timestamp, token } = body as Record<string, unknown>;
  return { timestamp, token };
}

export interface LegacyProof {
  /** The key it was made with. */
  readonly key: ApiKey;
  /** Unix seconds. */
  readonly timestamp: number;
  /** In lower case. */
  readonly token: string;
}

/** Throws UNAUTHORIZED. Every key is tried to the end, so that time tells nothing. */
export function legacyProof(fields: LegacyFields, keys: readonly ApiKey[], nowSeconds: number): LegacyProof {
  const text = typeof fields.timestamp === 'number' ? String(fields.timestamp) : fields.timestamp;
  if (typeof text !== 'string') throw refused('field timestamp is missing beside field token');
  if (typeof fields.token !== 'string' || !/^[0-9a-f]{32}$/i.test(fields.token)) {
    throw refused('field token must be an md5 in hex: 32 digits');
  }
  const timestamp = parseTimestamp(text, nowSeconds);
  const given = Buffer.from(fields.token, 'hex');
  let madeWith: ApiKey | null = null;
  for (const key of keys) {
    const expected = createHash('md5').update(`${text}${key.secret}`).digest();
    if (timingSafeEqual(given, expected)) madeWith = key;
  }
  if (madeWith === null) {
    throw refused('the token does not match: it is md5(timestamp + secret) of a key in conf/*/api.ts');
  }
  return { key: madeWith, timestamp, token: fields.token.toLowerCase() };
}
