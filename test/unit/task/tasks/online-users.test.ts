import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AskForUids, onlineUsers } from '../../../../src/task/tasks/online-users.js';

/** Workers that page through their own users, as the real ones do. */
function askOf(workers: readonly (readonly number[])[]): AskForUids {
  return async ({ after, limit }) => ({
    answers: workers.map((uids, i) => {
      const rest = uids.filter((uid) => uid > after);
      const page = rest.slice(0, limit);
      return { from: `w${i}`, result: { uids: page, next: rest.length > limit ? page.at(-1) : null } };
    }),
    silent: [],
  });
}

async function pagesOf(ask: AskForUids, limit: number): Promise<(readonly number[])[]> {
  const pages: (readonly number[])[] = [];
  for await (const { uids } of onlineUsers(ask, limit)) pages.push(uids);
  return pages;
}

describe('onlineUsers', () => {
  it('tells every user once, rising, in pages of bounded size, whatever the Workers hold', async () => {
    const users = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(users, { maxLength: 4 }),
        fc.integer({ min: 1, max: 10 }),
        async (held, limit) => {
          const workers = held.map((uids) => uids.sort((a, b) => a - b));
          const pages = await pagesOf(askOf(workers), limit);
          const all = [...new Set(workers.flat())].sort((a, b) => a - b);
          expect(pages.flat()).toEqual(all);
          for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit * workers.length);
        },
      ),
    );
  });

  it('goes on without a Worker that is silent, and names it', async () => {
    const ask: AskForUids = async () => ({
      answers: [{ from: 'a', result: { uids: [5], next: null } }],
      silent: ['b'],
    });
    for await (const page of onlineUsers(ask, 10)) expect(page).toEqual({ uids: [5], silent: ['b'] });
  });

  it.each([{ uids: 'x', next: null }, null, { uids: [1], next: 'x' }])('refuses %j', async (result) => {
    const ask: AskForUids = async () => ({ answers: [{ from: 'a', result }], silent: [] });
    await expect(pagesOf(ask, 10)).rejects.toThrow();
  });

  it('does not go round for ever with a Worker whose pages do not move on', async () => {
    const ask: AskForUids = async () => ({
      answers: [{ from: 'a', result: { uids: [5], next: 0 } }],
      silent: [],
    });
    await expect(pagesOf(ask, 10)).rejects.toMatchObject({ code: 'TASK_FAILED' });
  });
});
