/**
 * A form's fields as the values JSON would have had: `data` and `messages` from their JSON text, lists of users as PHP
 * writes them. Decimal text stays text, as the schemas take it for a number. Empty optional fields are absent fields.
 */
import { SpushError } from '../../shared/base/errors.js';
import { RawJson } from '../../shared/base/raw-json.js';
import { UIDS_MAX } from '../../shared/protocol/api.js';
import { parseJson, parseMessages } from './json-text.js';

/** A message has 12 fields; a list of users may come as one field each. */
export const FORM_FIELDS_MAX = UIDS_MAX + 64;
const SHOWN_CHARS_MAX = 40;

/** Fields whose empty text means something; all others are absent when empty. */
const TEXTS: ReadonlySet<string> = new Set(['title', 'content', 'reason']);

/** Throws BAD_REQUEST. Never makes prototype keys: the result has own properties only. */
export function parseForm(text: string): Record<string, unknown> {
  const fields = new Map<string, unknown>();
  const uids: unknown[] = [];
  for (const [name, value] of pairs(text)) {
    if (/^uids\[\d*\]$/.test(name)) uids.push(value);
    else if (/^(?:data|messages)\[/.test(name)) {
      throw bad(`field ${shown(name)}: send data and messages as JSON text (json_encode)`);
    } else if (fields.has(name)) throw bad(`field ${shown(name)} is there twice`);
    else if (value !== '' || TEXTS.has(name)) fields.set(name, fieldValue(name, value));
  }
  if (uids.length > 0) {
    if (fields.has('uids')) throw bad('fields uids and uids[] are both there');
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

function* pairs(text: string): Generator<[string, string]> {
  let count = 0;
  for (let start = 0; start <= text.length; ) {
    const found = text.indexOf('&', start);
    const end = found === -1 ? text.length : found;
    const pair = text.slice(start, end);
    start = end + 1;
    if (pair === '') continue;
    count += 1;
    if (count > FORM_FIELDS_MAX) throw bad(`a form may have ${FORM_FIELDS_MAX} fields, this one has more`);
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
    throw bad(`field ${shown(name)} is not UTF-8 in percent-encoding`, error);
  }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, SHOWN_CHARS_MAX));
}

function bad(text: string, cause?: unknown): SpushError {
  return new SpushError('BAD_REQUEST', text, { cause });
}
