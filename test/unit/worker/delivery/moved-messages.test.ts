import { expect, test } from 'vitest';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { MovedMessages } from '../../../../src/worker/delivery/moved-messages.js';
import { itemFor } from '../../../support/messages.js';

test('what was moved is told once more, a user’s messages together, 50 in one piece of news at most', () => {
  const events: BusEvent[] = [];
  const moved = new MovedMessages();
  moved.publish([itemFor(1, 0)]);
  moved.open({ publish: (event) => events.push(event) });
  const many = Array.from({ length: 60 }, (_, n) => itemFor(1, n));
  moved.publish([...many, itemFor(2, 70), itemFor(null, 71)]);
  expect(events).toEqual([
    { t: 'notice', item: itemFor(null, 71) },
    { t: 'push', uid: 1, items: many.slice(0, 50) },
    { t: 'push', uid: 1, items: many.slice(50) },
    { t: 'push', uid: 2, items: [itemFor(2, 70)] },
  ]);
});
