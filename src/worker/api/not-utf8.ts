/**
 * The fault of a body that is not UTF-8, most often because a text was cut in bytes, in the middle of a character: which field
 * it is, which message of a batch, and at which byte.
 */
import { SpushError } from '../../shared/base/errors.js';
import { clipped } from '../../shared/base/well-formed.js';
import { badCall } from '../../shared/protocol/api.js';
import { parseJson, pathAt } from './json-text.js';

const NAME_UNITS_MAX = 40;
const PATH_STEPS_MAX = 8;

export function notUtf8(raw: Buffer, as: 'json' | 'form'): SpushError {
  const mended = raw.toString();
  const byte = firstDifference(raw, Buffer.from(mended));
  const place = raw.toString('utf8', 0, byte).length;
  const path = as === 'json' ? jsonPath(mended, place) : formPath(mended, place);
  const message = `is not UTF-8 at byte ${byte} of the body: was it cut in the middle of a character?`;
  if (path.length === 0) return new SpushError('BAD_REQUEST', `the body ${message}`);
  const [first, index, ...inner] = path;
  const ofBatch = first === 'messages' && /^\d+$/.test(index ?? '');
  const named = (ofBatch ? inner : path)
    .slice(0, PATH_STEPS_MAX)
    .map((step) => clipped(step, NAME_UNITS_MAX));
  return badCall([{ index: ofBatch ? Number(index) : 0, path: named.join('.'), message }], {
    inBatch: ofBatch,
  });
}

/** Where a text that was read leniently, and written again, differs: there is what no character begins with. */
function firstDifference(raw: Buffer, written: Buffer): number {
  const end = Math.min(raw.length, written.length);
  let at = 0;
  while (at < end && raw[at] === written[at]) at += 1;
  return at;
}

/** A byte order mark keeps its place, as a blank. */
function jsonPath(text: string, place: number): string[] {
  const json = text.replace(/^\ufeff/, ' ');
  try {
    parseJson(json, 'the body');
  } catch {
    // Broken in more ways than one: without JSON there are no fields to name.
    return [];
  }
  return pathAt(json, place);
}

function formPath(text: string, place: number): string[] {
  const start = text.lastIndexOf('&', place - 1) + 1;
  const [name = ''] = text.slice(start, start + 3 * NAME_UNITS_MAX).split('=');
  return name === '' ? [] : [name];
}
