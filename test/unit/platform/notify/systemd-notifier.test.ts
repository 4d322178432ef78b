import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readServiceManager } from '../../../../src/platform/config/service-manager.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { silentNotifier, type Vitals } from '../../../../src/platform/notify/notifier.js';
import {
  createNotifier,
  SystemdNotifier,
  systemdNotify,
  TRY_AGAIN_MS,
} from '../../../../src/platform/notify/systemd-notifier.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { NotifySocket } from '../../../support/notify-socket.js';
import { outsideProgram } from '../../../support/outside-program.js';
import { recordedLog } from '../../../support/recorded-log.js';

const WELL: Vitals = { healthy: true, status: '2 of 2 Workers ready' };

function notifierWith(options: {
  watchdogMs?: number;
  send?: (words: readonly string[]) => Promise<unknown>;
}) {
  const sent: string[] = [];
  const log = recordedLog();
  const troubles = new Troubles(new FakeClock());
  const notifier = new SystemdNotifier({
    send: async (words) => {
      sent.push(words.join('|'));
      await options.send?.(words);
    },
    watchdogMs: options.watchdogMs ?? null,
    troubles,
    log,
  });
  return { notifier, sent, log, troubles };
}

describe('what the service manager asks for', () => {
  test('is nothing without NOTIFY_SOCKET', () => {
    expect(readServiceManager({ WATCHDOG_USEC: '1000000' }, 7)).toBeNull();
    expect(readServiceManager({ NOTIFY_SOCKET: '' }, 7)).toBeNull();
    const deps = { troubles: new Troubles(new FakeClock()), log: recordedLog() };
    expect(createNotifier(null, deps)).toBe(silentNotifier);
  });

  test('is a sign of life in microseconds, from the process it names', () => {
    const env = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '60000000' };
    expect(readServiceManager(env, 7)).toEqual({ notifySocket: '/run/n', watchdogMs: 60_000 });
    expect(readServiceManager({ ...env, WATCHDOG_PID: '7' }, 7)?.watchdogMs).toBe(60_000);
    expect(readServiceManager({ ...env, WATCHDOG_PID: '8' }, 7)?.watchdogMs).toBeNull();
  });

  test.each(['', '0', '-1', 'soon', '1e400'])('is no sign of life when the time is %j', (time) => {
    const env = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: time };
    expect(readServiceManager(env, 7)?.watchdogMs).toBeNull();
  });
});

describe('notices', () => {
  test('are sent one at a time, in order', async () => {
    let running = 0;
    const { notifier, sent } = notifierWith({
      send: async () => {
        running += 1;
        expect(running).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      },
    });
    notifier.ready();
    notifier.reloading();
    notifier.ready();
    notifier.stopping();
    await notifier.close();
    expect(sent.map((text) => text.split('|')[0])).toEqual([
      'READY=1',
      'RELOADING=1',
      'READY=1',
      'STOPPING=1',
    ]);
    expect(sent[1]).toMatch(/\|MONOTONIC_USEC=\d+\|/);
  });

  test('that fail are a trouble, and what is so then is told again until it gets through', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let fails = true;
    const send = async (): Promise<void> => {
      if (fails) throw new Error('no such socket');
    };
    const { notifier, sent, troubles } = notifierWith({ send });
    notifier.reloading();
    notifier.ready();
    await vi.advanceTimersByTimeAsync(2 * TRY_AGAIN_MS);
    const words = (): string[] => sent.map((text) => text.split('|')[0] ?? '');
    expect(words()).toEqual(['RELOADING=1', 'READY=1', 'READY=1', 'READY=1']);
    expect(troubles.report().now).toMatchObject([{ name: 'notify', failures: 4 }]);
    fails = false;
    await vi.advanceTimersByTimeAsync(3 * TRY_AGAIN_MS);
    expect(words().slice(4)).toEqual(['READY=1']);
    expect(troubles.report().now).toEqual([]);
  });

  test('are tried again also where the program is missing, which is said', async () => {
    const troubles = new Troubles(new FakeClock());
    const send = vi.fn(systemdNotify('/no/such/systemd-notify', '/no/such/socket'));
    const notifier = new SystemdNotifier({ send, watchdogMs: null, troubles, log: recordedLog() });
    notifier.ready();
    notifier.stopping();
    await notifier.close();
    expect(send).toHaveBeenCalledTimes(2);
    expect(troubles.report().now).toMatchObject([
      { text: expect.stringContaining('the program systemd-notify is not in PATH'), failures: 2 },
    ]);
  });

  test('do not pile up behind one that hangs', async () => {
    let letGo: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { notifier, sent } = notifierWith({ send: () => gate });
    for (let i = 0; i < 1000; i += 1) notifier.ready();
    letGo();
    await notifier.close();
    expect(sent.length).toBeLessThan(20);
  });
});

