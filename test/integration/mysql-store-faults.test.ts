/** What the MySQL store does when its server is killed, frozen, wrongly set up, or lost in the middle of a commit. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import { MIGRATIONS } from '../../src/platform/store/mysql/migrations/all-migrations.js';
import type { NewMessage } from '../../src/shared/domain/message.js';
import type { MessageId, MessageIdSource } from '../../src/shared/domain/message-id.js';
import { freePort } from '../support/daemon.js';
import { MysqlStores } from '../support/mysql-stores.js';
import { type MariadbAccess, mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { recordedLog } from '../support/recorded-log.js';
import { RUN_SOURCES } from '../support/run-sources.js';
import { type Harm, SqlProxy } from '../support/sql-proxy.js';

/** connectMs and queryMs together, and some air for a busy machine. */
const BOUND_MS = 4_000;
const PROBE_BOUND_MS = 2_000;

const program = mariadbProgram();

describe.skipIf(program === null)('the MySQL store', () => {
  let server: OwnMariadb;

  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '');
  }, 90_000);
  afterAll(() => server?.stop());

  async function stores(): Promise<MysqlStores> {
    const made = await MysqlStores.make(server);
    onTestFinished(() => made.close());
    return made;
  }

  describe('at its start', () => {
    test.each([
      ['a wrong password', { password: 'wrong-secret' }, /error 1045.*SPUSH_DB_PASSWORD/],
      ['a database that is not there', { database: 'nowhere' }, /error (1044|1049)/],
      [
        'a host that is not there',
        { host: 'nowhere.invalid' },
        /(ENOTFOUND|EAI_AGAIN).*host and port in db\.ts/,
      ],
    ])('says what is wrong: %s', async (_, wrong, text) => {
      const made = await stores();
      const access: MariadbAccess = { ...made.access, ...wrong };
      const { message } = await refused(made.open(wrong), 'START_FAILED');
      expect(message).toMatch(text);
      expect(message).toContain(
        `"${access.database}" at ${access.host}:${access.port} (user "${access.user}")`,
      );
      expect(message).not.toContain(access.password);
    });

    test('says that nothing listens, within its deadline', async () => {
      const made = await stores();
      const port = await freePort();
      const { message } = await refused(made.open({ port }), 'START_FAILED');
      expect(message).toContain('ECONNREFUSED');
    });

    test('says that the server does not answer, within its deadline', async () => {
      const made = await stores();
      server.freeze();
      try {
        const fault = await inTime(BOUND_MS, refused(made.open(), 'START_FAILED'));
        expect(fault.message).toContain('does not answer');
      } finally {
        server.thaw();
      }
    });

    test('refuses a schema that is newer than the program, and leaves it as it is', async () => {
      const made = await stores();
      const newer = { version: 99, statements: ['CREATE TABLE IF NOT EXISTS spush_new (a INT PRIMARY KEY)'] };
      await made.open({ migrations: [...MIGRATIONS, newer] });
      const { message } = await refused(made.open(), 'STORE_SCHEMA_NEWER');
      expect(message).toMatch(/version 99.*up to version \d+/);
    });

    test('without the right to make tables, refuses a database that has none', async () => {
      const made = await stores();
      const { message } = await refused(made.open({ create: false }), 'START_FAILED');
      expect(message).toContain('schema version 0');
      await made.open();
      await made.open({ create: false });
    });

    test('of eight at once makes the tables once', async () => {
      const made = await stores();
      const opened = await Promise.all(Array.from({ length: 8 }, () => made.open()));
      const ids = await Promise.all(opened.map((store) => acceptOne(store, message(1))));
      expect(new Set(ids).size).toBe(8);
    });

    test('goes on where a start that was cut short left the tables half made', async () => {
      const made = await stores();
      const [first] = MIGRATIONS;
      if (first === undefined) throw new Error('no migrations');
      for (let done = 1; done < first.statements.length; done += 1) {
        const half = { version: 1, statements: [...first.statements.slice(0, done), 'NOT SQL'] };
        await refused(made.open({ migrations: [half] }), 'START_FAILED');
      }
      await acceptOne(await made.open(), message(1));
    });
  });

  describe('with a server that is silent', () => {
    test('fails every call in bounded time, and works again when the server does', async () => {
      const made = await stores();
      const store = await made.open();
      const id = await acceptOne(store, message(1));
      server.freeze();
      try {
        await inTime(PROBE_BOUND_MS, refused(store.probe(), 'STORE_UNAVAILABLE'));
        for (let round = 0; round < 3; round += 1)
          await inTime(
            BOUND_MS,
            Promise.all(everyCall(store, id).map((call) => refused(call(), 'STORE_UNAVAILABLE'))),
          );
      } finally {
        server.thaw();
      }
      await eventually(() => store.probe());
      await Promise.all(everyCall(store, id).map((call) => call()));
    });

    test('stores nothing that it refused, and once what is repeated', async () => {
      const made = await stores();
      const store = await made.open();
      const calls = Array.from({ length: 50 }, (_, i) => message(1, { callerId: `c${i}` }));
      const under = Promise.all(calls.map((one) => store.accept([one]).catch(() => null)));
      server.freeze();
      await inTime(BOUND_MS, under);
      server.thaw();
      await eventually(() => store.probe());
      const ids = await Promise.all(calls.map((one) => acceptOne(store, one)));
      expect((await store.pending(1, { limit: 1000 })).map(({ id }) => id)).toEqual([...ids].sort());
    });

    test('closes in bounded time', async () => {
      const made = await stores();
      const store = await made.open();
      await store.probe();
      server.freeze();
      try {
        await inTime(BOUND_MS, store.close());
      } finally {
        server.thaw();
      }
    });
  });

  test('with more calls at once than connections lets each wait for its turn while others get theirs', async () => {
    const made = await stores();
    const store = await made.open({ connectMs: 300 });
    // Its connections are there.
    await Promise.all(Array.from({ length: 8 }, () => store.unread(1)));
    const begun = performance.now();
    await Promise.all(Array.from({ length: 4000 }, () => store.unread(1)));
    expect(performance.now() - begun, 'more than one waits for a silent server').toBeGreaterThan(300);
  });

  test('with a server that was killed fails at once, and works again when it is back', async () => {
    const made = await stores();
    const store = await made.open();
    const id = await acceptOne(store, message(1));
    await server.kill();
    await inTime(
      BOUND_MS,
      Promise.all(everyCall(store, id).map((call) => refused(call(), 'STORE_UNAVAILABLE'))),
    );
    await inTime(PROBE_BOUND_MS, refused(store.probe(), 'STORE_UNAVAILABLE'));
    await server.run();
    expect((await store.pending(1, { limit: 9 })).map((item) => item.id)).toContain(id);
    await Promise.all(everyCall(store, id).map((call) => call()));
  });

  test('does not notice that the server was restarted between two calls', async () => {
    const made = await stores();
    const store = await made.open();
    await Promise.all(Array.from({ length: 20 }, () => store.unread(1)));
    await server.kill();
    await server.run();
    await acceptOne(store, message(1));
    expect((await store.unread(1)).total).toBe(1);
  });

  test('tries again after a deadlock', async () => {
    const made = await stores();
    const store = await made.open();
    const [a, b] = await Promise.all([acceptOne(store, message(1)), acceptOne(store, message(1))]);
    let deadlocks = 0;
    await server.asRoot(async (root) => {
      await root.query(`USE ${made.access.database}`);
      for (let round = 0; round < 20; round += 1) {
        // Heavy with changes, so that the store's transaction is the one that is taken back.
        await root.query('START TRANSACTION');
        await root.query('INSERT INTO spush_body SELECT seq, 1, "x" FROM seq_1_to_500');
        await root.query('SELECT id FROM spush_message WHERE id = ? FOR UPDATE', [BigInt(b)]);
        const mark = store.markSent(
          [a, b].map((id) => ({ uid: 1, id, settled: false })),
          round + 1,
        );
        await untilWaiting(server);
        await root.query('SELECT id FROM spush_message WHERE id = ? FOR UPDATE', [BigInt(a)]);
        await root.query('ROLLBACK');
        await mark;
      }
      const [rows] = await root.query("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'");
      deadlocks = Number((rows as { Value: string }[])[0]?.Value);
    });
    expect(deadlocks).toBeGreaterThanOrEqual(20);
    expect((await store.status(a))?.sentAt).toBe(20);
  });

  test.each<[Harm]>([
    ['lost'],
    ['unanswered'],
    ['late'],
  ])('answers exactly when the connection breaks during COMMIT: %s', async (harm) => {
    const made = await stores();
    const proxy = await SqlProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const store = await made.open({ port: proxy.port });
    const ids: MessageId[] = [];
    for (let round = 0; round < 10; round += 1) {
      proxy.harm = harm;
      ids.push(await acceptOne(store, message(1)));
      proxy.harm = harm;
      expect(await store.ack(1, ids.slice(-1), Date.now())).toBe(1);
    }
    expect(proxy.harmed).toBe(20);
    const { items } = await store.list(1, { limit: 100 });
    expect(items.map(({ id }) => id)).toEqual([...ids].reverse());
  });

  test('does not answer success for a commit that it cannot ask about', async () => {
    const made = await stores();
    const proxy = await SqlProxy.start(server.port);
    const store = await made.open({ port: proxy.port });
    proxy.harm = 'late';
    const refusal = refused(store.accept([message(1, { callerId: 'x' })]), 'STORE_UNAVAILABLE');
    await expect.poll(() => proxy.harmed).toBe(1);
    server.freeze();
    try {
      const fault = await inTime(BOUND_MS, refusal);
      expect(fault.message).toContain('ids of your own');
    } finally {
      server.thaw();
    }
    await eventually(() => store.probe());
    await sleep(500);
    const [again] = await store.accept([message(1, { callerId: 'x' })]);
    expect((await store.pending(1, { limit: 9 })).map(({ id }) => id)).toEqual([again?.id]);
    await store.close();
    await proxy.stop();
  });

  test('makes new ids when another process has made the same', async () => {
    const made = await stores();
    const stuck = (): MessageIdSource => {
      let id = 1_999_999_999_999_999_000n;
      return { next: () => id++, raiseTo: () => {} };
    };
    const opened = await Promise.all([0, 1, 2].map(() => made.open({ ids: stuck() })));
    const ids = await Promise.all(
      opened.flatMap((store) => Array.from({ length: 30 }, (_, i) => acceptOne(store, message(1 + (i % 3))))),
    );
    expect(new Set(ids).size).toBe(90);
    const [store] = opened;
    expect(await store?.pendingCount()).toBe(90);
  });

  test('leaves one of what several processes replace at once', async () => {
    const made = await stores();
    const opened = await Promise.all([made.open(), made.open(), made.open()]);
    const [store] = opened;
    for (let round = 0; round < 10; round += 1)
      await Promise.all(
        opened.flatMap((each) => [1, 2, 1].map((uid) => acceptOne(each, message(uid, { collapse: 'k' })))),
      );
    expect(await store?.pendingCount()).toBe(2);
    expect((await store?.unread(1))?.total).toBe(1);
  });

  test('prunes in one process at a time', async () => {
    const made = await stores();
    const opened = await Promise.all([made.open(), made.open(), made.open()]);
    const [store] = opened;
    const past = systemClock.now() - 10;
    await store?.accept(Array.from({ length: 3000 }, (_, i) => message(1 + (i % 100), { expiresAt: past })));
    const counts = await Promise.all(opened.map((each) => each.prune(past, 10_000)));
    expect([...counts].sort((a, b) => a - b)).toEqual([0, 0, 3000]);
    await server.asRoot(async (root) => {
      const [rows] = await root.query(`SELECT COUNT(*) AS n FROM ${made.access.database}.spush_body`);
      expect(rows).toEqual([{ n: 0 }]);
    });
  });

  test('leaves out a text that cannot be read, says so, and goes on with the others of the reader', async () => {
    const made = await stores();
    const log = recordedLog();
    const store = await made.open({ log });
    const ids: MessageId[] = [];
    for (const title of ['a', 'b', 'c']) ids.push(await acceptOne(store, message(1, { title })));
    await server.asRoot((root) =>
      root.query(`UPDATE ${made.access.database}.spush_body SET text = '{"title":"b' WHERE id = ?`, [
        BigInt(ids[1] ?? 0),
      ]),
    );
    expect((await store.pending(1, { limit: 9 })).map(({ title }) => title)).toEqual(['a', 'c']);
    expect((await store.list(1, { limit: 9 })).items.map(({ title }) => title)).toEqual(['c', 'a']);
    const lines = log.lines.filter(({ event }) => event === 'store.text_unreadable');
    expect(lines).toMatchObject([{ level: 'warn', fields: { text: ids[1] } }]);
  });

  test('a text longer than the server takes fails alone', async () => {
    const made = await stores();
    await server.asRoot((root) => root.query('SET GLOBAL max_allowed_packet = 1048576'));
    onTestFinished(async () => {
      await server.asRoot((root) => root.query('SET GLOBAL max_allowed_packet = 16777216'));
    });
    const store = await made.open();
    const long = store.accept([message(1, { content: 'x'.repeat(2_000_000) })]);
    const others = Promise.all(Array.from({ length: 20 }, () => acceptOne(store, message(2))));
    const { message: text } = await refused(long, 'STORE_UNAVAILABLE');
    expect(text).toContain('max_allowed_packet');
    expect(new Set(await others).size).toBe(20);
    const many = Array.from({ length: 60 }, (_, i) => message(3, { content: `${i}`.repeat(50_000) }));
    expect((await store.accept(many)).length).toBe(60);
  });

  test('keeps exactly once everything it answered, over kills of the server in the middle of it', async () => {
    const kills = 4;
    const made = await stores();
    await (await made.open()).probe();
    // Two with the same generator number: their ids collide, too.
    const writers = ['a', 'b'].map((name) => new Writer(made.access, name, 7));
    onTestFinished(async () => {
      await Promise.all(writers.map((writer) => writer.kill()));
    });
    for (let kill = 0; kill < kills; kill += 1) {
      await Promise.all(writers.map((writer) => writer.untilMore(60 + kill * 37)));
      await server.kill();
      await server.run();
    }
    await Promise.all(writers.map((writer) => writer.untilMore(50)));
    await Promise.all(writers.map((writer) => writer.kill()));
    const answered = writers.flatMap((writer) => writer.answered());
    const stored = await server.asRoot(async (root) => {
      const [rows] = await root.query(
        `SELECT JSON_VALUE(b.text, '$.title') AS title, CAST(m.id AS CHAR) AS id
         FROM ${made.access.database}.spush_message m LEFT JOIN ${made.access.database}.spush_body b ON b.id = m.body_id`,
      );
      return rows as { title: string; id: string }[];
    });
    const idOf = new Map(stored.map(({ title, id }) => [title, id]));
    expect(idOf.size, 'stored more than once').toBe(stored.length);
    expect(answered.filter(([title, id]) => idOf.get(title) !== id)).toEqual([]);
    expect(answered.length).toBeGreaterThan(kills * 100);
  });
});

