import { beforeEach, expect, test } from 'vitest';
import { UserFollows } from '../../../../src/worker/sessions/user-follows.js';

let said: string[];
let follows: UserFollows;

beforeEach(() => {
  said = [];
  follows = new UserFollows({
    follow: async (uid) => void said.push(`follow ${uid}`),
    unfollow: (uid) => void said.push(`unfollow ${uid}`),
  });
});

test('a user is unfollowed when the last who needed his news has gone', async () => {
  await follows.follow(7);
  await follows.follow(7);
  follows.again(7);
  follows.unfollow(7);
  follows.unfollow(7);
  expect(said).toEqual(['follow 7', 'follow 7']);
  follows.unfollow(7);
  expect(said.at(-1)).toBe('unfollow 7');
  expect(() => follows.unfollow(7)).toThrow('not followed');
  expect(() => follows.again(7)).toThrow('not followed');
});

test('a refused follow counts until it is taken back', async () => {
  follows = new UserFollows({
    follow: () => Promise.reject(new Error('away')),
    unfollow: (uid) => void said.push(`unfollow ${uid}`),
  });
  await expect(follows.follow(7)).rejects.toThrow('away');
  follows.unfollow(7);
  expect(said).toEqual(['unfollow 7']);
});
