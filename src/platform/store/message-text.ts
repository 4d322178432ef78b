/**
 * What a message says, as one text for the store's tables.
 *
 * It is one JSON value: databases and their bindings cut plain text at a NUL character or replace lone surrogates; JSON
 * escapes both, so what went in comes out.
 */

export interface MessageText {
  readonly title: string;
  readonly content: string;
  readonly url?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export function bodyText(message: {
  readonly title: string;
  readonly content: string;
  readonly url: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
}): string {
  const { title, content, url, data } = message;
  return JSON.stringify({ title, content, url: url ?? undefined, data: data ?? undefined });
}

/** Trusted: bodyText wrote it. */
export function parseBody(text: string): MessageText {
  return JSON.parse(text) as MessageText;
}
