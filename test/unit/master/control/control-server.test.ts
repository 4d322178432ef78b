import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlHandlers } from '../../../../src/master/control/control-handlers.js';
import { ControlServer } from '../../../../src/master/control/control-server.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { ControlClient } from '../../../support/control-client.js';
import { deferred } from '../../../support/deferred.js';
import { recordedLog } from '../../../support/recorded-log.js';

describe('the control server', () => {
  const log = recordedLog();
  let folder: string;
  let path: string;
  let listener: Server;
  let control: ControlServer;
  const clients: ControlClient[] = [];
  let stop = deferred();

  const notAsked = (): Promise<never> => Promise.reject(new Error('not asked in these tests'));
  const handlers: ControlHandlers = {
    'server.reload': notAsked,
    'process.show': notAsked,
    'process.kill': notAsked,
    'crontab.show': notAsked,
    'crontab.stop': notAsked,
    'crontab.resume': notAsked,
    'crontab.reset': notAsked,
    'task.status': notAsked,
    'task.reboot': notAsked,
    'log.reopen': notAsked,
    'user.show': notAsked,
    'message.show': notAsked,
    'config.set': notAsked,
    'config.show': notAsked,
    ping: async () => ({ pid: 42, mode: 'm' }),
    'server.status': () => Promise.reject(new TypeError('a bug of ours')),
    'server.stop': async (_args, progress) => {
      progress({ text: 'one' });
      await stop.promise;
      progress({ text: 'two' });
      return { pid: 42 };
    },
    'crontab.run': async ({ name, wait }) => {
      if (name !== 'Job') throw new SpushError('CRON_JOB_UNKNOWN', `there is no job "${name}"`);
      return { name, result: { wait }, durationMs: null };
    },
  };

  const client = (): ControlClient => {
    const made = new ControlClient(path);
    clients.push(made);
    return made;
  };

  beforeEach(async () => {
    stop = deferred();
    folder = mkdtempSync(join(tmpdir(), 'spush-control-'));
    path = join(folder, 's.sock');
    control = new ControlServer(handlers, log);
    listener = createServer((socket) => control.accept(socket));
    await new Promise<void>((resolve) => listener.listen(path, resolve));
  });

  afterEach(async () => {
    for (const each of clients.splice(0)) each.close();
    listener.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers a request with its id', async () => {
    const c = client();
    c.send({ id: 7, cmd: 'ping' });
    expect(await c.next()).toEqual({ id: 7, ok: true, data: { pid: 42, mode: 'm' } });
  });

  it('sends many events, then one answer, and serves other requests of the connection meanwhile', async () => {
    const c = client();
    c.send({ id: 1, cmd: 'server.stop' });
    c.send({ id: 2, cmd: 'ping' });
    expect(await c.next()).toEqual({ id: 1, event: { text: 'one' } });
    expect(await c.next()).toMatchObject({ id: 2, ok: true });
    stop.resolve();
    expect(await c.next()).toEqual({ id: 1, event: { text: 'two' } });
    expect(await c.next()).toEqual({ id: 1, ok: true, data: { pid: 42 } });
  });

  it('fills in what may be left out of the arguments, and says what is wrong with others', async () => {
    const c = client();
    expect((await c.ask({ cmd: 'crontab.run', args: { name: 'Job' } })).answer.data).toEqual({
      name: 'Job',
      result: { wait: false },
      durationMs: null,
    });
    const { error } = (await c.ask({ cmd: 'crontab.run', args: { name: 7 } })).answer;
    expect(error.code).toBe('CONTROL_BAD_REQUEST');
    expect(error.message).toContain('name:');
  });

  it('answers an expected error with its code, and a bug of ours as INTERNAL, in the log with its stack', async () => {
    const c = client();
    expect((await c.ask({ cmd: 'crontab.run', args: { name: 'x' } })).answer.error).toEqual({
      code: 'CRON_JOB_UNKNOWN',
      message: 'there is no job "x"',
    });
    expect((await c.ask({ cmd: 'server.status' })).answer.error.code).toBe('INTERNAL');
    expect(log.lines.find(({ event }) => event === 'control.fault')?.fields['stack']).toContain('TypeError');
  });

  it.each(['server.sttaus', 'status', 'Ping'])('offers the nearest names for %s', async (cmd) => {
    const { error } = (await client().ask({ cmd })).answer;
    expect(error.code).toBe('CONTROL_COMMAND_UNKNOWN');
    expect(error.message).toContain('Did you mean');
  });

  it.each(['__proto__', 'constructor', 'toString'])('knows no command %s', async (cmd) => {
    expect((await client().ask({ cmd })).answer.error.code).toBe('CONTROL_COMMAND_UNKNOWN');
  });

  it.each([
    ['no JSON', 'hello\n', 0],
    ['an empty line', '\n', 0],
    ['a list', '[1]\n', 0],
    ['another version', '{"v":2,"id":5,"cmd":"ping"}\n', 5],
    ['an id that is no number', '{"v":1,"id":"x","cmd":"ping"}\n', 0],
    ['no command', '{"v":1,"id":6}\n', 6],
    ['arguments that are no object', '{"v":1,"id":8,"cmd":"ping","args":[1]}\n', 8],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a]).toString('latin1'), 0],
  ])('answers %s with CONTROL_BAD_REQUEST and goes on', async (_what, line, id) => {
    const c = client();
    c.send(line);
    expect(await c.next()).toMatchObject({ id, ok: false, error: { code: 'CONTROL_BAD_REQUEST' } });
    expect((await c.ask({ cmd: 'ping' })).answer.ok).toBe(true);
  });

  it('takes a line of 1 MiB, and closes on a longer one', async () => {
    const c = client();
    const request = (bytes: number): string => {
      const [head, tail] = ['{"v":1,"id":1,"cmd":"ping","args":{"pad":"', '"}}\n'];
      return head + 'x'.repeat(bytes - head.length - tail.length + 1) + tail;
    };
    c.send(request(1_048_576));
    expect((await c.next()).ok).toBe(true);
    c.send(request(1_048_577));
    expect(await c.next()).toMatchObject({ ok: false, error: { code: 'CONTROL_BAD_REQUEST' } });
    expect(await c.next()).toBeNull();
  });

  it('closes the connection that was used longest ago for one more, never one with a request under way', async () => {
    const busy = client();
    busy.send({ id: 1, cmd: 'server.stop' });
    await busy.next();
    const idle = client();
    await idle.ask({ cmd: 'ping' });
    const used = client();
    for (let i = 3; i < 64; i += 1) await client().ask({ cmd: 'ping' });
    await used.ask({ cmd: 'ping' });
    expect((await client().ask({ cmd: 'ping' })).answer?.ok).toBe(true);
    expect(await idle.next()).toBeNull();
    expect((await used.ask({ cmd: 'ping' })).answer?.ok).toBe(true);
    stop.resolve();
    expect(await busy.next()).toMatchObject({ event: { text: 'two' } });
  });

  it('refuses one more when each has a request under way, and has room again when one leaves', async () => {
    const all = Array.from({ length: 64 }, () => client());
    for (const each of all) {
      each.send({ id: 1, cmd: 'server.stop' });
      await each.next();
    }
    expect(await client().next()).toMatchObject({ ok: false, error: { code: 'RPC_BUSY' } });
    const [first] = all;
    const closed = new Promise((resolve) => first?.socket.once('close', resolve));
    first?.close();
    await closed;
    await expect.poll(async () => (await client().ask({ cmd: 'ping' })).answer?.ok).toBe(true);
  });

  it('bounds the requests under way on a connection', async () => {
    const c = client();
    for (let id = 1; id <= 33; id += 1) c.send({ id, cmd: 'server.stop' });
    const seen: { error?: { code: string } }[] = [];
    for (let line = await c.next(); line !== null; line = await c.next()) seen.push(line);
    expect(seen.at(-1)?.error?.code).toBe('RPC_BUSY');
    stop.resolve();
  });

  it('harms nothing when a client leaves in the middle', async () => {
    const leaver = client();
    leaver.send({ id: 1, cmd: 'server.stop' });
    await leaver.next();
    leaver.socket.destroy();
    stop.resolve();
    expect((await client().ask({ cmd: 'ping' })).answer.ok).toBe(true);
  });

  it('gives the last answer its way out before it closes', async () => {
    const c = client();
    c.send({ id: 1, cmd: 'server.stop' });
    await c.next();
    stop.resolve();
    await control.close();
    expect(await c.next()).toEqual({ id: 1, event: { text: 'two' } });
    expect(await c.next()).toEqual({ id: 1, ok: true, data: { pid: 42 } });
    expect(await c.next()).toBeNull();
  });
});
