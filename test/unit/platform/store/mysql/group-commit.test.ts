/** What a transaction does with each answer it may get. The real servers: test/integration/mysql-store-*.test.ts. */
import { describe, expect, test } from 'vitest';
import { GroupCommit } from '../../../../../src/platform/store/mysql/group-commit.js';
import { readsOnly } from '../../../../../src/platform/store/mysql/mysql-faults.js';
import type { Session } from '../../../../../src/platform/store/mysql/session.js';
import { FakeClock } from '../../../../support/fake-clock.js';

const place = { host: 'db', port: 3306, user: 'spush', database: 'messages' };
const RETRY_MS = 3_000;
const READ_ONLY = 'running with the --read-only option so it cannot execute this statement';

function serverError(errno: number, text = 'said no'): Error {
  return Object.assign(new Error(text), { errno, sqlState: 'HY000' });
}

function lost(): Error {
  return Object.assign(new Error('gone'), { code: 'ECONNRESET' });
}

/** A server that answers COMMIT, and questions for the number of the last transaction, as it is told. */
class Fake {
  readonly clock = new FakeClock();
  readonly said: string[] = [];
  /** Answers to work, one each: null is done. The last one stays. */
  work: (Error | null)[] = [null];
  commit: (Error | null)[] = [null];
  /** What stands in the row of this process; an error when it cannot be read. */
  kept: (number | Error)[] = [0];
  readonly commits = new GroupCommit({
    connections: { place, useRaw: (work) => this.#use(work) },
    owner: 1n,
    clock: this.clock,
    random: () => 0,
    retryMs: RETRY_MS,
    onIdTaken: () => this.said.push('id taken'),
  });

  run(): Promise<string> {
    return this.commits.run(async () => {
      this.said.push('work');
      this.#answer(this.work);
      return `done ${this.said.filter((each) => each === 'work').length}`;
    });
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await work({
      packetBytesMax: 1_000_000,
      rows: async <Row>() => {
        this.said.push('ask');
        const number = this.kept.length > 1 ? this.kept.shift() : this.kept[0];
        if (number instanceof Error) throw number;
        return [{ number: String(number) }] as Row[];
      },
      run: async () => 1,
      exec: async (sql) => {
        if (sql === 'ROLLBACK') this.said.push('rollback');
        if (sql === 'COMMIT') this.#answer(this.commit);
      },
    });
  }

  #answer(answers: (Error | null)[]): void {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer) throw answer;
  }
}

describe('a transaction', () => {
  test('that others hold up is done again until it gets through, however often', async () => {
    const fake = new Fake();
    fake.work = [...Array.from({ length: 60 }, (_, i) => serverError([1213, 1205, 1969][i % 3] ?? 0)), null];
    expect(await fake.run()).toBe('done 61');
    expect(fake.said.filter((each) => each === 'rollback').length).toBe(60);
  });

  test('that others hold up for longer than the time of a call fails, and says after how many tries', async () => {
    const fake = new Fake();
    fake.work = [serverError(1213)];
    const running = fake.run();
    await new Promise((resolve) => setTimeout(resolve, 20));
    fake.clock.advance(RETRY_MS + 1);
    await expect(running).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/other writers in \d+ tries/),
    });
  });

  test('is done again on another connection when the server takes no changes, a few times', async () => {
    const fake = new Fake();
    fake.work = [serverError(1036), null];
    expect(await fake.run()).toBe('done 2');
    fake.work = [serverError(1036)];
    await expect(fake.run()).rejects.toMatchObject({ message: expect.stringContaining('error 1036') });
    expect(fake.said.length).toBeLessThan(20);
  });

  test('is not tried on a server that was asked and only reads', async () => {
    const fake = new Fake();
    fake.work = [readsOnly(place, { name: 'read_only', value: 'ON', advice: 'x' })];
    await expect(fake.run()).rejects.toMatchObject({ message: expect.stringContaining('read_only is ON') });
    expect(fake.said.filter((each) => each === 'work').length).toBe(1);
  });

  test.each([
    ['a deadlock', serverError(1213)],
    ['a server that only reads', serverError(1290, READ_ONLY)],
  ])('whose COMMIT was certainly refused is done again without asking: %s', async (_, error) => {
    const fake = new Fake();
    fake.commit = [error, null];
    expect(await fake.run()).toBe('done 2');
    expect(fake.said).not.toContain('ask');
  });

  test.each([
    ['a lost connection', lost()],
    ['an error during COMMIT', serverError(1180)],
    ['a node that lost its cluster', serverError(1047)],
    ['an answer that nobody has thought of', serverError(9999)],
  ])('whose COMMIT is in doubt is looked up: %s', async (_, error) => {
    const kept = new Fake();
    kept.commit = [error, null];
    kept.kept = [lost(), serverError(1290, READ_ONLY), 1];
    expect(await kept.run()).toBe('done 1');
    const not = new Fake();
    not.commit = [error, null];
    not.kept = [0];
    expect(await not.run()).toBe('done 2');
  });

  test('whose COMMIT cannot be looked up in time is never answered with success', async () => {
    const fake = new Fake();
    fake.commit = [lost()];
    fake.kept = [readsOnly(place, { name: 'read_only', value: 'ON', advice: 'x' })];
    const running = fake.run();
    await expect.poll(() => fake.said.includes('ask')).toBe(true);
    fake.clock.advance(RETRY_MS + 1);
    await expect(running).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('same ids of your own'),
    });
  });

  test('whose id another process has taken gets new ones', async () => {
    const fake = new Fake();
    fake.work = [serverError(1062, "Duplicate entry '1' for key 'PRIMARY'"), null];
    expect(await fake.run()).toBe('done 2');
    expect(fake.said).toContain('id taken');
  });
});
