/**
 * Text that has a form in UTF-8. A JavaScript string may hold half of a surrogate pair, JSON.stringify writes it as an
 * escape (`"\ud83d"`), and strict parsers, those of PHP, Swift and Rust among them, then refuse the whole text.
 */

const HALF = /\p{Surrogate}/u;
const HALVES = /\p{Surrogate}/gu;

/** False when half of a surrogate pair stands alone. */
export function isWellFormed(text: string): boolean {
  return !HALF.test(text);
}

/** Halves of surrogate pairs become U+FFFD, as they would on the wire. */
export function wellFormed(text: string): string {
  return text.replace(HALVES, '\ufffd');
}

/** The beginning of a text, for faults and logs: well-formed, no character cut in two, at most `unitsMax` UTF-16 units and `…`. */
export function clipped(text: string, unitsMax: number): string {
  if (text.length <= unitsMax) return wellFormed(text);
  const last = text.charCodeAt(unitsMax - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? unitsMax - 1 : unitsMax;
  return `${wellFormed(text.slice(0, end))}…`;
}
