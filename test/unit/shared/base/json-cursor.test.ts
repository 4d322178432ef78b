import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonCursor } from '../../../../src/shared/base/json-cursor.js';

/** Walks over what begins at the cursor, as its users do. Answers how many members and elements there were. */
function walk(cursor: JsonCursor): number {
  const first = cursor.peek();
  if (first !== '{' && first !== '[') {
    cursor.skip();
    return 0;
  }
  let count = 0;
  cursor.enter();
  while (cursor.more()) {
    if (first === '{') cursor.name();
    count += 1 + walk(cursor);
  }
  return count;
}

function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + 1 + membersOf(each), 0);
}

test('walks over any JSON to its end', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, blanks) => {
      const text = JSON.stringify(value, null, blanks);
      const cursor = new JsonCursor(text);
      expect(walk(cursor)).toBe(membersOf(JSON.parse(text)));
      expect(cursor.at).toBe(text.length);
      expect(new JsonCursor(text).skip()).toBe(text.length);
    }),
  );
});

test('ends on any other text too: cut JSON, and no JSON at all', () => {
  const cut = fc
    .tuple(fc.json(), fc.nat())
    .map(([text, length]) => text.slice(0, length % (text.length + 1)));
  const noise = fc.array(fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', ' ', '1', 'x'));
  fc.assert(
    fc.property(
      fc.oneof(
        cut,
        noise.map((parts) => parts.join('')),
        fc.string(),
      ),
      (text) => {
        new JsonCursor(text).skip();
        try {
          walk(new JsonCursor(text));
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      },
    ),
  );
});
