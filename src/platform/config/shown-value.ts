/** The value of a key as it may be shown to anybody: a secret is masked. */
import { withoutSecrets } from './address-text.js';
import type { KeyMeta } from './config-schema.js';

/** In the place of a secret. */
export const MASK = '***';

export function shownValue(meta: KeyMeta, value: unknown): unknown {
  if (meta.secret) return masked(value);
  if (meta.address && typeof value === 'string') return withoutSecrets(value);
  return typeof value === 'function' ? '(function)' : value;
}

/** That nothing is set is no secret, and often what is looked for. */
function masked(value: unknown): string {
  const empty = value === '' || value === null || (Array.isArray(value) && value.length === 0);
  return empty ? '' : MASK;
}
