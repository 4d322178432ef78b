/**
 * From the bytes of a body to plain values, JSON or the fields of a form; `data` of messages is a RawJson. What they mean is for
 * the schemas.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SpushError } from '../../shared/base/errors.js';
import { parseForm } from './form.js';
import { parseCall } from './json-text.js';

const CHARSETS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);
const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const SHOWN_CHARS_MAX = 80;

/** Throws BAD_REQUEST or UNSUPPORTED_MEDIA. */
export function parseBody(raw: Buffer, headers: IncomingHttpHeaders): unknown {
  if (raw.length === 0) {
    throw new SpushError('BAD_REQUEST', `the body is empty; expected ${JSON_TYPE} or ${FORM_TYPE}`);
  }
  const type = bodyType(headers);
  const text = utf8Text(raw);
  return type === JSON_TYPE ? parseCall(text) : parseForm(text);
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
  throw unsupported(`Content-Type ${shown(header)} is not read; expected ${JSON_TYPE} or ${FORM_TYPE}`);
}

function utf8Text(raw: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(raw);
  } catch (error) {
    throw new SpushError('BAD_REQUEST', 'the body is not UTF-8', { cause: error });
  }
}

function unsupported(text: string): SpushError {
  return new SpushError('UNSUPPORTED_MEDIA', text);
}

function shown(value: string): string {
  return JSON.stringify(value.slice(0, SHOWN_CHARS_MAX));
}
