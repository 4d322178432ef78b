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

/** Trusted: bodyText wrote it, `data` last. */
export function parseBody(text: string): MessageText {
  const at = dataAt(text);
  if (at === null) return JSON.parse(text) as MessageText;
  const rest = JSON.parse(`${text.slice(0, at.name - 1)}}`) as MessageText;
  return { ...rest, data: strictData(text.slice(at.value, -1)) };
}

/** Where the member `data` begins, its name and its value. */
function dataAt(text: string): { readonly name: number; readonly value: number } | null {
  const cursor = new JsonCursor(text);
  cursor.enter();
  while (cursor.more()) {
    const name = cursor.at;
    if (cursor.name() === 'data') return { name, value: cursor.at };
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
