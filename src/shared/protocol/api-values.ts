/** Bounded looks at values a caller sent: how long, how deep, how big, and how to show one in an error text. */

export type MessageData = Readonly<Record<string, unknown>>;

export const DATA_BYTES_MAX = 8192;
export const DATA_DEPTH_MAX = 32;
/** A smaller number of values than this always fits; a larger one never does (each takes at least 2 bytes). */
const DATA_VALUES_MAX = DATA_BYTES_MAX / 2;
const SHOWN_CHARS_MAX = 40;
const PATH_STEPS_MAX = 8;

export interface ValueFault {
  readonly path: string[];
  readonly message: string;
}

/** What is wrong with a message's `data`, or null. Walks without recursion, so depth cannot overflow the stack. */
export function dataFault(value: unknown): ValueFault | null {
  const empty = Array.isArray(value) && value.length === 0;
  if (typeof value !== 'object' || value === null || (Array.isArray(value) && !empty)) {
    return { path: [], message: `expected an object, got ${shown(value)}` };
  }
  const fault = nestedFault(value);
  if (fault !== null) return fault;
  const bytes = new TextEncoder().encode(JSON.stringify(value)).byteLength;
  return bytes > DATA_BYTES_MAX ? tooBig(`${bytes}`) : null;
}

interface Step {
  readonly value: object;
  readonly path: readonly string[];
  readonly depth: number;
}

function nestedFault(root: object): ValueFault | null {
  const open: Step[] = [{ value: root, path: [], depth: 1 }];
  let values = 0;
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (step.depth > DATA_DEPTH_MAX) {
      return { path: [...step.path], message: `expected at most ${DATA_DEPTH_MAX} levels` };
    }
    const names = Array.isArray(step.value) ? null : Object.keys(step.value);
    const size = Array.isArray(step.value) ? step.value.length : (names?.length ?? 0);
    values += size;
    if (values > DATA_VALUES_MAX) return tooBig(`more than ${DATA_BYTES_MAX}`);
    for (let at = 0; at < size; at += 1) {
      const name = names?.[at] ?? String(at);
      const value = (step.value as Record<string, unknown>)[name];
      const path = step.path.length < PATH_STEPS_MAX ? [...step.path, shortName(name)] : step.path;
      if (typeof value === 'object' && value !== null) open.push({ value, path, depth: step.depth + 1 });
      else if (isRounded(value)) {
        return {
          path: [...path],
          message: `the number ${value} is too large to be carried exactly: send it as a string`,
        };
      }
    }
  }
  return null;
}

/** Parsing has rounded it already, and clients would round it again: ids of 64 bits are strings. */
function isRounded(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
}

function tooBig(bytes: string): ValueFault {
  return { path: [], message: `expected at most ${DATA_BYTES_MAX} bytes as JSON, got ${bytes}` };
}

function shortName(name: string): string {
  return name.length > SHOWN_CHARS_MAX ? `${name.slice(0, SHOWN_CHARS_MAX)}…` : name;
}

/** A value in an error text: what it is, cut; the insides of lists and objects are not told. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(shortName(value));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Counts characters (code points), and only where the number of code units leaves it open. */
export function longerThan(text: string, charsMax: number): boolean {
  if (text.length <= charsMax) return false;
  if (text.length > charsMax * 2) return true;
  let chars = 0;
  for (const _ of text) chars += 1;
  return chars > charsMax;
}

/** False when half of a surrogate pair stands alone: it has no form in UTF-8. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Halves of surrogate pairs become U+FFFD, as they would on the wire. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '�');
}
