import { expect, test } from 'vitest';
import { KickTeller, PIECE_CHARS } from '../../../../../src/platform/bus/redis/kick-teller.js';
import { MissedKicks } from '../../../../../src/platform/bus/redis/missed-kicks.js';
import { systemClock } from '../../../../../src/platform/clock/system-clock.js';
import { deferred, turns } from '../../../../support/deferred.js';
import { recordedLog } from '../../../../support/recorded-log.js';

const REASON_CHARS = 1024;

/** `kicks` of them are known; what is said goes to `lines`, and each piece is taken by Redis when the test says so. */
function setUp(kicks: number, { reaches = () => true }: { reaches?: () => boolean } = {}) {
  const known = new MissedKicks(systemClock);
  const since = systemClock.moment();
  for (let n = 0; n < kicks; n += 1)
    known.heard(`k${n}`, 'me', { uid: n + 1, reason: 'r'.repeat(REASON_CHARS) });
  const lines: { channel: string; id: string }[] = [];
  const taken: ReturnType<typeof deferred<void>>[] = [];
  const log = recordedLog();
  const teller = new KickTeller({
    kicks: known,
    say: (channel, word) => {
      if (word.t === 'ask') lines.push({ channel, id: word.id });
      return reaches();
    },
    said: () => {
      const each = deferred<void>();
      taken.push(each);
      return each.promise;
    },
    log,
  });
  return { teller, since, lines, taken, log };
}

test('many kicks are told in pieces, each when Redis has taken the one before, and each once', async () => {
  const { teller, since, lines, taken } = setUp(1000);
  const told = teller.tell('c', since, null);
  await turns();
  let before = 0;
  while (lines.length < 1000) {
    expect((lines.length - before) * REASON_CHARS).toBeLessThanOrEqual(PIECE_CHARS + REASON_CHARS);
    before = lines.length;
    await turns();
    expect(lines.length).toBe(before);
    taken.shift()?.resolve();
    await turns();
  }
  await told;
  expect(lines.map(({ id }) => id)).toEqual(Array.from({ length: 1000 }, (_, n) => `k${n}`));
});

test('a second process is told when the first has been', async () => {
  const { teller, since, lines, taken } = setUp(300);
  const told = [teller.tell('one', since, null), teller.tell('two', since, null)];
  await turns();
  expect(new Set(lines.map(({ channel }) => channel))).toEqual(new Set(['one']));
  while (lines.length < 600) {
    taken.shift()?.resolve();
    await turns();
  }
  await Promise.all(told);
  expect(lines.slice(300).every(({ channel }) => channel === 'two')).toBe(true);
});

test('a server that is lost ends the telling, and the next one begins', async () => {
  const { teller, since, lines, taken, log } = setUp(300);
  const told = teller.tell('one', since, null);
  await turns();
  taken.shift()?.reject(new Error('gone'));
  await told;
  expect(lines.length).toBeLessThan(300);
  expect(log.lines.map(({ event }) => event)).toContain('bus.kicksAgainCut');
  void teller.tell('two', since, null);
  await turns();
  expect(lines.at(-1)?.channel).toBe('two');
});

test('what cannot be said is not tried again and again', async () => {
  const { teller, since, lines } = setUp(300, { reaches: () => false });
  await teller.tell('one', since, null);
  expect(lines).toHaveLength(1);
});
