/**
 * What a message says, as one text for the store's tables.
 *
 * It is one JSON value: databases and their bindings cut plain text at a NUL character, JSON escapes it, so what went in comes
 * out. `data` stands in it as the caller wrote it and is taken out as it stands.
 */
import { JsonCursor } from '../../shared/base/json-cursor.js';
import { strictJson } from '../../shared/base/strict-json.js';
import type { DataText } from '../../shared/domain/message.js';
import { dataText } from '../../shared/protocol/data-text.js';

export interface MessageText {
  readonly title: string;
  readonly content: string;
  readonly url?: string;
  readonly data?: DataText;
}

export function bodyText({
  title,
  content,
  url,
  data,
}: {
  readonly title: string;
  readonly content: string;
  readonly url: string | null;
  readonly data: DataText | null;
}): string {
  const text = JSON.stringify({ title, content, url: url ?? undefined });
  return data === null ? text : `${text.slice(0, -1)},"data":${data}}`;
}

/** Written by bodyText, `data` last; a SyntaxError when it is not JSON any more, as `data` would break every frame it is put into. */
export function parseBody(text: string): MessageText {
  const body = JSON.parse(text) as MessageText;
  const at = body.data === undefined ? null : dataAt(text);
  return at === null ? body : { ...body, data: strictData(text.slice(at, -1)) };
}

/** Where the value of the member `data` begins. */
function dataAt(text: string): number | null {
  const cursor = new JsonCursor(text);
  cursor.enter();
  while (cursor.more()) {
    if (cursor.name() === 'data') return cursor.at;
    cursor.skip();
  }
  return null;
}

/** Halves of surrogate pairs, which were accepted in `data` once, would make every frame with it unreadable for strict clients. */
function strictData(text: string): DataText {
  const isStrict = !HALF_ESCAPED.test(text) || typeof dataText(text) === 'string';
  return (isStrict ? text : strictJson(JSON.parse(text))) as DataText;
}

/** Also found in a text that merely looks like it. */
const HALF_ESCAPED = /\\ud[89a-f]/i;
