/** Output that nobody waits for: on a pipe whose reader is slow, stopped or gone, and on a file. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { ConsoleStream, WAITING_BYTES_MAX } from '../../../../src/platform/log/console-stream.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { tempFolder } from '../../../support/temp-folder.js';

const LINE = `${'x'.repeat(999)}\n`;

function pipe() {
  const file = path.join(tempFolder(), 'pipe');
  execFileSync('mkfifo', [file]);
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  // As a shell opens it: a write to it would wait.
  const fd = openSync(file, constants.O_WRONLY);
  let isOpen = true;
  const closeReader = (): void => {
    if (isOpen) closeSync(reader);
    isOpen = false;
  };
  onTestFinished(() => {
    closeReader();
    closeSync(fd);
  });
  const troubles = new Troubles(new FakeClock());
  const stream = new ConsoleStream({ fd, unblock: () => {}, troubles });
  return { stream, troubles, reader, closeReader };
}

/** All that is there now. */
function read(reader: number): string {
  const chunk = Buffer.alloc(65_536);
  let text = '';
  try {
    for (let bytes = 1; bytes > 0; ) {
      bytes = readSync(reader, chunk);
      text += chunk.toString('utf8', 0, bytes);
    }
  } catch {
    // Empty for now.
  }
  return text;
}

describe('the console', () => {
  test('has what is written at once while somebody reads', () => {
    const { stream, reader, troubles } = pipe();
    stream.write('one\n');
    stream.write('two\n');
    expect(read(reader)).toBe('one\ntwo\n');
    expect(troubles.report().now).toEqual([]);
  });

  test('keeps lines for a reader that is late, whole and in order, and leaves out what goes beyond', async () => {
    const { stream, reader, troubles } = pipe();
    const lines = Math.ceil(WAITING_BYTES_MAX / LINE.length) + 200;
    for (let n = 0; n < lines; n += 1) stream.write(LINE);
    expect(troubles.report().now).toMatchObject([{ name: 'console' }]);
    const leftOut = troubles.report().now[0]?.failures ?? 0;
    expect(leftOut).toBeGreaterThan(0);
    let text = '';
    await expect
      .poll(
        () => {
          text += read(reader);
          return troubles.has('console');
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBe(false);
    text += read(reader);
    expect(text).toBe(LINE.repeat(lines - leftOut));
    stream.write('again\n');
    expect(read(reader)).toBe('again\n');
  });

  test('loses lines when its reader goes, and nothing else', () => {
    const { stream, closeReader, troubles } = pipe();
    closeReader();
    for (let n = 0; n < 3; n += 1) stream.write(LINE);
    expect(troubles.report().now).toMatchObject([
      { name: 'console', text: expect.stringContaining('EPIPE'), failures: 3 },
    ]);
  });

  test('writes a file from where it is', () => {
    const file = path.join(tempFolder({ out: 'before\n' }), 'out');
    const fd = openSync(file, 'a');
    onTestFinished(() => closeSync(fd));
    new ConsoleStream({ fd, unblock: () => {}, troubles: null }).write('after\n');
    expect(readFileSync(file, 'utf8')).toBe('before\nafter\n');
  });
});