describe('the watchdog', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('beats at half of the time, with the state of the node', async () => {
    const { notifier, sent } = notifierWith({ watchdogMs: 60_000 });
    notifier.startWatchdog(() => WELL);
    await vi.advanceTimersByTimeAsync(90_000);
    notifier.stopWatchdog();
    await vi.advanceTimersByTimeAsync(90_000);
    expect(sent).toEqual(Array.from({ length: 4 }, () => 'WATCHDOG=1|STATUS=2 of 2 Workers ready'));
  });

  test('is silent while the node is not healthy, and says so once', async () => {
    let vitals = WELL;
    const { notifier, sent, log } = notifierWith({ watchdogMs: 60_000 });
    notifier.startWatchdog(() => vitals);
    await vi.advanceTimersByTimeAsync(0);
    vitals = { healthy: false, status: '0 of 2 Workers ready' };
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sent).toHaveLength(1);
    expect(log.lines).toMatchObject([{ level: 'error', event: 'watchdog.withheld' }]);
    vitals = WELL;
    await vi.advanceTimersByTimeAsync(30_000);
    notifier.stopWatchdog();
    expect(sent).toHaveLength(2);
    expect(log.lines.map(({ event }) => event)).toEqual(['watchdog.withheld', 'watchdog.again']);
  });

  test('does not beat where nobody waits for it', async () => {
    const { notifier, sent } = notifierWith({});
    notifier.startWatchdog(() => WELL);
    await vi.advanceTimersByTimeAsync(600_000);
    notifier.ready();
    await notifier.close();
    expect(sent).toEqual(['READY=1|STATUS=2 of 2 Workers ready']);
  });
});

const python = outsideProgram('python3', 'apt-get install python3');
const systemdNotifyProgram = outsideProgram('systemd-notify', 'apt-get install systemd');

test.skipIf(python === null || systemdNotifyProgram === null)(
  'a real socket gets what systemd would get, through the real program',
  async () => {
    const socket = await NotifySocket.open(python ?? '');
    onTestFinished(() => socket.close());
    const log = recordedLog();
    const troubles = new Troubles(new FakeClock());
    const notifier = createNotifier({ notifySocket: socket.path, watchdogMs: 200 }, { troubles, log });
    notifier.startWatchdog(() => WELL);
    notifier.ready();
    expect(await socket.until('READY=1')).toBe('READY=1\nSTATUS=2 of 2 Workers ready');
    expect(await socket.until('WATCHDOG=1')).toBe('WATCHDOG=1\nSTATUS=2 of 2 Workers ready');
    notifier.reloading();
    expect(await socket.until('RELOADING=1')).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$/);
    notifier.stopping();
    await notifier.close();
    expect(await socket.until('STOPPING=1')).toBe('STOPPING=1\nSTATUS=stopping');
    expect(log.lines).toEqual([]);
    expect(troubles.report().failures).toEqual({});
  },
);

test('the program is run also when the folder in which the server was started has been removed', async () => {
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  const folder = mkdtempSync(path.join(tmpdir(), 'spush-'));
  process.chdir(folder);
  // Node remembers it from here on, as in a server.
  process.cwd();
  rmdirSync(folder);
  await systemdNotify('true', '/no/such/socket')(['WATCHDOG=1']);
});
