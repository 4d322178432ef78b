import { expect, test } from 'vitest';
import { KICKS_MAX, MissedKicks } from '../../../../../src/platform/bus/redis/missed-kicks.js';
import { FakeClock } from '../../../../support/fake-clock.js';

const kick = (uid: number) => ({ uid, reason: 'r' });

test('those made since a moment are told again, as late ones, under their ids', () => {
  const clock = new FakeClock();
  const kicks = new MissedKicks(clock);
  kicks.heard('a', 'me', kick(1));
  clock.advance(60_000);
  const moment = clock.moment();
  kicks.heard('b', 'me', kick(2));
  expect(kicks.since(moment, null)).toEqual([{ id: 'b', args: { uid: 2, reason: 'r', late: true } }]);
  // Who is found to be away has been so for some seconds.
  clock.advance(9000);
  expect(kicks.since(clock.moment(), null)).toHaveLength(1);
  clock.advance(3_600_000);
  expect(kicks.since(moment, null)).toEqual([]);
});

test('one that is known is no news, whoever tells it again', () => {
  const kicks = new MissedKicks(new FakeClock());
  expect([kicks.heard('a', 'me', kick(1)), kicks.heard('a', 'other', { ...kick(1), late: true })]).toEqual([
    true,
    false,
  ]);
});

test('those of one asker can be had alone', () => {
  const clock = new FakeClock();
  const kicks = new MissedKicks(clock);
  kicks.heard('a', 'me', kick(1));
  kicks.heard('b', 'gone', kick(2));
  kicks.heard('c', 'there', kick(3));
  const idsOf = (asker: string | null) => kicks.since(clock.moment(), asker).map(({ id }) => id);
  expect([idsOf('me'), idsOf(null)]).toEqual([['a'], ['a', 'b', 'c']]);
});

test('they are bounded: the oldest go first', () => {
  const clock = new FakeClock();
  const kicks = new MissedKicks(clock);
  for (let n = 0; n <= KICKS_MAX; n += 1) kicks.heard(String(n), 'me', kick(n + 1));
  expect(kicks.since(clock.moment(), null)).toHaveLength(KICKS_MAX);
  expect(kicks.heard('0', 'me', kick(1))).toBe(true);
});