function message(uid: number | null, more: Partial<NewMessage> = {}): NewMessage {
  const now = systemClock.now();
  return {
    kind: uid === null ? 'systemNotice' : 'comment',
    uid,
    title: 'title',
    content: 'content',
    url: null,
    data: null,
    callerId: null,
    collapse: null,
    deliver: 'now',
    createdAt: now,
    expiresAt: now + 3_600_000,
    ...more,
  };
}

async function acceptOne(store: MessageStore, one: NewMessage): Promise<MessageId> {
  const [accepted] = await store.accept([one]);
  if (accepted === undefined) throw new Error('nothing was accepted');
  return accepted.id;
}

function everyCall(store: MessageStore, id: MessageId): (() => Promise<unknown>)[] {
  return [
    () => store.accept([message(1)]),
    () => store.pending(1, { limit: 9 }),
    () => store.pendingForMany([1, 2, 3], { limit: 9 }),
    () => store.markSent([{ uid: 1, id, settled: false }], 1),
    () => store.ack(2, [id], 1),
    () => store.read(2, { all: true }, 1),
    () => store.list(1, { limit: 9 }),
    () => store.unread(1),
    () => store.status(id),
    () => store.release('comment', 1),
    () => store.prune(1, 10),
    () => store.probe(),
  ];
}

