/**
 * Defaults that a page names beside a key, in the ways in which the docs do:
 *
 *     8 KiB (`HeaderBytesMax`) · (`LinksPerAddress`, 1,000 …) · `ReturnSeconds` (60 s) · `poolSize` 4 ×
 *     `IdleSeconds` + `IdleGraceSeconds` (240 s): of both together · rows of a table: | `Port` | 9501 |
 */

export interface NamedDefault {
  /** As the page writes them; several: the value is their sum. */
  readonly keys: readonly string[];
  readonly value: number;
  readonly unit: string | null;
  /** For the text of a test. */
  readonly quote: string;
}

const NUMBER = String.raw`(\d[\d,]*(?:\.\d+)?)`;
const UNIT = String.raw`(?:\s*(KiB|MiB|ms|s|bytes|days)\b)?`;
const KEY = '`((?:\\w+\\.)?\\w+)`';
/** Neither a boundary of a cell nor another number or word of code. */
const WORDS = '[^`\\d()|]{0,60}?';
const BEFORE = new RegExp(`${NUMBER}${UNIT}${WORDS}\\(${KEY}`, 'g');
const BEHIND = new RegExp(`${KEY}(?:,? |[^\`\\d()|+]{0,15}\\()${NUMBER}${UNIT}`, 'g');
const SUM = new RegExp(`${KEY} \\+ ${KEY} \\(${NUMBER}${UNIT}`, 'g');
const SUM_BEFORE = new RegExp(`${NUMBER}${UNIT}${WORDS}\\(${KEY} \\+ ${KEY}\\)`, 'g');
const ROW = /^\| ((?:`\w+`(?:, |、)?)+) \| ([\d., 、]+) \|/gm;
/** `503 (MaxLinkNumber)` is what is answered. */
const STATUS = /^[45]\d\d$/;

export function namedDefaults(page: string): NamedDefault[] {
  const text = page.replace(/```[\s\S]*?```/g, '');
  const flat = text.replace(/\n(?!\|)/g, ' ');
  const sums = all(flat, SUM).map(([quote, a, b, value, unit]) => named(quote, [a, b], value, unit));
  const sumsBefore = all(flat, SUM_BEFORE).map(([quote, value, unit, a, b]) =>
    named(quote, [a, b], value, unit),
  );
  const withoutSums = flat.replace(SUM, '').replace(SUM_BEFORE, '');
  return [
    ...sums,
    ...sumsBefore,
    ...all(withoutSums, BEFORE).map(([quote, value, unit, key]) => named(quote, [key], value, unit)),
    ...all(withoutSums, BEHIND).map(([quote, key, value, unit]) => named(quote, [key], value, unit)),
    ...all(text, ROW).flatMap(([quote, keys = '', values = '']) => {
      const numbers = values.split(/, |、/);
      return keys
        .split(/, |、/)
        .map((key, at) => named(quote, [key.replaceAll('`', '')], numbers[at], undefined));
    }),
  ].filter(({ value, unit }) => !(unit === null && STATUS.test(String(value))));
}

function all(text: string, pattern: RegExp): (string | undefined)[][] {
  return [...text.matchAll(pattern)].map((found) => [...found]);
}

function named(
  quote: string | undefined,
  keys: readonly (string | undefined)[],
  value: string | undefined,
  unit: string | undefined,
): NamedDefault {
  return {
    keys: keys.map((key) => key ?? ''),
    value: Number((value ?? '').replaceAll(',', '')),
    unit: unit ?? null,
    quote: quote ?? '',
  };
}

const FACTORS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1_048_576 };

/** The value in the unit of the key. */
export function inUnitOf(keyUnit: string | null, { value, unit }: NamedDefault): number {
  if (unit === 's' && keyUnit === 'ms') return value * 1000;
  return value * (FACTORS[unit ?? ''] ?? 1);
}
