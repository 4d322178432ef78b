import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../../../../src/platform/store/libsql/migrations/all-migrations.js';
import { Database } from '../../../../../src/platform/store/libsql/thread/database.js';
import { migrate } from '../../../../../src/platform/store/libsql/thread/migrate.js';
import type { MessageStore } from '../../../../../src/platform/store/message-store.js';
import { LibsqlStores } from '../../../../support/libsql-stores.js';
import { newMessage } from './thread-store.js';

const known = MIGRATIONS.at(-1)?.version ?? 0;

describe('the steps of the schema', () => {
  let folder: string;
  let db: Database;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spush-migrate-'));
    db = new Database(join(folder, 'x.db'), true);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const steps = [
    { version: 1, sql: 'CREATE TABLE a (x)' },
    { version: 2, sql: 'ALTER TABLE a ADD COLUMN y' },
    { version: 3, sql: "INSERT INTO a VALUES (1, 'once')" },
  ];

  function bring(migrations: typeof steps): void {
    db.exec('BEGIN IMMEDIATE');
    try {
      migrate(db, { file: 'x.db', migrations });
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }

  test('are numbered 1, 2, 3 …', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  test('run once each, from wherever the file is', () => {
    bring(steps.slice(0, 1));
    expect(db.value('PRAGMA user_version')).toBe(1);
    bring(steps);
    bring(steps);
    expect(db.value('PRAGMA user_version')).toBe(3);
    expect(db.value('SELECT count(*) FROM a')).toBe(1);
  });

  test('that fail leave the schema as it was', () => {
    bring(steps.slice(0, 1));
    const broken = [...steps, { version: 4, sql: 'CREATE TABLE b (x); CREATE TABLE a (x)' }];
    expect(() => bring(broken)).toThrow(/already exists/);
    expect(db.value('PRAGMA user_version')).toBe(1);
    expect(db.value("SELECT count(*) FROM sqlite_schema WHERE name = 'b'")).toBe(0);
  });
});

describe('opening the store', () => {
  let stores: LibsqlStores;
  beforeEach(async () => {
    stores = await LibsqlStores.make();
  });
  afterEach(() => stores.dispose());

  test('makes folder and file, in any place the file system allows', async () => {
    const file = join(stores.folder, 'a new/folder #1?/100%25 ünï.db');
    const store = await stores.open({ file });
    await store.accept([newMessage(1)]);
    await stores.close();
    expect(new Database(file, false).value('SELECT count(*) FROM message')).toBe(1);
  });

  test('by eight at once makes one schema, and all of them work', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => stores.open()));
    const write = (store: MessageStore) =>
      store.accept([{ ...newMessage(1), expiresAt: Date.now() + 60_000 }]);
    await Promise.all(opened.map(write));
    for (const store of opened) expect((await store.unread(1)).total).toBe(8);
  });

  test('refuses a schema newer than the program, names both versions, and leaves the file alone', async () => {
    await stores.open();
    await stores.close();
    new Database(stores.file, false).exec(`PRAGMA user_version = ${known + 1}; CREATE TABLE later (x)`);
    const opening = stores.open();
    await expect(opening).rejects.toMatchObject({ code: 'STORE_SCHEMA_NEWER' });
    await expect(opening).rejects.toThrow(
      new RegExp(`version ${known + 1}, .*up to version ${known}\\. Start the newer spush`),
    );
    expect(new Database(stores.file, false).value('PRAGMA user_version')).toBe(known + 1);
  });

  test('refuses a database of another program, and leaves it alone', async () => {
    const other = new Database(join(stores.folder, 'other.db'), true);
    other.exec('CREATE TABLE accounts (x)');
    await expect(stores.open({ file: join(stores.folder, 'other.db') })).rejects.toThrow(
      /of another program/,
    );
    expect(other.value('SELECT group_concat(name) FROM sqlite_schema')).toBe('accounts');
    expect(other.value('PRAGMA journal_mode')).toBe('delete');
  });

  test('refuses to make a file when it is told not to', async () => {
    await expect(stores.open({ create: false })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const store = await stores.open();
    await store.close();
    await stores.open({ create: false });
  });

  test('raises the id source above the highest id stored', async () => {
    const store = await stores.open({
      ids: { next: () => 9_000_000_000_000_000_000n, raiseTo() {} },
    });
    await store.accept([newMessage(1)]);
    const raised: bigint[] = [];
    await stores.open({ ids: { next: () => 1n, raiseTo: (id) => raised.push(id) } });
    expect(raised).toEqual([9_000_000_000_000_000_000n]);
  });
});
