import {
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../../../src/platform/log/log.js';
import { Database } from '../../../../../src/platform/store/libsql/thread/database.js';
import type { MessageStore } from '../../../../../src/platform/store/message-store.js';
import type { NewMessage } from '../../../../../src/shared/domain/message.js';
import { LibsqlStores } from '../../../../support/libsql-stores.js';
import { recordedLog } from '../../../../support/recorded-log.js';
import { newMessage } from './thread-store.js';

const COMPANIONS = ['', '-wal', '-shm'];

let stores: LibsqlStores;
let store: MessageStore;
beforeEach(async () => {
  stores = await LibsqlStores.make();
  store = await stores.open({ lockWaitMs: 200 });
  await store.accept([message(1)]);
});
afterEach(() => stores.dispose());

function message(uid: number): NewMessage {
  return { ...newMessage(uid), expiresAt: Date.now() + 60_000 };
}

/** Every kind of call is refused, with a text that names the file and says the same. */
async function expectRefused(reason: RegExp): Promise<void> {
  for (const call of [
    () => store.accept([message(1)]),
    () => store.probe(),
    () => store.unread(1),
    () => store.list(1, { limit: 5 }),
    () => store.ack(1, [], Date.now()),
  ]) {
    const refused = call();
    await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(refused).rejects.toThrow(stores.file);
    await expect(refused).rejects.toThrow(reason);
  }
}

/** The same store keeps messages, and has those it kept before. */
async function expectWorks(kept: number): Promise<void> {
  await store.probe();
  await store.accept([message(1)]);
  expect((await store.unread(1)).total).toBe(kept + 1);
}

describe('while the store is open', () => {
  test('a lock held too long is refused, reads go on, and it works again after', async () => {
    const other = new Database(stores.file, false);
    other.exec('BEGIN EXCLUSIVE');
    const refused = store.accept([message(1)]);
    await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(refused).rejects.toThrow(/is locked by another program/);
    await expect(store.probe()).rejects.toThrow(/is locked/);
    expect((await store.unread(1)).total).toBe(1);
    other.exec('ROLLBACK');
    await expectWorks(1);
  });

  test('a lock under which others wrote leaves no trace: the same connection works on', async () => {
    const events: string[] = [];
    const record = (event: string) => events.push(event);
    const log = { ...silentLog, info: record, warn: record, error: record };
    const impatient = await stores.open({ lockWaitMs: 0, log });
    const other = new Database(stores.file, false);
    other.exec('BEGIN EXCLUSIVE');
    await expect(impatient.accept([message(1)])).rejects.toThrow(/is locked/);
    expect((await impatient.unread(1)).total).toBe(1);
    other.exec('UPDATE message SET read_at = 1; COMMIT');
    await impatient.accept([message(1)]);
    expect((await impatient.unread(1)).total).toBe(1);
    expect(events).toEqual(['store.opened', 'store.unavailable', 'store.available']);
  });

  test('a short lock is waited for, in the order of the calls', async () => {
    const patient = await stores.open({ lockWaitMs: 60_000 });
    const other = new Database(stores.file, false);
    other.exec('BEGIN IMMEDIATE');
    const calls = [patient.accept([message(2)]), patient.unread(2)] as const;
    // The other opener answers in the meantime; when it has, the patient one has had time to meet the lock.
    for (let i = 0; i < 20; i += 1) await store.unread(1);
    other.exec('ROLLBACK');
    await calls[0];
    expect((await calls[1]).total).toBe(1);
  });

  test('a file moved away is refused, not made anew, and works when it is moved back', async () => {
    for (const suffix of COMPANIONS) renameSync(stores.file + suffix, `${stores.file}.aside${suffix}`);
    await expectRefused(/is gone: it was deleted or moved/);
    expect(existsSync(stores.file)).toBe(false);
    for (const suffix of COMPANIONS) renameSync(`${stores.file}.aside${suffix}`, stores.file + suffix);
    await expectWorks(1);
  });

  test('a folder moved away is refused, and works when it is moved back', async () => {
    const aside = join(stores.folder, 'aside');
    renameSync(dirname(stores.file), aside);
    await expectRefused(/is gone/);
    expect(existsSync(dirname(stores.file))).toBe(false);
    renameSync(aside, dirname(stores.file));
    await expectWorks(1);
  });

  test('a deleted file is refused, and a copy put in its place is used', async () => {
    const copy = join(stores.folder, 'copy.db');
    new Database(stores.file, false).exec(`VACUUM INTO '${copy}'`);
    for (const suffix of COMPANIONS) unlinkSync(stores.file + suffix);
    await expectRefused(/is gone/);
    copyFileSync(copy, stores.file);
    await expectWorks(1);
  });

  test('a deleted folder is refused, and made again with a copy in it works', async () => {
    const copy = join(stores.folder, 'copy.db');
    new Database(stores.file, false).exec(`VACUUM INTO '${copy}'`);
    rmSync(dirname(stores.file), { recursive: true });
    await expectRefused(/is gone/);
    mkdirSync(dirname(stores.file));
    copyFileSync(copy, stores.file);
    await expectWorks(1);
  });

  test('a file replaced by another store is used at once, and its messages are the new truth', async () => {
    const others = await LibsqlStores.make();
    const other = await others.open();
    await other.accept([message(1), message(1)]);
    await others.close();
    renameSync(others.file, stores.file);
    for (const suffix of ['-wal', '-shm']) rmSync(stores.file + suffix);
    await expectWorks(2);
    await stores.close();
    expect(new Database(stores.file, false).value('SELECT count(*) FROM message')).toBe(3);
    await others.dispose();
  });

  test('a file replaced by an empty one, garbage, a folder or a database of others is refused and left alone', async () => {
    const aside = `${stores.file}.aside`;
    const foreign = new Database(join(stores.folder, 'foreign.db'), true);
    foreign.exec('CREATE TABLE x (y)');
    for (const suffix of COMPANIONS) renameSync(stores.file + suffix, aside + suffix);

    writeFileSync(stores.file, '');
    await expectRefused(/is an empty file in place/);
    expect(statSync(stores.file).size).toBe(0);
    unlinkSync(stores.file);

    writeFileSync(stores.file, 'these are not messages '.repeat(1000));
    await expectRefused(/is not a message store/);
    unlinkSync(stores.file);

    copyFileSync(join(stores.folder, 'foreign.db'), stores.file);
    await expectRefused(/of another program/);
    unlinkSync(stores.file);

    mkdirSync(stores.file);
    await expectRefused(/is not a file/);
    rmSync(stores.file, { recursive: true });

    for (const suffix of COMPANIONS) renameSync(aside + suffix, stores.file + suffix);
    await expectWorks(1);
  });

  test('a deleted write-ahead log costs nothing: what it held is written back', async () => {
    unlinkSync(`${stores.file}-wal`);
    await expectWorks(1);
    unlinkSync(`${stores.file}-shm`);
    await expectWorks(2);
  });

  test('a log deleted under two openers is refused until both have let go, and nothing is lost', async () => {
    const other = await stores.open();
    await other.accept([message(1)]);
    unlinkSync(`${stores.file}-wal`);
    const first = await store.accept([message(1)]).then(
      () => 1,
      (error) => {
        expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
        expect(error.message).toMatch(/has lost its write-ahead log/);
        return 0;
      },
    );
    await other.probe();
    await expectWorks(2 + first);
  });
});

describe('opening', () => {
  test('garbage, a folder, a place that cannot be: refused with what to do', async () => {
    const garbage = join(stores.folder, 'garbage.db');
    writeFileSync(garbage, 'garbage '.repeat(1000));
    await expect(stores.open({ file: garbage })).rejects.toThrow(/is not a message store.*Put back/);
    await expect(stores.open({ file: stores.folder })).rejects.toThrow(/is not a file/);
    await expect(stores.open({ file: join(garbage, 'x.db') })).rejects.toThrow(
      /has no folder and it cannot be made/,
    );
    await expect(stores.open({ file: join(garbage, 'x.db'), create: false })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });

  test('an empty file is a new store', async () => {
    const file = join(stores.folder, 'empty.db');
    writeFileSync(file, '');
    const empty = await stores.open({ file });
    await empty.accept([message(1)]);
    expect((await empty.unread(1)).total).toBe(1);
  });
});

test('a text that cannot be read is left out and named, and the others of the reader arrive', async () => {
  const log = recordedLog();
  const reader = await stores.open({ log });
  const ids: string[] = [];
  for (const title of ['a', 'b', 'c']) {
    const [accepted] = await store.accept([{ ...message(7), title, callerId: null }]);
    ids.push(accepted?.id ?? '');
  }
  const file = new Database(stores.file, false);
  file.exec(`UPDATE body SET text = '{"title":"b' WHERE text LIKE '{"title":"b"%'`);
  expect((await reader.pending(7, { limit: 9 })).map(({ title }) => title)).toEqual(['a', 'c']);
  const first = await reader.list(7, { limit: 2 });
  expect(first.items.map(({ title }) => title)).toEqual(['c']);
  if (first.next === null) throw new Error('there is more behind the message that was left out');
  const rest = await reader.list(7, { limit: 2, cursor: first.next });
  expect(rest.items.map(({ title }) => title)).toEqual(['a']);
  const lines = log.lines.filter(({ event }) => event === 'store.text_unreadable');
  expect(lines[0]).toMatchObject({ level: 'warn', fields: { message: ids[1], reason: 'SyntaxError' } });
});
