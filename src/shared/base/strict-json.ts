import { wellFormed } from './well-formed.js';

/** How JSON.stringify writes half of a surrogate pair; also found in a text that merely looks like it. */
const HALF_ESCAPED = /\\ud[89a-f]/i;

/**
 * JSON that strict parsers read too: halves of surrogate pairs, in values and names, become U+FFFD. For what is made of
 * texts that came from elsewhere and were cut or quoted on the way: faults, replies.
 */
export function strictJson(value: object): string {
  const text = JSON.stringify(value);
  return HALF_ESCAPED.test(text) ? JSON.stringify(value, mended) : text;
}

function mended(_name: string, value: unknown): unknown {
  if (typeof value === 'string') return wellFormed(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [wellFormed(name), inner]));
}
