import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ControlSocket, LOOK_EVERY_MS } from '../../../../src/master/control/control-socket.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { recordedLog } from '../../../support/recorded-log.js';

describe('the control socket', () => {
  let folder: string;
  let path: string;
  let log = recordedLog();
  let troubles = new Troubles(new FakeClock());
  const opened: ControlSocket[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spush-socket-'));
    path = join(folder, 'm.sock');
    log = recordedLog();
    troubles = new Troubles(new FakeClock());
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const socket of opened.splice(0)) socket.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const make = (onConnection: (socket: Socket) => void = (socket) => socket.end('hello')): ControlSocket => {
    const socket = new ControlSocket({ path, troubles, log, onConnection });
    opened.push(socket);
    return socket;
  };

  const heard = (): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      connect(path)
        .on('data', (data) => {
          text += data.toString();
        })
        .on('end', () => resolve(text))
        .on('error', reject);
    });

  it('is for its owner alone, and so is its folder', async () => {
    chmodSync(folder, 0o755);
    await make().open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(await heard()).toBe('hello');
  });

  it('leaves the umask as it was', async () => {
    const before = process.umask();
    await make().open();
    expect(process.umask()).toBe(before);
  });

  it('replaces a file that a dead master left', async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(folder, 'old'), resolve));
    renameSync(join(folder, 'old'), path);
    await new Promise((resolve) => dead.close(resolve));
    expect(existsSync(path)).toBe(true);
    await make().open();
    expect(await heard()).toBe('hello');
  });

  it('never replaces one that somebody listens on', async () => {
    await make(() => {}).open();
    const { ino } = statSync(path);
    await expect(make().open()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    expect(statSync(path).ino).toBe(ino);
  });

  it.each([
    ['a folder', () => mkdirSync(path)],
    ['somebody’s file', () => writeFileSync(path, 'precious')],
  ])('leaves %s alone that is in the way, and says so', async (_what, put) => {
    put();
    await expect(make().open()).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `${path} is in the way: it is not a socket; move it away`,
    });
    expect(existsSync(path)).toBe(true);
  });

  it('says what is wrong with its folder', async () => {
    path = join(folder, 'nowhere', 'm.sock');
    await expect(make().open()).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining(join(folder, 'nowhere')),
    });
  });

  it('comes back when its file is removed, even with the folder', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await make().open();
    for (const victim of [path, folder]) {
      rmSync(victim, { recursive: true });
      await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
      await vi.waitUntil(() => existsSync(path));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await vi.waitUntil(() => vi.getTimerCount() > 0);
    }
    vi.useRealTimers();
    expect(await heard()).toBe('hello');
    expect(log.lines.filter(({ event }) => event === 'control.socketVanished')).toHaveLength(2);
  });

  it.each([
    ['a folder', () => mkdirSync(path)],
    ['somebody’s file', () => writeFileSync(path, 'precious')],
  ])('with %s in its place is a trouble until that is gone', async (_what, put) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await make().open();
    rmSync(path);
    put();
    for (let n = 0; n < 2; n += 1) {
      await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
      await vi.waitUntil(() => vi.getTimerCount() > 0);
    }
    expect(troubles.report().now).toMatchObject([{ name: 'controlSocket', failures: 2 }]);
    expect(existsSync(path)).toBe(true);
    rmSync(path, { recursive: true });
    await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
    await vi.waitUntil(() => vi.getTimerCount() > 0);
    vi.useRealTimers();
    expect(troubles.report().now).toEqual([]);
    expect(await heard()).toBe('hello');
  });

  it('gets its rights back when somebody took them', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await make().open();
    chmodSync(path, 0o777);
    await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
    await vi.waitUntil(() => vi.getTimerCount() > 0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('takes its file with it', async () => {
    const socket = make();
    await socket.open();
    socket.close();
    expect(existsSync(path)).toBe(false);
  });
});
