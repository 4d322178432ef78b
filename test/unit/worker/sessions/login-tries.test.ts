import { beforeEach, describe, expect, test } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { LoginTries } from '../../../../src/worker/sessions/login-tries.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';

let clock: FakeClock;
let tries: LoginTries;
let max: number;
/** Calls to the main site, each waiting for its answer. */
let calls: ((answer: 'user' | 'nobody' | 'away') => void)[];
let most: number;
let refused: string[];

beforeEach(() => {
  clock = new FakeClock();
  max = 60;
  tries = new LoginTries({
    clock,
    max: () => max,
    onRefused: (reason) => void refused.push(reason),
  });
  calls = [];
  most = 0;
  refused = [];
});

function login(address = 'a'): Promise<string> {
  const result = tries.run(
    address,
    () =>
      new Promise<string>((resolve, reject) => {
        calls.push((answer) => {
          if (answer === 'user') resolve(answer);
          else reject(new SpushError(answer === 'nobody' ? 'LOGIN_REFUSED' : 'GZCP_UNAVAILABLE', answer));
        });
        most = Math.max(most, calls.length);
      }),
  );
  return result.catch((error: SpushError) => error.code);
}

function logins(count: number, address = 'a'): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => login(address)));
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

/** The main site answers everything that is asked. @returns how often it was asked */
async function answerAll(answer: 'user' | 'nobody' | 'away'): Promise<number> {
  let asked = 0;
  for (await settled(); calls.length > 0; await settled()) {
    asked += calls.length;
    for (const call of calls.splice(0)) call(answer);
  }
  return asked;
}

function counts(results: readonly string[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const result of results) sums[result] = (sums[result] ?? 0) + 1;
  return sums;
}

describe('the tries of an address', () => {
  test('are as many for guesses that come together as for those that come in turn', async () => {
    const results = logins(400);
    expect(await answerAll('nobody')).toBe(60);
    expect(counts(await results)).toEqual({ LOGIN_REFUSED: 60, TOO_MANY: 340 });
    expect(counts(refused)).toEqual({ login: 60, 'login-tries': 340 });
  });

  test('cost nothing when the key is somebody’s: a whole school gets in, so many at a time', async () => {
    const results = logins(1000);
    expect(await answerAll('user')).toBe(1000);
    expect(counts(await results)).toEqual({ user: 1000 });
    expect(most).toBe(60);
    const guess = login();
    expect(await answerAll('nobody')).toBe(1);
    expect(await guess).toBe('LOGIN_REFUSED');
  });

  test('cost nothing when the main site is away', async () => {
    for (let round = 0; round < 3; round += 1) {
      const results = logins(60);
      expect(await answerAll('away')).toBe(60);
      expect(counts(await results)).toEqual({ GZCP_UNAVAILABLE: 60 });
    }
  });

  test('are its own, those of others theirs', async () => {
    const results = Promise.all([logins(100, 'a'), logins(100, 'b')]);
    expect(await answerAll('nobody')).toBe(120);
    for (const of of await results) expect(counts(of)).toEqual({ LOGIN_REFUSED: 60, TOO_MANY: 40 });
  });

  test('one after the other: each refusal leaves one less', async () => {
    max = 3;
    const first = logins(2);
    expect(await answerAll('nobody')).toBe(2);
    await first;
    const results = logins(10);
    await settled();
    expect(calls.length).toBe(1);
    calls.splice(0)[0]?.('user');
    await settled();
    expect(calls.length).toBe(1);
    expect(await answerAll('nobody')).toBe(1);
    expect(counts(await results)).toEqual({ user: 1, LOGIN_REFUSED: 1, TOO_MANY: 8 });
  });

  test('follow a limit that is changed while logins wait', async () => {
    max = 1;
    const results = logins(5);
    await settled();
    max = 4;
    calls.splice(0)[0]?.('user');
    await settled();
    expect(calls.length).toBe(4);
    await answerAll('user');
    expect(counts(await results)).toEqual({ user: 5 });
  });

  test.each([
    0,
    ...CLOCK_STEPS_MS,
  ])('come back after a minute, also when the clock is set by %d ms', async (step) => {
    max = 1;
    const guess = login();
    await answerAll('nobody');
    await guess;
    clock.step(step);
    expect(await login()).toBe('TOO_MANY');
    clock.advance(60_000);
    const next = login();
    await answerAll('user');
    expect(await next).toBe('user');
  });
});
