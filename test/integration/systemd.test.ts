/** What systemd hears from a real spush: its notify protocol, spoken into a real socket by the real program. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { NotifySocket } from '../support/notify-socket.js';
import { outsideProgram } from '../support/outside-program.js';

function isInService(): boolean {
  return /\.service$/m.test(readFileSync('/proc/self/cgroup', 'utf8'));
}

const python = outsideProgram('python3', 'apt-get install python3');
const systemdNotify = outsideProgram('systemd-notify', 'apt-get install systemd');

describe.skipIf(python === null || systemdNotify === null)('a service of systemd', () => {
  let socket: NotifySocket;
  let daemon: Daemon;

  beforeAll(async () => {
    socket = await NotifySocket.open(python ?? '');
    daemon = await Daemon.start({
      env: {
        NOTIFY_SOCKET: socket.path,
        WATCHDOG_USEC: '1000000',
        SPUSH_WORKER_NUM: '2',
        SPUSH_STOP_SECONDS: '5',
      },
    });
  });
  afterAll(async () => {
    // It may be one that the last test has started.
    await daemon?.run('server', 'stop', '-force');
    await daemon?.dispose();
    socket?.close();
  });

  test('is ready when it listens, and gives signs of life with its figures', async () => {
    await socket.until('READY=1');
    expect((await daemon.get('/readyz')).status).toBe(200);
    await socket.until('STATUS=2 of 2 Workers ready, 0 connections');
    expect(socket.notices[0]).toMatch(/^READY=1\n/);
    expect(socket.notices.some((notice) => notice.startsWith('WATCHDOG=1\n'))).toBe(true);
  });

  test('says when a reload begins, and that it is over', async () => {
    const from = socket.notices.length;
    expect((await daemon.run('server', 'reload')).exitCode).toBe(0);
    await socket.until('RELOADING=1');
    await socket.untilCount('READY=1', 2);
    const said = socket.notices.slice(from).map((notice) => notice.split('\n')[0]);
    expect(said.filter((line) => line !== 'WATCHDOG=1')).toEqual(['RELOADING=1', 'READY=1']);
  });

  test('says that it stops', async () => {
    expect((await daemon.run('server', 'stop')).exitCode).toBe(0);
    expect(await socket.until('STOPPING=1')).toBe('STOPPING=1\nSTATUS=stopping');
  });

  // Where these tests themselves run in a service, what they start is in its cgroup.
  test.skipIf(isInService())(
    'started by hand with the variable of another service is restarted by hand',
    async () => {
      expect((await daemon.run('server', 'start', '-d')).exitCode).toBe(0);
      expect(await daemon.run('server', 'restart', '-d')).toMatchObject({ exitCode: 0, stderr: '' });
    },
  );
});
