/**
 * A form's fields as the values JSON would have had: `data` and `messages` from their JSON text, lists of users as PHP
 * writes them. Decimal text stays text, as the schemas take it for a number. Empty optional fields are absent fields.
 *
 * http_build_query in PHP turns what is nested into names with brackets. Such a list of users is understood. For other fields it is
 * refused: their brackets say no types (4711 becomes "4711", true "1"), and null and empty lists are left out of them, so
 * readers would get something else than was meant.
 */
import { SpushError } from '../../shared/base/errors.js';
import { RawJson } from '../../shared/base/raw-json.js';
import { clipped } from '../../shared/base/well-formed.js';
import { badCall, kickSchema, personalMessageSchema, UIDS_MAX } from '../../shared/protocol/api.js';
import { parseJson, parseMessages } from './json-text.js';

/** A message has 12 fields; a list of users may come as one field each. */
export const FORM_FIELDS_MAX = UIDS_MAX + 64;
const NAME_UNITS_MAX = 40;

/** Fields whose empty text means something; all others are absent when empty. */
const TEXTS: ReadonlySet<string> = new Set(['title', 'content', 'reason']);
/** All others are unknown, and ignored. */
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(personalMessageSchema.shape),
  ...Object.keys(kickSchema.shape),
  'messages',
  'timestamp',
  'token',
]);
const UIDS_ELEMENT = /^uids\[\d*\]$/;

/** Throws BAD_REQUEST. Never makes prototype keys: the result has own properties only. */
export function parseForm(text: string): Record<string, unknown> {
  const names = new Set<string>();
  const fields = new Map<string, unknown>();
  const uids: string[] = [];
  for (const [name, value] of pairs(text)) {
    if (!name.endsWith('[]') && names.has(name)) throw bad(name, 'is there twice');
    names.add(name);
    if (UIDS_ELEMENT.test(name)) uids.push(value);
    else if (isListOfKnown(name)) throw listInstead(name);
    else if (value !== '' || TEXTS.has(name)) fields.set(name, fieldValue(name, value));
  }
  if (uids.length > 0) {
    if (fields.has('uids')) throw bad('uids', 'is there twice, as uids and as uids[]');
    fields.set('uids', uids);
  }
  return Object.fromEntries(fields);
}

function fieldValue(name: string, value: string): unknown {
  switch (name) {
    case 'uids':
      return value.startsWith('[')
        ? parseJson(value, `field ${name}`)
        : value.split(',', UIDS_MAX + 1).map((uid) => uid.trim());
    case 'data':
      return parseJson(value, `field ${name}`) === null ? null : new RawJson(value);
    case 'messages':
      return parseMessages(value);
    default:
      return value;
  }
}

function isListOfKnown(name: string): boolean {
  const bracket = name.indexOf('[');
  return bracket !== -1 && KNOWN.has(name.slice(0, bracket));
}

function listInstead(name: string): SpushError {
  const base = name.slice(0, name.indexOf('['));
  const given = clipped(name, NAME_UNITS_MAX);
  switch (base) {
    case 'uids':
      return bad(base, `expected uids[]=1&uids[]=2, or uids=1,2, got ${given}`);
    case 'data':
    case 'messages':
      return bad(
        base,
        `expected one field of JSON text (json_encode), got ${given}: names with brackets say no types`,
      );
    default:
      return bad(base, `expected one value, got a list: ${given}`);
  }
}

function* pairs(text: string): Generator<[string, string]> {
  let count = 0;
  for (let start = 0; start <= text.length; ) {
    const found = text.indexOf('&', start);
    const end = found === -1 ? text.length : found;
    const pair = text.slice(start, end);
    start = end + 1;
    if (pair === '') continue;
    count += 1;
    if (count > FORM_FIELDS_MAX) {
      throw new SpushError('BAD_REQUEST', `a form may have ${FORM_FIELDS_MAX} fields, this one has more`);
    }
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    yield [decoded(name, name), equals === -1 ? '' : decoded(pair.slice(equals + 1), name)];
  }
}

/** Stricter than URLSearchParams, which would store broken characters for a text in another charset. */
function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw bad(name, 'is not UTF-8 in percent-encoding: was it cut in the middle of a character?', error);
  }
}

function bad(name: string, message: string, cause?: unknown): SpushError {
  const path = clipped(name, NAME_UNITS_MAX);
  return badCall([{ index: 0, path, message }], { cause });
}
