import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { callControl } from '../../../src/cli/control-client.js';
import { CONTROL_LINE_BYTES_MAX } from '../../../src/shared/protocol/control-commands.js';
import { tempFolder } from '../../support/temp-folder.js';

/** A control socket that does with each connection what the test says. */
async function server(onRequest: (socket: Socket, request: string) => void) {
  const socket = path.join(tempFolder(), 'x.sock');
  const open = new Set<Socket>();
  const listening = createServer((connection) => {
    open.add(connection);
    connection.on('error', () => open.delete(connection));
    connection.on('data', (chunk) => onRequest(connection, String(chunk)));
  });
  await new Promise<void>((resolve) => listening.listen(socket, resolve));
  onTestFinished(() => {
    for (const connection of open) connection.destroy();
    listening.close();
  });
  return { mode: 'websocket', socket };
}

const answering = (...lines: string[]) =>
  server((socket) => socket.write(lines.map((line) => `${line}\n`).join('')));
const PONG = '{"id":1,"ok":true,"data":{"pid":7,"mode":"websocket"}}';

/** Never reached, but where a test fails. */
const IN_TIME = { deadlineMs: 4000 };

describe('a call', () => {
  test('of many steps may last as long as steps are reported', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const step = '{"id":1,"event":{"text":"a step"}}';
    const target = await answering(step, step, step, PONG);
    const call = (renewedByEvents: boolean) =>
      callControl(
        target,
        'ping',
        {},
        {
          deadlineMs: 1000,
          renewedByEvents,
          onEvent: () => vi.advanceTimersByTime(900),
        },
      );
    expect(await call(true)).toEqual({ pid: 7, mode: 'websocket' });
    await expect(call(false)).rejects.toMatchObject({ code: 'CONTROL_NO_ANSWER' });
  });

  test('is one line with version, id, command and arguments', async () => {
    const requests: string[] = [];
    const target = await server((socket, request) => {
      requests.push(request);
      socket.write('{"id":1,"ok":true,"data":{"name":"Job","result":null,"durationMs":null}}\n');
    });
    const data = await callControl(target, 'crontab.run', { name: 'Job', wait: true }, IN_TIME);
    expect(data).toEqual({ name: 'Job', result: null, durationMs: null });
    expect(requests).toEqual(['{"v":1,"id":1,"cmd":"crontab.run","args":{"name":"Job","wait":true}}\n']);
  });

  test('tells its events in order, also when a line comes in pieces', async () => {
    const target = await server((socket) => {
      const text = `{"id":1,"event":{"text":"one"}}\n{"id":1,"event":{"text":"zwölf"}}\n${PONG}\n`;
      const bytes = Buffer.from(text);
      const write = (at: number) => {
        if (at < bytes.length) socket.write(bytes.subarray(at, at + 7), () => write(at + 7));
      };
      write(0);
    });
    const events: string[] = [];
    const data = await callControl(
      target,
      'ping',
      {},
      { ...IN_TIME, onEvent: ({ text }) => events.push(text) },
    );
    expect(data).toEqual({ pid: 7, mode: 'websocket' });
    expect(events).toEqual(['one', 'zwölf']);
  });

  test('fails with the code that the master gives', async () => {
    const target = await answering(
      '{"id":1,"ok":false,"error":{"code":"CRON_JOB_UNKNOWN","message":"no job X"}}',
    );
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'CRON_JOB_UNKNOWN',
      message: 'no job X',
    });
  });

  test('keeps a code of another version in the text', async () => {
    const target = await answering('{"id":1,"ok":false,"error":{"code":"NEW_CODE","message":"new"}}');
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'NEW_CODE: new',
    });
  });
});

describe('what can go wrong has its own code', () => {
  test('no socket: not running', async () => {
    const socket = path.join(tempFolder(), 'x.sock');
    await expect(callControl({ mode: 'websocket', socket }, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'NOT_RUNNING',
      exitCode: 3,
      message: `mode websocket is not running: there is no control socket at ${socket}`,
    });
  });

  test('a socket nobody listens on: not running', async () => {
    const folder = tempFolder({ 'x.sock': '' });
    const target = { mode: 'websocket', socket: path.join(folder, 'x.sock') };
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'NOT_RUNNING',
      exitCode: 3,
    });
  });

  // Root may connect to everything.
  test.skipIf(process.getuid?.() === 0)('a socket of somebody else: no permission', async () => {
    const target = await answering(PONG);
    chmodSync(target.socket, 0);
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'CONTROL_NO_PERMISSION',
      exitCode: 5,
    });
  });

  test('silence: no answer', async () => {
    const target = await server(() => {});
    await expect(callControl(target, 'ping', {}, { deadlineMs: 50 })).rejects.toMatchObject({
      code: 'CONTROL_NO_ANSWER',
      exitCode: 4,
      message: `the master of mode websocket (${target.socket}) did not answer ping in 50 ms`,
    });
  });

  test('events alone are no answer', async () => {
    const target = await answering('{"id":1,"event":{"text":"one"}}');
    await expect(callControl(target, 'ping', {}, { deadlineMs: 50 })).rejects.toMatchObject({
      code: 'CONTROL_NO_ANSWER',
    });
  });

  test('an end in the middle: the master is gone', async () => {
    const target = await server((socket) => socket.end('{"id":1,"event":{"text":"one"}}\n{"id"'));
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'RPC_PEER_GONE',
      exitCode: 1,
    });
  });

  test.each([
    ['what is not JSON', 'hello'],
    ['what is not of the protocol', '{"id":1,"okay":true}'],
    ['data of another shape', '{"id":1,"ok":true,"data":{"pid":"7"}}'],
    ['a line that is too long', `"${'x'.repeat(CONTROL_LINE_BYTES_MAX)}"`],
  ])('%s: a bad answer', async (_, line) => {
    const target = await answering(line);
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'CONTROL_BAD_ANSWER',
    });
  });

  test('a line without an end is not read for ever', async () => {
    const target = await server((socket) => {
      const more = () => {
        if (!socket.destroyed) socket.write('x'.repeat(65_536), more);
      };
      more();
    });
    await expect(callControl(target, 'ping', {}, IN_TIME)).rejects.toMatchObject({
      code: 'CONTROL_BAD_ANSWER',
      message: expect.stringContaining('longer than'),
    });
  });
});
