/**
 * Whole numbers as the main site sends them: PHP gives what it read from a form or a database as text, and sends it on as
 * it is. So decimal text is a number wherever the main site sends one: digits only, no sign, no blanks, no zeros in front.
 */
import * as z from 'zod';

/** Not above 2^53 - 1: the check for a safe integer comes after it. */
const DECIMAL = /^(?:0|[1-9]\d{0,15})$/;

/** The number that decimal text stands for; null when it is none. */
export function decimalNumber(text: string): number | null {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}

/** A whole number of this range, or decimal text of one. */
export function wholeNumber(
  min: number,
  max: number,
  params: { error: (issue: { readonly input?: unknown }) => string },
) {
  const number = z.int(params).min(min, params).max(max, params);
  const text = z.string(params).regex(DECIMAL, params).transform(Number).pipe(number);
  return z.union([number, text], params);
}