async function refused(call: Promise<unknown>, code: string): Promise<Error> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  expect(outcome).toMatchObject({ code });
  return outcome as Error;
}

async function inTime<T>(ms: number, call: Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const value = await call;
  expect(performance.now() - startedMs).toBeLessThan(ms);
  return value;
}

async function eventually(work: () => Promise<unknown>): Promise<void> {
  await expect
    .poll(
      () =>
        work().then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true);
}

/** The store's statement stands for so long only because it waits for a lock. */
async function untilWaiting(server: OwnMariadb): Promise<void> {
  await server.asRoot(async (root) => {
    await expect
      .poll(
        async () => {
          const [rows] = await root.query(
            `SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST
             WHERE USER = 'spush' AND INFO LIKE '%UPDATE spush_message%' AND TIME_MS > 10`,
          );
          return (rows as { n: number }[])[0]?.n;
        },
        { interval: 5 },
      )
      .toBe(1);
  });
}

const WRITER = path.resolve(import.meta.dirname, '../support/mysql-writer.mjs');

class Writer {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #text = '';

  constructor(access: MariadbAccess, name: string, generator: number) {
    this.#child = spawn(
      process.execPath,
      [...RUN_SOURCES, WRITER, JSON.stringify(access), name, String(generator)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.#exit = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdout?.on('data', (data) => {
      this.#text += String(data);
    });
  }

  async untilMore(lines: number): Promise<void> {
    const before = this.answered().length;
    await expect.poll(() => this.answered().length, { timeout: 30_000 }).toBeGreaterThan(before + lines);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Text and id of what was answered, in whole lines. */
  answered(): [string, string][] {
    const whole = this.#text.slice(0, this.#text.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line.includes(' '))
      .map((line) => {
        const [title = '', id = ''] = line.split(' ');
        return [title, id];
      });
  }
}
