/**
 * The MySQL store on servers that are set up for something else: the contract holds all the same. What cannot be worked with is
 * refused at the start, with the name of the setting: test/integration/mysql-store-start.test.ts.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { DataText } from '../../src/shared/domain/message.js';
import { newMessage } from '../support/messages.js';
import { MysqlStores } from '../support/mysql-stores.js';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { describeMessageStore } from './message-store-contract.js';

const program = mariadbProgram();

/** What clients ask for is ignored, as many sites in China have it; changes are replicated; names are folded. */
const FLAGS = [
  '--skip-character-set-client-handshake',
  '--log-bin=log',
  '--binlog-format=MIXED',
  '--lower-case-table-names=1',
];

/** Global variables of the server. A setting that is wrong on a session by itself is in one group with those that do not hide it. */
const HOSTILE: readonly (readonly [name: string, globals: Readonly<Record<string, string>>])[] = [
  [
    'in GBK, with Chinese error texts and no strictness',
    {
      character_set_server: "'gbk'",
      lc_messages: "'zh_CN'",
      sql_mode: "''",
      autocommit: '0',
      completion_type: "'CHAIN'",
      tx_isolation: "'SERIALIZABLE'",
      unique_checks: '0',
      sql_select_limit: '2',
    },
  ],
  [
    'in latin1, read-only by default, where every session is told to be',
    {
      character_set_server: "'latin1'",
      init_connect: `'SET NAMES latin1, SESSION sql_select_limit = 3, SESSION time_zone = "+08:00", SESSION autocommit = 0'`,
      tx_read_only: '1',
      completion_type: "'RELEASE'",
      sql_safe_updates: '1',
      sql_auto_is_null: '1',
      sql_big_selects: '0',
      max_join_size: '1',
      max_statement_time: '0.0001',
    },
  ],
  [
    'in ANSI without backslashes, in utf8mb3',
    {
      character_set_server: "'utf8mb3'",
      sql_mode:
        "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_DATE,NO_ZERO_IN_DATE,HIGH_NOT_PRECEDENCE,IGNORE_SPACE,ONLY_FULL_GROUP_BY'",
      tx_isolation: "'READ-UNCOMMITTED'",
      default_storage_engine: "'MyISAM'",
      in_predicate_conversion_threshold: '2',
      max_prepared_stmt_count: '0',
      time_zone: "'-11:00'",
    },
  ],
];

describe.skipIf(program === null)('with a server of its own', () => {
  let server: OwnMariadb;

  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '', FLAGS);
  }, 90_000);
  afterAll(() => server?.stop());

  describe.each(HOSTILE)('%s,', (_, globals) => {
    beforeAll(() => setAll(globals));
    afterAll(() => setAll(Object.fromEntries(Object.keys(globals).map((name) => [name, 'DEFAULT']))));

    describeMessageStore(
      'the MySQL store',
      async ({ clock }) => {
        const stores = await MysqlStores.make(server, { clock });
        return {
          store: await stores.open(),
          async reopen() {
            await stores.close();
            return stores.open();
          },
          another: () => stores.open(),
          close: () => stores.close(),
        };
      },
      { runs: 5 },
    );

    // In GBK the last byte of 中 and the backslash that would quote what follows are one character.
    test('stores nothing but what it was given, whatever a text says', async () => {
      const stores = await MysqlStores.make(server);
      onTestFinished(() => stores.close());
      const store = await stores.open();
      const evil = "中'),(99,1,current_user())#";
      const texts = [
        evil,
        "中',1),(98,1,current_user())-- ",
        '縗\\',
        '中文标题',
        '😀',
        "x'; DROP TABLE spush_body; --",
      ];
      const messages = texts.map((text) =>
        newMessage(1, {
          title: text,
          content: text,
          url: text,
          callerId: text,
          collapse: text,
          data: JSON.stringify({ [text]: text }) as DataText,
        }),
      );
      const accepted = await store.accept(messages);
      const again = await store.accept(messages);
      expect(again.map(({ id, duplicate }) => [id, duplicate])).toEqual(accepted.map(({ id }) => [id, true]));
      const items = await store.pending(1, { limit: 100 });
      expect(items.map(({ title, content, url, data }) => [title, content, url, data])).toEqual(
        texts.map((text) => [text, text, text, JSON.stringify({ [text]: text })]),
      );
      const rows = await server.asRoot(async (root) => {
        const [found] = await root.query(
          `SELECT CAST(id AS CHAR) AS id, copies FROM ${stores.access.database}.spush_body ORDER BY id`,
        );
        return found;
      });
      expect(rows).toEqual(accepted.map(({ id }) => ({ id, copies: 1 })));
    });
  });

  async function setAll(globals: Readonly<Record<string, string>>): Promise<void> {
    await server.asRoot(async (root) => {
      for (const [name, value] of Object.entries(globals)) await root.query(`SET GLOBAL ${name} = ${value}`);
    });
  }
});
