/**
 * `data` of a message: a JSON object that spush carries and never makes values of. Parsing would round numbers (`1e400`
 * becomes null, `1.0` becomes 1), put names in another order, and lose a name like `__proto__` wherever an object is copied.
 * So it stays text, from the call to the reader's screen: its strings are written the short way and blanks between tokens
 * are gone, which changes no value; numbers, order and names stay as the caller wrote them.
 *
 * Refused is what readers would not read alike, or not at all (I-JSON, RFC 7493): a name twice in one object, half of a surrogate
 * pair, numbers that no double holds, and whole numbers that JavaScript rounds, which are ids. Also a name that begins
 * with U+0000: PHP cannot make a property of it and refuses the whole frame.
 */
import { decoded, JsonCursor } from '../base/json-cursor.js';
import { clipped, isWellFormed } from '../base/well-formed.js';
import type { DataText } from '../domain/message.js';
import { shown } from './api-values.js';

export const DATA_BYTES_MAX = 8192;
export const DATA_DEPTH_MAX = 32;
const PATH_STEPS_MAX = 8;
const STEP_UNITS_MAX = 40;
/** Of all tokens that are neither strings nor brackets, numbers alone begin with a digit or a minus. */
const DIGIT_MAX = 0x39;
/** PHP writes an empty list for an empty object. */
const EMPTY_LIST = /^\[[ \t\n\r]*\]$/;

export interface DataFault {
  /** Names and indexes from `data` down; long ones are cut. */
  readonly path: readonly string[];
  readonly message: string;
}

/** @param text well-formed, and read by JSON.parse before. */
export function dataText(text: string): DataText | DataFault {
  if (EMPTY_LIST.test(text)) return '{}' as DataText;
  const cursor = new JsonCursor(text);
  if (cursor.peek() !== '{') {
    return { path: [], message: `expected an object, got ${shown(JSON.parse(text))}` };
  }
  const writer = new DataWriter(cursor);
  try {
    writer.value();
  } catch (error) {
    if (error instanceof Refused) return error.fault;
    throw error;
  }
  const bytes = new TextEncoder().encode(writer.text).byteLength;
  return bytes > DATA_BYTES_MAX ? tooBig(`${bytes}`) : (writer.text as DataText);
}

class Refused extends Error {
  readonly fault: DataFault;

  constructor(fault: DataFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Writes one value after the other, and stops at the first that is refused or does not fit. */
class DataWriter {
  text = '';
  readonly #cursor: JsonCursor;
  /** Names and indexes from the outside in. */
  readonly #path: (string | number)[] = [];

  constructor(cursor: JsonCursor) {
    this.#cursor = cursor;
  }

  value(): void {
    switch (this.#cursor.peek()) {
      case '{':
        this.#members();
        break;
      case '[':
        this.#elements();
        break;
      case '"':
        this.#string(this.#cursor.string());
        break;
      default:
        this.#scalar(this.#cursor.scalar());
    }
  }

  #members(): void {
    const names = new Set<string>();
    this.#open('{');
    for (let separator = ''; this.#cursor.more(); separator = ',') {
      const literal = this.#cursor.string();
      this.#cursor.colon();
      const name = decoded(literal);
      this.#path.push(name);
      if (names.has(name)) throw this.#refused('this name is there twice in one object');
      if (name.startsWith('\0')) throw this.#refused('a name must not begin with the character U+0000');
      names.add(name);
      this.#put(`${separator}${this.#shortest(literal, name)}:`);
      this.value();
      this.#path.pop();
    }
    this.#put('}');
  }

  #elements(): void {
    this.#open('[');
    for (let index = 0; this.#cursor.more(); index += 1) {
      this.#path.push(index);
      if (index > 0) this.#put(',');
      this.value();
      this.#path.pop();
    }
    this.#put(']');
  }

  #open(bracket: '{' | '['): void {
    if (this.#path.length >= DATA_DEPTH_MAX) throw this.#refused(`expected at most ${DATA_DEPTH_MAX} levels`);
    this.#cursor.enter();
    this.#put(bracket);
  }

  #string(literal: string): void {
    this.#put(this.#shortest(literal, null));
  }

  /** Escapes only what JSON has to. Without escapes a string is well-formed, as the whole text is. */
  #shortest(literal: string, known: string | null): string {
    if (!literal.includes('\\')) return literal;
    const text = known ?? decoded(literal);
    if (isWellFormed(text)) return JSON.stringify(text);
    throw this.#refused(
      'half of a surrogate pair stands here: was the text cut in the middle of a character?',
    );
  }

  #scalar(token: string): void {
    // Not true, false or null.
    if (token.charCodeAt(0) <= DIGIT_MAX) this.#assertNumber(token);
    this.#put(token);
  }

  #assertNumber(token: string): void {
    const value = Number(token);
    if (Number.isSafeInteger(value) || !/^-?\d+$/.test(token)) {
      if (Number.isFinite(value)) return;
      throw this.#refused(
        `the number ${clipped(token, STEP_UNITS_MAX)} is larger than readers can hold: send it as a string`,
      );
    }
    throw this.#refused(
      `the number ${clipped(token, STEP_UNITS_MAX)} is too large to be carried exactly to every reader: send it as a string`,
    );
  }

  /** A unit of UTF-16 takes at least one byte: what is larger in units is larger in bytes, and is not walked to its end. */
  #put(part: string): void {
    this.text += part;
    if (this.text.length > DATA_BYTES_MAX) throw new Refused(tooBig(`more than ${DATA_BYTES_MAX}`));
  }

  #refused(message: string): Refused {
    const path = this.#path.slice(0, PATH_STEPS_MAX).map((step) => clipped(String(step), STEP_UNITS_MAX));
    return new Refused({ path, message });
  }
}

function tooBig(bytes: string): DataFault {
  return { path: [], message: `expected at most ${DATA_BYTES_MAX} bytes as JSON, got ${bytes}` };
}
