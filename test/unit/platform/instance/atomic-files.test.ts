import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  linkIfFree,
  readIfThere,
  replaceFile,
  setAside,
  writeWhole,
} from '../../../../src/platform/instance/atomic-files.js';
import { tempFolder } from '../../../support/temp-folder.js';

/** What was synced to the disk, by the number of its inode. */
async function watchSyncs(folder: string): Promise<number[]> {
  const handle = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(handle) as { sync(this: typeof handle): Promise<void> };
  await handle.close();
  const synced: number[] = [];
  const real = prototype.sync;
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: typeof handle) {
    synced.push((await this.stat()).ino);
    await real.call(this);
  });
  onTestFinished(() => void spy.mockRestore());
  return synced;
}

function writeEmpty(file: string): string {
  writeFileSync(file, '');
  return file;
}

describe('a file that is replaced', () => {
  test('is on the disk, and then its name is, before the call returns', async () => {
    const folder = tempFolder();
    const file = path.join(folder, 'a');
    const synced = await watchSyncs(folder);
    await replaceFile(file, 'text');
    expect(synced).toEqual([statSync(file).ino, statSync(folder).ino]);
    expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual(['text', ['a']]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('is on the disk with the name that it is given if that is free', async () => {
    const folder = tempFolder();
    const [draft, file] = [path.join(folder, 'draft'), path.join(folder, 'a')];
    const synced = await watchSyncs(folder);
    await writeWhole(draft, 'text');
    expect(await linkIfFree(draft, file)).toBe(true);
    expect(synced).toEqual([statSync(file).ino, statSync(folder).ino]);
    expect(await linkIfFree(draft, file)).toBe(false);
  });

  test('never leads through a link that somebody has put there', async () => {
    const folder = tempFolder({ precious: 'of somebody else' });
    symlinkSync(path.join(folder, 'precious'), path.join(folder, 'a.new'));
    await replaceFile(path.join(folder, 'a'), 'text');
    expect(readFileSync(path.join(folder, 'precious'), 'utf8')).toBe('of somebody else');
    expect(readFileSync(path.join(folder, 'a'), 'utf8')).toBe('text');
  });
});

describe('a file that is read', () => {
  test('is null when it is not there, also when its folder is none', async () => {
    const folder = tempFolder({ a: 'text' });
    expect(await readIfThere(path.join(folder, 'a'))).toBe('text');
    expect(await readIfThere(path.join(folder, 'b'))).toBeNull();
    expect(await readIfThere(path.join(folder, 'a', 'b'))).toBeNull();
  });

  test.each<[string, (file: string) => void]>([
    ['a pipe, which nobody writes', (file) => void execFileSync('mkfifo', [file])],
    ['a folder', (file) => mkdirSync(file)],
    ['a terminal', (file) => symlinkSync('/dev/tty', file)],
    ['endless', (file) => symlinkSync('/dev/zero', file)],
    ['far too long', (file) => truncateSync(writeEmpty(file), 1_000_000_000)],
  ])('is refused at once when it is %s', async (_what, put) => {
    const file = path.join(tempFolder(), 'a');
    put(file);
    await expect(readIfThere(file)).rejects.toThrow(/is no plain file|has 1000000000 bytes/);
  });
});

describe('what is set aside', () => {
  const AT = Date.UTC(2026, 0, 31, 12);

  test('has the time in its name, and is kept three times', async () => {
    const folder = tempFolder();
    const file = path.join(folder, 'a');
    for (let n = 0; n < 5; n += 1) {
      writeFileSync(file, `${n}`);
      expect(await setAside(file, AT + n * 1000)).toBe(`${file}.broken-20260131T12000${n}`);
    }
    expect(readdirSync(folder).sort()).toEqual([2, 3, 4].map((n) => `a.broken-20260131T12000${n}`));
  });

  test('within one second has a number, and is nothing when it was gone', async () => {
    const folder = tempFolder({ a: '1' });
    const file = path.join(folder, 'a');
    expect(await setAside(file, AT)).toBe(`${file}.broken-20260131T120000`);
    expect(await setAside(file, AT)).toBeNull();
    mkdirSync(file);
    expect(await setAside(file, AT)).toBe(`${file}.broken-20260131T120000-2`);
  });
});
