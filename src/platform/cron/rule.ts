/**
 * The rule of a crontab job, checked before anything follows it: five fields, or an alias that stands for five fields.
 *
 *     minute 0-59 · hour 0-23 · day of month 1-31 · month 1-12 or JAN-DEC · weekday 0-7 (0 and 7: Sunday) or SUN-SAT
 *
 * In each: `*`, a value, a range `a-b` (over the end too: `22-6`), a step of a range or of `*` (`0-23/3`), lists of
 * them with commas. Day of month also `?`, `L` (last), `L-3`, `15W` (the working day nearest to the 15th), `LW`; weekday also `?`,
 * `5L` (last Friday), `1#2` (second Monday). As in EasySwoole, and unlike the classic cron, a date must fit the day of
 * month AND the weekday. What becomes of a rule where clocks are changed is in rule-times.ts.
 *
 * The library that knows the words reads some mistakes as something else (JAN1 as November), so they are checked here; what
 * they mean, and whether they ever come true, is the library's to say.
 */
import { errorText } from '../../shared/base/errors.js';
import { didYouMean } from '../../shared/base/nearest.js';
import { RuleTimes } from './rule-times.js';

export type RuleCheck =
  /** Five fields with one space between them; an alias is written out. */
  { readonly ok: true; readonly rule: string } | { readonly ok: false; readonly reason: string };

export const RULE_ALIASES: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);

/** Where a rule is looked for from: 2000-01-01, so that the answer is the same on every day. */
const CENTURY_MS = Date.UTC(2000, 0, 1);

/** Longer ones are no rule that a person wrote. */
export const RULE_LENGTH_MAX = 256;

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of the values, the first one that of `nameOf`. */
  readonly names: readonly string[];
  readonly nameOf: number;
  /** What this field takes beside values and ranges. */
  readonly special: RegExp | null;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, names: [], nameOf: 0, special: null },
  { name: 'hour', min: 0, max: 23, names: [], nameOf: 0, special: null },
  {
    name: 'day of month',
    min: 1,
    max: 31,
    names: [],
    nameOf: 0,
    special: /^(L|LW|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|3[01])W)$/,
  },
  { name: 'month', min: 1, max: 12, names: MONTHS, nameOf: 1, special: null },
  { name: 'weekday', min: 0, max: 7, names: WEEKDAYS, nameOf: 0, special: /^[0-7](L|#[1-5])$/ },
];

const FIELD_NAMES = 'minute, hour, day of month, month, weekday';

/** @param timeZone null: the machine's */
export function checkRule(text: string, timeZone: string | null): RuleCheck {
  const trimmed = text.trim();
  if (trimmed === '') return refuse(`it is empty; expected five fields (${FIELD_NAMES})`);
  if (trimmed.length > RULE_LENGTH_MAX) return refuse(`it is longer than ${RULE_LENGTH_MAX} characters`);
  if (trimmed.startsWith('@')) return checkAlias(trimmed);
  const fields = trimmed.toUpperCase().split(/\s+/);
  if (fields.length === 6) return refuse(`it has six fields: seconds are not known (${FIELD_NAMES})`);
  if (fields.length !== 5) {
    return refuse(
      `it has ${fields.length} field${fields.length === 1 ? '' : 's'}, not five (${FIELD_NAMES})`,
    );
  }
  const numeric: string[] = [];
  for (const [i, field] of FIELDS.entries()) {
    const words = numbersFor(fields[i] ?? '', field);
    const fault = faultOf(words, fields[i] ?? '', field);
    if (fault !== null) return refuse(fault);
    numeric.push(words);
  }
  const never = neverComes(numeric.join(' '), timeZone);
  return never === null ? { ok: true, rule: fields.join(' ') } : refuse(never);
}

function refuse(reason: string): RuleCheck {
  return { ok: false, reason };
}

function checkAlias(alias: string): RuleCheck {
  const rule = RULE_ALIASES.get(alias.toLowerCase());
  if (rule !== undefined) return { ok: true, rule };
  const near = didYouMean(alias, RULE_ALIASES.keys());
  return refuse(`${alias} is none of ${[...RULE_ALIASES.keys()].join(', ')}.${near}`);
}

/** Names replaced by their numbers; whole words only. */
function numbersFor(text: string, { names, nameOf }: Field): string {
  return text.replace(/(?<![A-Z\d])[A-Z]{3,}(?![A-Z\d])/g, (word) => {
    const index = names.findIndex((name) => word === name || word === `${name}L`);
    return index < 0 ? word : `${index + nameOf}${word.slice(3)}`;
  });
}

/** What is wrong with a field, in words; null when it is right. */
function faultOf(words: string, asWritten: string, field: Field): string | null {
  if (words === '?' && field.special !== null) return null;
  for (const [i, token] of words.split(',').entries()) {
    const fault = tokenFault(token, field);
    if (fault !== null) return `${field.name} "${asWritten.split(',')[i] ?? asWritten}" ${fault}`;
  }
  return null;
}

function tokenFault(token: string, field: Field): string | null {
  if (field.special?.test(token)) return null;
  if (token === '?') return 'stands for the whole day of month or the whole weekday, alone';
  const parts = /^(?:(\*)|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(token);
  if (!parts) return `is not understood; ${allowed(field)}`;
  const [, star, first, last, step] = parts;
  for (const value of [first, last]) {
    if (value === undefined) continue;
    if (Number(value) < field.min || Number(value) > field.max) return `is not ${field.min} to ${field.max}`;
  }
  if (step === undefined) return null;
  if (star === undefined && last === undefined) {
    return `has a step but no range; write ${first}-${field.max}/${step}`;
  }
  const stepMax = field.max - field.min + 1;
  return Number(step) >= 1 && Number(step) <= stepMax ? null : `has a step that is not 1 to ${stepMax}`;
}

function allowed({ min, max, names, special, name }: Field): string {
  const named = names.length === 0 ? '' : ` or ${names[0]} to ${names.at(-1)}`;
  const more = special === null ? '' : name === 'weekday' ? ', ?, 5L, 1#2' : ', ?, L, L-3, 15W, LW';
  return `expected ${min} to ${max}${named}, with * , - /${more}`;
}

/** Why no moment fits the rule; null when one does. */
function neverComes(rule: string, timeZone: string | null): string | null {
  try {
    if (new RuleTimes(rule, timeZone).next(CENTURY_MS) !== null) return null;
  } catch (error) {
    return errorText(error);
  }
  const [, , day, month, weekday] = rule.split(' ');
  return `it never comes: no date has day of month ${day}, month ${month} and weekday ${weekday} together`;
}
