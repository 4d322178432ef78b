import { beforeEach, expect, test } from 'vitest';
import type { MessageItem } from '../../../../src/shared/domain/message.js';
import { ReaderStore, type ReaderStoreCalls } from '../../../../src/worker/readers/reader-store.js';
import { deferred, turns } from '../../../support/deferred.js';
import { itemFor } from '../../../support/messages.js';

let asked: string[];
let answers: { resolve: (items: MessageItem[]) => void }[];
let room: boolean;
let store: ReaderStore;

beforeEach(() => {
  asked = [];
  answers = [];
  room = true;
  const page = (name: string) => (uid: number) => {
    asked.push(`${name} ${uid}`);
    const answer = deferred<MessageItem[]>();
    answers.push(answer);
    return answer.promise;
  };
  const list = page('list');
  const calls: ReaderStoreCalls = {
    pending: page('pending'),
    list: async (uid) => ({ items: (await list(uid)).map((item) => ({ ...item, read: false })), next: null }),
    ack: async (uid) => asked.push(`ack ${uid}`),
    read: async (uid) => asked.push(`read ${uid}`),
    unread: async (uid) => {
      asked.push(`unread ${uid}`);
      return { comment: 0, userNotice: 0, systemNotice: 0, total: 0 };
    },
  };
  store = new ReaderStore(calls, () => room);
});

const LARGE = { ...itemFor(1, 1), content: 'x'.repeat(40_000) };

test('the store is asked for few pages of one user at a time, for marks and counts meanwhile', async () => {
  const pages = Array.from({ length: 50 }, () => store.list(1, { limit: 100 }));
  await Promise.all([store.ack(1, [], 0), store.read(1, { all: true }, 0), store.unread(1)]);
  expect(asked).toEqual(['list 1', 'ack 1', 'read 1', 'unread 1']);
  for (let n = 0; n < 50; n += 1) {
    await expect.poll(() => answers.length).toBe(n + 1);
    answers[n]?.resolve([]);
  }
  await Promise.all(pages);
});

test('pages of many users are as many as their weight allows, once it is known', async () => {
  const pages = Array.from({ length: 12 }, (_, uid) => store.pending(uid, { limit: 50 }));
  await turns();
  expect(answers).toHaveLength(12);
  for (const answer of answers.splice(0)) answer.resolve(Array.from({ length: 50 }, () => LARGE));
  await Promise.all(pages);
  const again = Array.from({ length: 12 }, (_, uid) => store.pending(uid, { limit: 50 }));
  await turns();
  // 50 of 40 KB are as much as may be under way.
  expect(answers).toHaveLength(1);
  for (let n = 0; n < 12; n += 1) {
    await expect.poll(() => answers.length).toBe(n + 1);
    answers[n]?.resolve([LARGE]);
  }
  await Promise.all(again);
});

test('a page waits until its connection can take it, and keeps no other connection of the user waiting', async () => {
  let flows = false;
  const slow = store.list(1, { limit: 1 }, { wanted: () => true, ready: () => flows });
  const other = store.pending(1, { limit: 1 });
  await turns();
  expect(asked).toEqual(['pending 1']);
  flows = true;
  answers[0]?.resolve([]);
  await expect.poll(() => asked).toEqual(['pending 1', 'list 1']);
  answers[1]?.resolve([]);
  await Promise.all([slow, other]);
});

test('while too much is unsent pages wait, marks do not', async () => {
  room = false;
  const page = store.list(1, { limit: 1 });
  await store.ack(1, [], 0);
  expect(asked).toEqual(['ack 1']);
  room = true;
  await expect.poll(() => asked).toEqual(['ack 1', 'list 1']);
  answers[0]?.resolve([]);
  await page;
});
