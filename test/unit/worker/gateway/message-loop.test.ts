import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import { systemSchema } from '../../../../src/platform/config/config-schema.js';
import type { Log, LogFields } from '../../../../src/platform/log/log.js';
import { silentLog } from '../../../../src/platform/log/log.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { UnreadCounts } from '../../../../src/shared/domain/message.js';
import type { CommandDeps } from '../../../../src/worker/gateway/commands/command-context.js';
import { AT_ONCE_MAX, FrameTurns } from '../../../../src/worker/gateway/frame-turns.js';
import { MessageLoop, RUNNING_MAX } from '../../../../src/worker/gateway/message-loop.js';
import { createWorkerStats } from '../../../../src/worker/worker-stats.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { type FakeConnection, fakeSession } from '../../../support/fake-connection.js';

const clock = new FakeClock();
let loop: MessageLoop;
let connection: FakeConnection;
let logged: string[];
let unreadFault: Error | null;
let unread: () => Promise<UnreadCounts>;

const NO_UNREAD: UnreadCounts = { comment: 0, userNotice: 0, systemNotice: 0, total: 0 };

beforeEach(() => {
  logged = [];
  unreadFault = null;
  unread = async () => NO_UNREAD;
  const session = fakeSession(clock);
  session.data.login = { uid: 7, channel: 'web', keyDigest: '', device: null, ack: true, since: 0 };
  connection = session.connection;
  const log: Log = { ...silentLog, error: (event) => logged.push(event) };
  const deps = {
    store: {
      async unread() {
        if (unreadFault) throw unreadFault;
        return await unread();
      },
    },
    system: () => systemSchema.parse({ CommandsBurst: 20, CommandsPerSecond: 1 }),
    frames: new FrameTurns(systemClock),
    stats: createWorkerStats(),
    clock,
    log,
    seldom: { warn: (event: string, fields: LogFields) => logged.push(`${event} ${JSON.stringify(fields)}`) },
  } as unknown as CommandDeps;
  loop = new MessageLoop(session, deps, null);
});

function say(value: unknown): void {
  loop.onMessage(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), false);
}

const PING = { cmd: 'ping', id: 'p', ts: 1 };

async function replies(count: number): Promise<FakeConnection['sent']> {
  await expect.poll(() => connection.sent.length).toBe(count);
  return connection.sent;
}

