/**
 * Walks over JSON text without making values of it: where a member begins and ends, and how a number is written, is
 * gone once it is parsed. Tokens are not checked: what this reads is read by JSON.parse as well, before or afterwards. Each call
 * goes on or ends, whatever the text is: `more` throws a SyntaxError where the text ends inside of an object or list.
 *
 *     cursor.enter();
 *     while (cursor.more()) { const name = cursor.name(); … cursor.skip(); }
 *
 * It compares character codes, because every token of every call passes here.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** The largest of the four characters that are blanks in JSON; no other one up to it stands outside of a string. */
const BLANK_MAX = 0x20;

export class JsonCursor {
  readonly text: string;
  #at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.#at = at;
  }

  /** Where the next token begins. */
  get at(): number {
    while (this.text.charCodeAt(this.#at) <= BLANK_MAX) this.#at += 1;
    return this.#at;
  }

  /** First character of the next token: `{`, `[`, `"`, or that of a number, true, false or null. */
  peek(): string {
    return this.text[this.at] ?? '';
  }

  /** To a place where a token begins. */
  back(to: number): void {
    this.#at = to;
  }

  /** Into the object or list that begins here. */
  enter(): void {
    this.#at = this.at + 1;
  }

  /** Whether a member or element comes next; if not, the cursor is behind the object or list. Throws a SyntaxError. */
  more(): boolean {
    const next = this.text.charCodeAt(this.at);
    if (Number.isNaN(next)) throw new SyntaxError('JSON text ends inside of an object or list');
    if (next === CLOSE_OBJECT || next === CLOSE_LIST) {
      this.#at += 1;
      return false;
    }
    if (next === COMMA) this.#at += 1;
    return true;
  }

  /** The name of a member; its value comes next. */
  name(): string {
    const literal = this.string();
    this.colon();
    return decoded(literal);
  }

  /** Over what stands between a name and its value. */
  colon(): void {
    this.#at = this.at + 1;
  }

  /** The text of the string that begins here, quotes included. */
  string(): string {
    const from = this.at;
    this.#at = stringEnd(this.text, from) + 1;
    return this.text.slice(from, this.#at);
  }

  /** The text of the number, true, false or null that begins here. */
  scalar(): string {
    const from = this.at;
    this.#toScalarsEnd();
    return this.text.slice(from, this.#at);
  }

  /** Over the next value, whatever it is and however deep. Answers where it ends. */
  skip(): number {
    let depth = 0;
    do {
      switch (this.text.charCodeAt(this.at)) {
        case QUOTE:
          this.#at = stringEnd(this.text, this.#at) + 1;
          break;
        case OPEN_OBJECT:
        case OPEN_LIST:
          depth += 1;
          this.#at += 1;
          break;
        case CLOSE_OBJECT:
        case CLOSE_LIST:
          depth -= 1;
          this.#at += 1;
          break;
        case COMMA:
        case COLON:
          this.#at += 1;
          break;
        default:
          this.#toScalarsEnd();
      }
    } while (depth > 0 && this.#at < this.text.length);
    return this.#at;
  }

  #toScalarsEnd(): void {
    for (; this.#at < this.text.length; this.#at += 1) {
      const code = this.text.charCodeAt(this.#at);
      if (code <= BLANK_MAX || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST) return;
    }
  }
}

/** Where the string that begins at `start` ends, its last quote; the end of the text when it does not. */
export function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** What a string means. */
export function decoded(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1);
}
