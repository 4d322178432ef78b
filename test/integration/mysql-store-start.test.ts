/** What the MySQL store says, at a start, of a server or a database that it cannot work with: which setting, and what to do. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newMessage } from '../support/messages.js';
import { MysqlStores } from '../support/mysql-stores.js';
import { type MariadbAccess, mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { SqlProxy } from '../support/sql-proxy.js';

const program = mariadbProgram();

describe.skipIf(program === null)('at its start the MySQL store', () => {
  let server: OwnMariadb;

  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '', [
      '--skip-character-set-client-handshake',
      '--character-set-server=gbk',
      '--log-bin=log',
      '--binlog-format=MIXED',
    ]);
  }, 90_000);
  afterAll(() => server?.stop());

  async function stores(): Promise<MysqlStores> {
    const made = await MysqlStores.make(server);
    onTestFinished(() => made.close());
    return made;
  }

  async function asRoot(...statements: readonly string[]): Promise<void> {
    await server.asRoot(async (root) => {
      for (const statement of statements) await root.query(statement);
    });
  }

  async function refusal(opening: Promise<unknown>): Promise<string> {
    const outcome = await opening.then(
      () => null,
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code: 'START_FAILED' });
    return outcome instanceof Error ? outcome.message : '';
  }

  test.each<[why: string, set: string, reset: string, says: RegExp]>([
    [
      'changes go to the binary log as statements',
      "SET GLOBAL binlog_format = 'STATEMENT'",
      "SET GLOBAL binlog_format = 'MIXED'",
      /binlog_format = 'STATEMENT'.*SET GLOBAL binlog_format = 'MIXED'/,
    ],
    [
      'it only reads',
      'SET GLOBAL read_only = 1',
      'SET GLOBAL read_only = 0',
      /read_only is ON\. .*point db\.ts to the primary.*SET GLOBAL read_only = OFF/,
    ],
    [
      'what it does for every session fails',
      "SET GLOBAL init_connect = 'not SQL'",
      "SET GLOBAL init_connect = ''",
      /init_connect.*SET GLOBAL init_connect/,
    ],
    [
      'it has no room for what a connection needs',
      'SET GLOBAL max_session_mem_used = 8192',
      'SET GLOBAL max_session_mem_used = 9223372036854775807',
      /max-session-mem-used.*Change that option of the server$/,
    ],
  ])('refuses a server because %s', async (_, set, reset, says) => {
    const made = await stores();
    await made.open();
    onTestFinished(() => asRoot(reset));
    await asRoot(set);
    const text = await refusal(made.open());
    expect(text).toMatch(says);
    expect(text).toContain(`"${made.access.database}" at 127.0.0.1:${made.access.port} (user "spush")`);
  });

  test('refuses a session whose settings do not come to stand, and names the one that is wrong', async () => {
    const made = await stores();
    const proxy = await SqlProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    await made.open({ port: proxy.port });
    proxy.keepsSettings = true;
    expect(await refusal(made.open({ port: proxy.port }))).toMatch(
      /character_set_client = 'gbk' .* needs 'utf8mb4'.*proxy/,
    );
  });

  test('while running, too, does not use such a session, and goes on when there are right ones again', async () => {
    const made = await stores();
    const proxy = await SqlProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const store = await made.open({ port: proxy.port });
    proxy.keepsSettings = true;
    await expect(store.accept([newMessage(1)])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining("character_set_client = 'gbk'"),
    });
    proxy.keepsSettings = false;
    await expect.poll(() => store.accept([newMessage(1)]).catch(() => null)).not.toBeNull();
  });

  describe('refuses a user', () => {
    async function user(name: string, rights: string, access: MariadbAccess): Promise<{ user: string }> {
      await asRoot(
        `CREATE USER '${name}'@'%' IDENTIFIED BY '${access.password}'`,
        `GRANT ${rights} ON ${access.database}.* TO '${name}'@'%'`,
      );
      onTestFinished(() => asRoot(`DROP USER '${name}'@'%'`));
      return { user: name };
    }

    test('who may only read, and says what is missing', async () => {
      const made = await stores();
      await made.open();
      const reader = await user('reader', 'SELECT', made.access);
      expect(await refusal(made.open(reader))).toMatch(
        /user "reader".*INSERT, UPDATE, DELETE in spush_body.*GRANT/,
      );
    });

    test('who may not delete', async () => {
      const made = await stores();
      await made.open();
      const keeper = await user('keeper', 'SELECT, INSERT, UPDATE', made.access);
      expect(await refusal(made.open(keeper))).toMatch(/does not let this user DELETE in spush_body.*GRANT/);
    });

    test('who may not make the tables that are missing', async () => {
      const made = await stores();
      const writer = await user('writer', 'SELECT, INSERT, UPDATE, DELETE', made.access);
      expect(await refusal(made.open(writer))).toMatch(/CREATE.*error 1142.*GRANT/);
      await made.open();
      await made.open(writer);
    });
  });

  test.each<[change: string, says: RegExp]>([
    ['spush_body CONVERT TO CHARACTER SET latin1', /spush_body\.text that is mediumtext in latin1.*utf8mb4/],
    ['spush_body MODIFY text TEXT CHARACTER SET utf8mb4', /spush_body\.text that is text.*mediumtext/],
    ['spush_message MODIFY caller_key VARCHAR(255)', /spush_message\.caller_key that is varchar.*varbinary/],
    [
      'spush_message DROP KEY spush_message_collapse, DROP COLUMN collapse_key',
      /collapse_key that is not there/,
    ],
    ['spush_receipt ENGINE = MyISAM', /spush_receipt in the engine MyISAM.*ENGINE = InnoDB/],
  ])('refuses tables that somebody changed: %s', async (change, says) => {
    const made = await stores();
    await made.open();
    await asRoot(`USE ${made.access.database}`, `ALTER TABLE ${made.access.database}.${change}`);
    expect(await refusal(made.open())).toMatch(says);
    expect(await refusal(made.open({ create: false }))).toMatch(says);
  });

  test('takes a database in any character set: the tables name their own', async () => {
    const made = await stores();
    await asRoot(`ALTER DATABASE ${made.access.database} CHARACTER SET latin1`);
    const store = await made.open();
    await store.accept([newMessage(1, { title: '中文 😀' })]);
    expect((await store.pending(1, { limit: 9 })).map(({ title }) => title)).toEqual(['中文 😀']);
  });
});