describe('the message loop', () => {
  test('answers each request by its id', async () => {
    say({ ...PING, id: 'a' });
    say({ ...PING, id: 'b' });
    expect(await replies(2)).toMatchObject([
      { cmd: 'ping', id: 'a', code: 200, body: {} },
      { cmd: 'ping', id: 'b', code: 200, body: {} },
    ]);
  });

  test('closes after ten unreadable frames in a row, not after ten with a good one between', async () => {
    for (let n = 0; n < 9; n += 1) say('x');
    say(PING);
    for (let n = 0; n < 9; n += 1) say('x');
    await replies(19);
    expect(connection.ended).toBeNull();
    say('x');
    await expect.poll(() => connection.ended).toMatchObject({ code: 1008, retryAfter: null });
  });

  test('an unknown command is no unreadable frame', () => {
    for (let n = 0; n < 15; n += 1) say({ ...PING, cmd: 'x' });
    expect(connection.ended).toBeNull();
  });

  test('answers 429 above the rate, and goes on below it', async () => {
    for (let n = 0; n < 25; n += 1) say(PING);
    const codes = (await replies(25)).map(({ code }) => code);
    expect(codes.filter((code) => code === 429)).toHaveLength(5);
    clock.advance(1000);
    say({ ...PING, id: 'later' });
    expect((await replies(26)).at(-1)).toMatchObject({ id: 'later', code: 200 });
  });

  test('runs a few commands at a time; the others wait, and nothing is read meanwhile', async () => {
    const counts: (() => void)[] = [];
    unread = () => new Promise((resolve) => counts.push(() => resolve(NO_UNREAD)));
    for (let n = 0; n < 10; n += 1) say({ cmd: 'unread', id: `u${n}`, ts: 1 });
    expect([counts.length, loop.running, connection.reading]).toEqual([RUNNING_MAX, 10, false]);
    counts[0]?.();
    await replies(1);
    expect([counts.length, loop.running, connection.reading]).toEqual([RUNNING_MAX + 1, 9, false]);
    for (let n = 1; n < 10; n += 1) {
      await expect.poll(() => counts.length).toBeGreaterThan(n);
      counts[n]?.();
    }
    expect((await replies(10)).map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `u${n}`));
    await expect.poll(() => [loop.running, connection.reading]).toEqual([0, true]);
  });

  test('a client that is held back stays so when somebody else has begun to read it again', async () => {
    for (let n = 0; n < AT_ONCE_MAX + 4; n += 1) say('{"cmd":"x","id":"x","ts":1}');
    expect(connection.reading).toBe(false);
    connection.resume();
    loop.readOn();
    expect(connection.reading).toBe(false);
    await replies(AT_ONCE_MAX + 4);
    expect(connection.reading).toBe(true);
  });

  test('a long frame counts as many: the next of its connection waits for its turn', async () => {
    say(`{"cmd":"x","id":"${'x'.repeat(1024 * AT_ONCE_MAX)}","ts":1}`);
    say('{"cmd":"x","id":"x","ts":1}');
    expect([connection.sent.length, connection.reading]).toEqual([1, false]);
    await replies(2);
  });

  test('many frames that come at once are looked at in turns', async () => {
    for (let n = 0; n < AT_ONCE_MAX + 4; n += 1) say('{"cmd":"x","id":"x","ts":1}');
    expect([connection.sent.length, loop.running, connection.reading]).toEqual([AT_ONCE_MAX, 4, false]);
    await replies(AT_ONCE_MAX + 4);
    await expect.poll(() => [loop.running, connection.reading]).toEqual([0, true]);
  });

  test('begins none while its client does not take what it was sent', async () => {
    connection.slow = true;
    for (let n = 0; n < 3; n += 1) say(PING);
    expect([connection.sent.length, loop.running, connection.reading]).toEqual([0, 3, false]);
    connection.drain();
    await replies(3);
    await expect.poll(() => [loop.running, connection.reading]).toEqual([0, true]);
  });

  test('drops what waits when the connection is gone', async () => {
    let counts = 0;
    let answer = (): void => {};
    unread = () => {
      counts += 1;
      return new Promise((resolve) => {
        answer = () => resolve(NO_UNREAD);
      });
    };
    for (let n = 0; n < 10; n += 1) say({ cmd: 'unread', id: 'u', ts: 1 });
    connection.open = false;
    answer();
    await expect.poll(() => loop.running).toBe(RUNNING_MAX - 1);
    expect([counts, connection.sent.length]).toEqual([RUNNING_MAX, 0]);
  });

  test('a command that was dropped because its connection is gone is not in the log', async () => {
    unread = async () => {
      connection.open = false;
      throw new SpushError('SHUTTING_DOWN', 'the connection is closed');
    };
    say({ cmd: 'unread', id: 'u', ts: 1 });
    await expect.poll(() => loop.running).toBe(0);
    expect([logged, connection.sent]).toEqual([[], []]);
  });

  test('a store that is away is 503; where it is stands in the log alone', async () => {
    unreadFault = new SpushError('STORE_UNAVAILABLE', 'the store /srv/x.db of user root@10.0.0.5 is away', {
      detail: { host: '10.0.0.5' },
    });
    say({ cmd: 'unread', id: 'u', ts: 1 });
    const [reply] = await replies(1);
    expect(reply).toMatchObject({
      cmd: 'unread',
      id: 'u',
      code: 503,
      msg: 'the store cannot be reached at the moment: nothing was accepted, try again',
      body: {},
    });
    expect(JSON.stringify(reply)).not.toMatch(/srv|root|10\.0/);
    expect(logged).toEqual([expect.stringMatching(/^gateway\.unavailable .*\/srv\/x\.db/)]);
  });

  test('what is the client’s own fault is told as it is', async () => {
    unreadFault = new SpushError('UNAUTHORIZED', 'log in first', { detail: { hint: 1 } });
    say({ cmd: 'unread', id: 'u', ts: 1 });
    expect(await replies(1)).toMatchObject([{ code: 401, msg: 'log in first', body: { hint: 1 } }]);
  });

  test('a bug of ours is 500 for one command, in the log, and nothing else', async () => {
    unreadFault = new TypeError('secret detail');
    say({ cmd: 'unread', id: 'u', ts: 1 });
    const [reply] = await replies(1);
    expect(reply).toMatchObject({ code: 500 });
    expect(JSON.stringify(reply)).not.toContain('secret detail');
    expect(logged).toEqual(['gateway.command-failed']);
    say(PING);
    expect((await replies(2)).at(-1)).toMatchObject({ code: 200 });
  });
});
