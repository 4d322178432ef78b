import { expect, test } from 'vitest';
import {
  createMessageIdSource,
  firstIdOf,
  ID_ZERO,
  idBefore,
  isMessageId,
  messageIdFrom,
} from '../../../../src/shared/domain/message-id.js';

// A machine without a battery for its clock starts in 1970, or when its system was built.
test.each([
  '1970-01-01T00:00:07Z',
  '2015-01-01T00:00:00Z',
  '2020-01-01T00:00:00Z',
])('ids have 19 digits and rise while the clock shows %s, and above them when it is set', (shown) => {
  let now = Date.parse(shown);
  const ids = createMessageIdSource(1023, { now: () => now });
  const made = Array.from({ length: 5000 }, () => messageIdFrom(ids.next()));
  now = Date.parse('2026-01-01T00:00:00Z');
  made.push(messageIdFrom(ids.next()));
  expect(made.every(isMessageId)).toBe(true);
  expect(made).toEqual([...new Set(made)].sort());
  // What is asked for from the beginning, or from such a moment on, has all of them.
  const [first = ID_ZERO] = made;
  expect(ID_ZERO < idBefore(first)).toBe(true);
  expect(firstIdOf(Date.parse(shown)) < first).toBe(true);
  expect(isMessageId(firstIdOf(Date.parse(shown)))).toBe(true);
});

test('the lowest id of a moment between two milliseconds is that of the first', () => {
  const at = Date.parse('2026-01-01T00:00:00Z');
  expect(firstIdOf(at + 0.75)).toBe(firstIdOf(at));
});
