import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MessageStore } from '../../../../../src/platform/store/message-store.js';
import type { NewMessage } from '../../../../../src/shared/domain/message.js';
import { LibsqlStores } from '../../../../support/libsql-stores.js';
import { newMessage } from './thread-store.js';

let stores: LibsqlStores;
beforeEach(async () => {
  stores = await LibsqlStores.make();
});
afterEach(() => stores.dispose());

function messages(count: number, uid = 1): NewMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    ...newMessage(uid, `${i}`.padEnd(2000, 'x')),
    expiresAt: Date.now() + 60_000,
  }));
}

/** Accepts batches until one is refused; answers how many messages were kept and why no more. */
async function fillUp(store: MessageStore): Promise<{ kept: number; reason: Error }> {
  for (let kept = 0; ; kept += 50) {
    const refused = await store.accept(messages(50)).then(
      () => null,
      (error: Error) => error,
    );
    if (refused !== null) return { kept, reason: refused };
  }
}

describe('a file that may not grow (RLIMIT_FSIZE: every write beyond it fails)', () => {
  const limitFileSize = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
  afterEach(() => limitFileSize('unlimited'));

  test('refuses what does not fit, keeps what was accepted, and works again when it may grow', async () => {
    const store = await stores.open();
    const { total: before } = await store.unread(1);
    limitFileSize('1000000');
    const { kept, reason } = await fillUp(store);
    expect(reason).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(reason.message).toMatch(/met an error of its disk .*quota/);
    // Reads and the state before are as they were; nothing of the refused batch is there.
    expect((await store.unread(1)).total).toBe(before + kept);
    await expect(store.accept(messages(1000))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await store.unread(1)).total).toBe(before + kept);
    limitFileSize('unlimited');
    await store.accept(messages(1000));
    await store.probe();
    expect((await store.unread(1)).total).toBe(before + kept + 1000);
  });

  test('fails all calls of the group whose commit fails, and none of them changed anything', async () => {
    const store = await stores.open();
    limitFileSize('600000');
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) => store.accept(messages(20, 1 + i))),
    );
    limitFileSize('unlimited');
    expect(results.some(({ status }) => status === 'rejected')).toBe(true);
    for (const [i, { status }] of results.entries())
      expect((await store.unread(1 + i)).total).toBe(status === 'fulfilled' ? 20 : 0);
  });
});

describe.skipIf(!mayMount())('a small file system', () => {
  let disk: string;
  beforeEach(() => {
    disk = join(stores.folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
  });
  afterEach(async () => {
    await stores.close();
    execFileSync('umount', [disk]);
  });
  const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, disk]);

  test('that is full refuses writes and the probe, serves reads, and works again when there is room', async () => {
    const store = await stores.open({ file: join(disk, 'store.db') });
    const { kept, reason } = await fillUp(store);
    expect(reason).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(reason.message).toMatch(/no room left on its disk .*Free some/);
    await expect(store.probe()).rejects.toThrow(/bytes left on its disk. Free some/);
    expect((await store.unread(1)).total).toBe(kept);
    expect((await store.pending(1, { limit: 3 })).length).toBe(3);
    remount('size=64m');
    await store.probe();
    await store.accept(messages(50));
    expect((await store.unread(1)).total).toBe(kept + 50);
  });

  test('that becomes read-only refuses writes, serves reads, and works again when it may be written', async () => {
    const store = await stores.open({ file: join(disk, 'store.db') });
    await store.accept(messages(1));
    await store.close();
    remount('ro');
    const opening = stores.open({ file: join(disk, 'store.db') });
    await expect(opening).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(opening).rejects.toThrow(/cannot be (written|opened)/);
    remount('rw');
    const again = await stores.open({ file: join(disk, 'store.db') });
    await again.accept(messages(1));
    expect((await again.unread(1)).total).toBe(2);
  });
});

/** Only root may mount. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('skipped: tests of a small file system need the right to mount one');
    return false;
  }
}
