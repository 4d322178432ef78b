import { appendFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { NONCE_MS, NonceBook } from '../../../../src/master/relay/nonce-book.js';
import { NonceFile, nonceFile, TRY_AGAIN_MS } from '../../../../src/master/relay/nonce-file.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { tempFolder } from '../../../support/temp-folder.js';

const clock = new FakeClock();
const troubles = new Troubles(clock);
let folder: string;
let file: string;

beforeEach(() => {
  folder = tempFolder();
  file = nonceFile({ data: folder }, 'test');
});

/** A master that begins. */
async function master({ kept = 1000 } = {}) {
  const book = new NonceBook(clock, { kept });
  const nonces = new NonceFile(file, { book, troubles, clock });
  await nonces.load();
  const claim = async (nonce: string, timestamp = Math.floor(clock.now() / 1000)): Promise<boolean> => {
    const claimed = book.claim({ scope: 's', nonce, timestamp });
    if (claimed) await nonces.keep(claimed);
    return claimed !== null;
  };
  return { book, nonces, claim };
}

describe('nonces', () => {
  test('are known to the next master, also when the first did not end in order', async () => {
    const first = await master();
    const names = Array.from({ length: 300 }, (_, n) => `nonce-${n}`);
    expect(await first.claim(names[0] ?? '')).toBe(true);
    await Promise.all(names.slice(1).map((name) => first.claim(name)));
    const second = await master();
    for (const name of names) expect(await second.claim(name)).toBe(false);
    expect(await second.claim('another')).toBe(true);
    const third = await master();
    expect(await third.claim('another')).toBe(false);
    for (const { nonces } of [first, second, third]) await nonces.close();
  });

  test('are in the file before their call goes on, readable by nobody else', async () => {
    const { claim, nonces } = await master();
    await claim('aaaaaaaa');
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
    await claim('bbbbbbbb');
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(3);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await nonces.close();
  });

  test('of before a start of the machine count as claimed at the start of the master', async () => {
    const first = await master({ kept: 0 });
    await first.claim('aaaaaaaa');
    await first.nonces.close();
    const [head = '', line] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(
      file,
      `${head.replace(/1 \S+/, '1 another-start')}\n${line?.replace(/^\d+/, '99999999')}\n`,
    );
    const timestamp = Math.floor(clock.now() / 1000);
    const second = await master({ kept: 0 });
    clock.advance(NONCE_MS - 1);
    expect(await second.claim('aaaaaaaa', timestamp)).toBe(false);
    await second.nonces.close();
  });

  test('that are forgotten are refused by the next master too', async () => {
    const first = await master({ kept: 0 });
    const timestamp = Math.floor(clock.now() / 1000);
    await first.claim('aaaaaaaa');
    clock.advance(NONCE_MS);
    rmSync(file);
    clock.advance(2000);
    await first.claim('bbbbbbbb');
    await first.nonces.close();
    const second = await master({ kept: 0 });
    expect(await second.claim('aaaaaaaa', timestamp)).toBe(false);
    await second.nonces.close();
  });
});

describe('the file', () => {
  test('with lines that make no sense loses only these', async () => {
    const first = await master();
    await first.claim('aaaaaaaa');
    await first.nonces.close();
    appendFileSync(file, '\0\0\0\nno line\n123 456');
    const second = await master();
    expect(await second.claim('aaaaaaaa')).toBe(false);
    expect(await second.claim('bbbbbbbb')).toBe(true);
    await second.nonces.close();
    const third = await master();
    expect(await third.claim('bbbbbbbb')).toBe(false);
    await third.nonces.close();
  });

  test('that somebody takes away is made again with all that is known', async () => {
    const first = await master();
    await first.claim('aaaaaaaa');
    renameSync(file, `${file}.moved`);
    clock.advance(2000);
    await first.claim('bbbbbbbb');
    await first.nonces.close();
    const second = await master();
    expect([await second.claim('aaaaaaaa'), await second.claim('bbbbbbbb')]).toEqual([false, false]);
    await second.nonces.close();
  });

  test('does not grow for ever', async () => {
    const { claim, nonces } = await master({ kept: 0 });
    for (let n = 0; n < 25; n += 1) {
      await Promise.all(Array.from({ length: 1000 }, (_, k) => claim(`nonce-${n}-${k}`)));
      clock.advance(NONCE_MS);
    }
    expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(24_000);
    await nonces.close();
  });

  test('that cannot be written keeps no call from being made, is a trouble, and is tried again', async () => {
    const { claim, nonces } = await master();
    rmSync(folder, { recursive: true });
    expect(await claim('aaaaaaaa')).toBe(true);
    expect(await claim('aaaaaaaa')).toBe(false);
    expect(troubles.report().now).toMatchObject([{ name: 'nonces' }]);
    await mkdir(folder);
    expect(await claim('cccccccc')).toBe(true);
    clock.advance(TRY_AGAIN_MS);
    expect(await claim('bbbbbbbb')).toBe(true);
    expect(troubles.report().now).toEqual([]);
    await nonces.close();
    const second = await master();
    for (const nonce of ['aaaaaaaa', 'cccccccc']) expect(await second.claim(nonce)).toBe(false);
    await second.nonces.close();
  });

  test('that is a folder is a trouble and no more', async () => {
    await mkdir(path.join(file));
    const { claim, nonces } = await master();
    expect(await claim('aaaaaaaa')).toBe(true);
    expect(troubles.report().now).toMatchObject([{ name: 'nonces' }]);
    await nonces.close();
  });
});
