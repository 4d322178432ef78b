import { expect, test } from 'vitest';
import { SeparableIds } from '../../../../../src/platform/store/mysql/separable-ids.js';
import { createMessageIdSource } from '../../../../../src/shared/domain/message-id.js';
import { FakeClock } from '../../../../support/fake-clock.js';

const generatorOf = (id: bigint) => Number((id >> 12n) & 1023n);

test('ids keep their generator until they are separated, and rise over it', () => {
  const clock = new FakeClock();
  const ids = new SeparableIds(createMessageIdSource(1000, clock), clock, () => 0.5);
  const before = [ids.next(), ids.next()];
  ids.separate();
  const after = [ids.next(), ids.next()];
  expect(before.map(generatorOf)).toEqual([1000, 1000]);
  expect(after.map(generatorOf)).toEqual([512, 512]);
  const all = [...before, ...after];
  expect(all).toEqual([...all].sort((a, b) => (a < b ? -1 : 1)));
});

test('ids made after a separation are above what the store holds', () => {
  const clock = new FakeClock();
  const ids = new SeparableIds(createMessageIdSource(3, clock), clock, () => 0);
  const highest = createMessageIdSource(9, { now: () => clock.now() + 60_000 }).next();
  ids.raiseTo(highest);
  ids.separate();
  expect(ids.next() > highest).toBe(true);
});
