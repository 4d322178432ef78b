/**
 * From the bytes of a body to plain values, JSON or the fields of a form; `data` of messages is a RawJson. What they mean is for
 * the schemas.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { SpushError } from '../../shared/base/errors.js';
import { clipped } from '../../shared/base/well-formed.js';
import { parseForm } from './form.js';
import { parseCall } from './json-text.js';
import { notUtf8 } from './not-utf8.js';

const CHARSETS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);
const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const MULTIPART_TYPE = 'multipart/form-data';
const BYTE_ORDER_MARK = /^\ufeff/;
const SHOWN_UNITS_MAX = 80;

/** Throws BAD_REQUEST or UNSUPPORTED_MEDIA. */
export function parseBody(raw: Buffer, headers: IncomingHttpHeaders): unknown {
  if (raw.length === 0) {
    throw new SpushError('BAD_REQUEST', `the body is empty; expected ${JSON_TYPE} or ${FORM_TYPE}`);
  }
  const type = bodyType(headers);
  if (!isUtf8(raw)) throw notUtf8(raw, type === JSON_TYPE ? 'json' : 'form');
  const text = raw.toString().replace(BYTE_ORDER_MARK, '');
  if (type === JSON_TYPE) return parseCall(text);
  assertNoJson(text);
  return parseForm(text);
}

/**
 * A JSON text that is read as a form says something else: what follows a `&` in a title would be a field. Version 1 of the
 * signature does not cover the type, so whoever carries the call could change it. No encoder of forms begins like this.
 */
function assertNoJson(text: string): void {
  if (!/^\s*[{[]/.test(text)) return;
  throw unsupported(`the body begins as JSON does, but Content-Type is ${FORM_TYPE}: send ${JSON_TYPE}`);
}

function bodyType(headers: IncomingHttpHeaders): typeof JSON_TYPE | typeof FORM_TYPE {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw unsupported(`Content-Encoding ${shown(encoding)} is not read: send the body uncompressed`);
  }
  const header = headers['content-type'];
  if (header === undefined) {
    throw unsupported(`Content-Type is missing; expected ${JSON_TYPE} or ${FORM_TYPE}`);
  }
  const [essence = '', ...parameters] = header.split(';').map((part) => part.trim().toLowerCase());
  for (const parameter of parameters) {
    const charset = /^charset\s*=\s*"?([^"\s]*)"?$/.exec(parameter)?.[1];
    if (charset !== undefined && !CHARSETS.has(charset)) {
      throw unsupported(`charset ${shown(charset)} is not read: send UTF-8`);
    }
  }
  if (essence === JSON_TYPE || essence === FORM_TYPE) return essence;
  if (essence === MULTIPART_TYPE) {
    throw unsupported(
      `Content-Type ${MULTIPART_TYPE} is not read; expected ${JSON_TYPE} or ${FORM_TYPE}: curl in PHP sends a form when it is given http_build_query($fields) instead of the array`,
    );
  }
  throw unsupported(`Content-Type ${shown(header)} is not read; expected ${JSON_TYPE} or ${FORM_TYPE}`);
}

function unsupported(text: string): SpushError {
  return new SpushError('UNSUPPORTED_MEDIA', text);
}

function shown(value: string): string {
  return JSON.stringify(clipped(value, SHOWN_UNITS_MAX));
}
