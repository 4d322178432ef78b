/** Values in calls and frames: how many characters, which numbers, and how to show one in an error text. */
import { clipped, isWellFormed } from '../base/well-formed.js';

const SHOWN_UNITS_MAX = 40;

/** A value in an error text: what it is, cut; the insides of lists and objects are not told. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(clipped(value, SHOWN_UNITS_MAX));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Counts characters (code points), and only where the number of code units leaves it open. */
export function longerThan(text: string, charsMax: number): boolean {
  if (text.length <= charsMax) return false;
  if (text.length > charsMax * 2) return true;
  let chars = 0;
  for (const _ of text) chars += 1;
  return chars > charsMax;
}

/** What is wrong with a text that somebody will get to read, or null. Lengths are looked at before contents. */
export function textFault(text: string, charsMax: number): string | null {
  if (longerThan(text, charsMax)) return `expected at most ${charsMax} characters`;
  if (isWellFormed(text)) return null;
  return 'expected well-formed Unicode, got half of a surrogate pair: was it cut in the middle of a character?';
}
