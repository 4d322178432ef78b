/** What a session must be, read back from the server. Servers that are set up against it: test/contract/mysql-hostile.test.ts. */
import { describe, expect, test } from 'vitest';
import { assertSettings } from '../../../../../src/platform/store/mysql/session-settings.js';

const place = { host: 'db', port: 3306, user: 'spush', database: 'messages' };
const QUERY_MS = 2000;

const RIGHT = {
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  collation_connection: 'utf8mb4_bin',
  sql_mode: 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  autocommit: 'ON',
  time_zone: '+00:00',
  lc_messages: 'en_US',
  completion_type: 'NO_CHAIN',
  unique_checks: 'ON',
  sql_safe_updates: 'OFF',
  sql_auto_is_null: 'OFF',
  sql_big_selects: 'ON',
  sql_select_limit: '18446744073709551615',
  innodb_lock_wait_timeout: '1',
  lock_wait_timeout: '1',
  transaction_isolation: 'READ-COMMITTED',
  transaction_read_only: 'OFF',
} as const;

function assertWith(changed: Record<string, string | undefined>): void {
  const entries = Object.entries({ ...RIGHT, ...changed }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  assertSettings(place, new Map(entries), QUERY_MS);
}

describe('a session', () => {
  test('that is as it should be may be used', () => {
    expect(() => assertWith({})).not.toThrow();
    expect(() =>
      assertWith({
        transaction_isolation: undefined,
        tx_isolation: 'READ-COMMITTED',
        transaction_read_only: undefined,
        tx_read_only: '0',
        log_bin: 'ON',
        binlog_format: 'MIXED',
      }),
    ).not.toThrow();
    expect(() => assertWith({ log_bin: 'OFF', binlog_format: 'STATEMENT' })).not.toThrow();
  });

  test.each<[string, string]>([
    ['character_set_client', 'gbk'],
    ['character_set_connection', 'latin1'],
    ['character_set_results', ''],
    ['collation_connection', 'utf8mb4_general_ci'],
    ['sql_mode', `${RIGHT.sql_mode},NO_BACKSLASH_ESCAPES`],
    ['sql_mode', 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'],
    ['autocommit', 'OFF'],
    ['time_zone', 'SYSTEM'],
    ['lc_messages', 'zh_CN'],
    ['completion_type', 'CHAIN'],
    ['unique_checks', 'OFF'],
    ['sql_safe_updates', 'ON'],
    ['sql_auto_is_null', 'ON'],
    ['sql_big_selects', 'OFF'],
    ['sql_select_limit', '10'],
    ['innodb_lock_wait_timeout', '50'],
    ['lock_wait_timeout', '86400'],
    ['transaction_isolation', 'SERIALIZABLE'],
    ['tx_isolation', 'REPEATABLE-READ'],
    ['transaction_read_only', 'ON'],
  ])('with another %s is not used, and the error names it, its value and what to do: %s', (name, value) => {
    expect(() => assertWith({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringMatching(new RegExp(`"messages" at db:3306.* ${name} = '${value}' .*\\. .+`)),
      }),
    );
  });

  test('that says nothing of a setting is not used', () => {
    for (const name of Object.keys(RIGHT))
      expect(() => assertWith({ [name]: undefined }), name).toThrow(name);
  });

  test('whose changes go to the binary log as statements is not used: every change would be refused', () => {
    expect(() => assertWith({ log_bin: 'ON', binlog_format: 'STATEMENT' })).toThrow(
      /binlog_format = 'STATEMENT'.*SET GLOBAL binlog_format/,
    );
  });
});
