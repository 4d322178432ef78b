/**
 * Whether two processes have the same value, without either telling it to the other: it may be a secret. Both make a digest
 * of it under a nonce, which the one who asks has just drawn, and the digests are compared.
 */
import { createHmac, randomBytes } from 'node:crypto';

export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

/** Of a function its text counts. */
export function valueDigest(value: unknown, nonce: string): string {
  return createHmac('sha256', nonce).update(canonicalText(value)).digest('base64url');
}

/** The same for values that are the same: the order of keys says nothing. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, canonical) ?? 'undefined';
}

function canonical(_key: string, value: unknown): unknown {
  if (typeof value === 'function') return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
