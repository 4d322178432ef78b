import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, outcomes, ThreadStore } from './thread-store.js';

let store: ThreadStore;
beforeEach(() => {
  store = new ThreadStore();
});
afterEach(() => store.dispose());

describe('a group of calls', () => {
  test('is one transaction: another connection sees all of it or nothing, and one commit', () => {
    const other = store.other();
    const version = () => other.value('PRAGMA data_version');
    const count = other.prepare<readonly [number]>('SELECT count(*) FROM message');
    const before = version();
    let seenInside: number | undefined;
    const watched = store.call('probe', { at: 1 });
    Object.defineProperty(watched, 'args', {
      get() {
        seenInside = count.get()?.[0];
        return { at: 1 };
      },
    });
    const { answers, retire } = store.groups.run([store.accept(1), store.accept(2, { count: 3 }), watched]);
    expect(outcomes(answers)).toEqual([true, true, true]);
    expect(retire).toBe(null);
    expect(seenInside).toBe(0);
    expect(count.get()?.[0]).toBe(4);
    expect(Number(version()) - Number(before)).toBe(1);
  });

  test('is on the disk when it is answered: full synchronous, write-ahead log', () => {
    expect(store.db.value('PRAGMA synchronous')).toBe(2);
    expect(store.db.value('PRAGMA journal_mode')).toBe('wal');
  });

  test('loses only the call that fails, and that one whole', () => {
    const id = store.nextId();
    expect(outcomes(store.groups.run([store.accept(1, { id })]).answers)).toEqual([true]);
    // The middle call's first messages go in, its last has an id that is taken.
    const { answers, retire } = store.groups.run([
      store.accept(2),
      store.accept(3, { count: 3, id }),
      store.accept(4),
    ]);
    expect(outcomes(answers)).toEqual([true, false, true]);
    expect(failureOf(answers[1])).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      text: expect.stringContaining('generator'),
    });
    expect(retire).toBe(null);
    expect([1, 2, 3, 4].map((uid) => store.stored(uid))).toEqual([1, 1, 0, 1]);
  });

  test('takes back what a failing call had changed before it failed', () => {
    const call = store.accept(5, { count: 3 });
    const [first] = call.args.ids;
    call.args.ids[2] = first ?? 0n;
    const { answers } = store.groups.run([call, store.accept(6)]);
    expect(outcomes(answers)).toEqual([false, true]);
    expect([5, 6].map((uid) => store.stored(uid))).toEqual([0, 1]);
  });

  test('fails whole, and changes nothing, when it cannot begin', () => {
    const other = store.other();
    other.exec('BEGIN EXCLUSIVE');
    const { answers, retire } = store.groups.run([store.accept(1), store.call('probe', { at: 1 })]);
    expect(outcomes(answers)).toEqual([false, false]);
    expect(failureOf(answers[0])).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(failureOf(answers[0])?.text).toMatch(/is locked by another program.*fuser/);
    expect(retire).toBe(null);
    other.exec('ROLLBACK');
    expect(store.stored(1)).toBe(0);
    expect(outcomes(store.groups.run([store.accept(1)]).answers)).toEqual([true]);
  });

  test('that does not fit goes without the call that is too big', () => {
    const pages = Number(store.db.value('PRAGMA page_count'));
    store.db.value(`PRAGMA max_page_count = ${pages + 20}`);
    const big = store.accept(2, { count: 100, content: 'x'.repeat(3000) });
    const { answers, retire } = store.groups.run([store.accept(1), big, store.accept(3)]);
    expect(answers.find(({ seq }) => seq === big.seq)?.ok).toBe(false);
    expect(failureOf(answers.find(({ ok }) => !ok))?.text).toMatch(/no room left on its disk.*Free some/);
    expect(retire).toBe(null);
    expect([1, 2, 3].map((uid) => store.stored(uid))).toEqual([1, 0, 1]);
  });

  test('that does not fit at all fails whole, and works again when there is room', () => {
    const pages = Number(store.db.value('PRAGMA page_count'));
    store.db.value(`PRAGMA max_page_count = ${pages}`);
    const big = { count: 50, content: 'x'.repeat(3000) };
    const { answers } = store.groups.run([store.accept(1, big), store.accept(2, big), store.accept(3, big)]);
    expect(outcomes(answers)).toEqual([false, false, false]);
    expect([1, 2, 3].map((uid) => store.stored(uid))).toEqual([0, 0, 0]);
    store.db.value('PRAGMA max_page_count = 1000000');
    expect(outcomes(store.groups.run([store.accept(1, big)]).answers)).toEqual([true]);
    expect(store.stored(1)).toBe(50);
  });
});
