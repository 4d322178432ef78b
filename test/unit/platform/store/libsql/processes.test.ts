import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MessageStore } from '../../../../../src/platform/store/message-store.js';
import { LibsqlStores } from '../../../../support/libsql-stores.js';
import { RUN_SOURCES } from '../../../../support/run-sources.js';

const WRITER = fileURLToPath(new URL('../../../../support/store-writer.mjs', import.meta.url));
const GENERATORS = [101, 102, 103, 104];

let stores: LibsqlStores;
beforeEach(async () => {
  stores = await LibsqlStores.make();
});
afterEach(() => stores.dispose());

/** Starts a writer; resolves when it has told `lines` lines and was killed, with what it was answered by caller's id. */
async function writeAndDie(generator: number, lines: number): Promise<Map<string, string>> {
  const writer = spawn(process.execPath, [...RUN_SOURCES, WRITER, stores.file, String(generator)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(writer, 'exit');
  const told = new Map<string, string>();
  for await (const line of createInterface({ input: writer.stdout })) {
    const [callerId, id] = line.split(' ');
    if (callerId !== undefined && id !== undefined) told.set(callerId, id);
    if (told.size >= lines) writer.kill('SIGKILL');
  }
  await exit;
  return told;
}

async function storedOf(store: MessageStore, uid: number): Promise<Map<string, string>> {
  const items = await store.pending(uid, { limit: 1_000_000 });
  const stored = new Map(items.map(({ id, title }) => [title, id]));
  expect(stored.size, 'the same caller’s id was stored twice').toBe(items.length);
  return stored;
}

describe('several processes on one file', () => {
  test('killed in the middle of writing lose nothing they were answered, and store nothing twice', async () => {
    const told = await Promise.all(GENERATORS.map((generator, i) => writeAndDie(generator, 400 + 200 * i)));
    const store = await stores.open();
    const common = await storedOf(store, 1);
    for (const [i, answered] of told.entries()) {
      const own = await storedOf(store, 100 + (GENERATORS[i] ?? 0));
      for (const [callerId, id] of answered)
        expect((callerId.startsWith('all-') ? common : own).get(callerId), callerId).toBe(id);
    }
  }, 60_000);

  test('may end themselves in the middle of their work: the exit code is theirs', async () => {
    for (let n = 0; n < 12; n += 1) {
      const writer = spawn(process.execPath, [...RUN_SOURCES, WRITER, stores.file, '101', String(20 + n)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      expect(await once(writer, 'exit')).toEqual([3, null]);
    }
  }, 60_000);

  test('let each other write: none is held up while the others write without pause', async () => {
    const others = GENERATORS.slice(0, 2).map((generator) => writeAndDie(generator, 4_000));
    const store = await stores.open({ lockWaitMs: 5_000 });
    for (let i = 0; i < 100; i += 1) await store.probe();
    await Promise.all(others);
  }, 60_000);
});
