import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogRotation } from '../../../src/master/log-rotation.js';
import { Troubles } from '../../../src/platform/health/troubles.js';
import { silentLog } from '../../../src/platform/log/log.js';
import { FakeClock } from '../../support/fake-clock.js';

const DAY_MS = 86_400_000;
let folder: string;
let file: string;
let reopened: number;
let clock: FakeClock;
let rotation: LogRotation;
let troubles: Troubles;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spush-rotate-'));
  file = path.join(folder, 'websocket.log');
  reopened = 0;
  clock = new FakeClock(new Date(2026, 0, 5, 12).getTime());
  troubles = new Troubles(clock);
  rotation = new LogRotation({
    file,
    limits: () => ({ bytesMax: 100, keepDays: 2 }),
    reopenAll: () => {
      reopened += 1;
      writeFileSync(file, '', { flag: 'a' });
    },
    troubles,
    clock,
    log: silentLog,
  });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(bytes: number): void {
  writeFileSync(file, 'x'.repeat(bytes), { flag: 'a' });
  utimesSync(file, clock.now() / 1000, clock.now() / 1000);
}

describe('log rotation', () => {
  test('leaves a small file of today alone', () => {
    write(99);
    rotation.check();
    expect(readdirSync(folder)).toEqual(['websocket.log']);
  });

  test('moves a full file away, numbered within its day', () => {
    for (let n = 0; n < 3; n += 1) {
      write(100);
      rotation.check();
    }
    expect(readdirSync(folder).sort()).toEqual([
      'websocket.2026-01-05.1.log',
      'websocket.2026-01-05.2.log',
      'websocket.2026-01-05.3.log',
      'websocket.log',
    ]);
    expect(reopened).toBe(3);
  });

  test('moves yesterday’s lines away under their day, also when today has written already', () => {
    write(10);
    rotation.check();
    clock.advance(DAY_MS);
    write(10);
    rotation.check();
    rotation.check();
    expect(readdirSync(folder).sort()).toEqual(['websocket.2026-01-05.1.log', 'websocket.log']);
  });

  test('deletes what is older than the kept days, and nothing else', () => {
    for (const name of [
      'websocket.2026-01-01.1.log',
      'websocket.2026-01-04.7.log',
      'other.2026-01-01.1.log',
      'x.txt',
    ]) {
      writeFileSync(path.join(folder, name), '');
    }
    write(100);
    rotation.check();
    expect(readdirSync(folder).sort()).toEqual([
      'other.2026-01-01.1.log',
      'websocket.2026-01-04.7.log',
      'websocket.2026-01-05.1.log',
      'websocket.log',
      'x.txt',
    ]);
  });

  test('opens the file again when somebody has deleted it', () => {
    rotation.check();
    expect(reopened).toBe(1);
  });

  test('leaves alone what is in the place of the file', () => {
    mkdirSync(file);
    rotation.check();
    expect(readdirSync(folder)).toEqual(['websocket.log']);
    expect(reopened).toBe(1);
  });

  test('tells what it cannot delete, deletes the rest, and tries again until it can', () => {
    mkdirSync(path.join(folder, 'websocket.2026-01-01.1.log'));
    writeFileSync(path.join(folder, 'websocket.2026-01-02.1.log'), '');
    write(100);
    rotation.check();
    expect(readdirSync(folder).sort()).toEqual([
      'websocket.2026-01-01.1.log',
      'websocket.2026-01-05.1.log',
      'websocket.log',
    ]);
    expect(troubles.report().now).toMatchObject([{ name: 'logRotation' }]);
    rotation.check();
    expect(readdirSync(folder)).toHaveLength(3);
    rmdirSync(path.join(folder, 'websocket.2026-01-01.1.log'));
    rotation.check();
    expect(troubles.report().now).toEqual([]);
  });
});
