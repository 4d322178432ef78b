/** JSON that a caller sent. Depth is looked at first: parsing a million levels stops the event loop for half a second. */
import { errorText, SpushError } from '../../shared/base/errors.js';

/** More than the deepest `data` in a batch needs. */
export const JSON_DEPTH_MAX = 64;
/** Shorter texts cannot be deep enough to cost anything. */
const HARMLESS_CHARS = 16_384;

/** Throws BAD_REQUEST; `what` names the text in the fault. */
export function parseJson(text: string, what: string): unknown {
  if (text.length > HARMLESS_CHARS && isDeeper(text, JSON_DEPTH_MAX)) {
    throw new SpushError('BAD_REQUEST', `${what} is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SpushError('BAD_REQUEST', `${what} is not JSON: ${errorText(error)}`, { cause: error });
  }
}

/** Right for JSON; for what is no JSON it answers something. */
function isDeeper(text: string, levels: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '"':
        at = stringEnd(text, at);
        break;
      case '[':
      case '{':
        depth += 1;
        if (depth > levels) return true;
        break;
      case ']':
      case '}':
        depth -= 1;
        break;
    }
  }
  return false;
}

/** Where the string that begins at `start` ends; the end of the text when it does not. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
