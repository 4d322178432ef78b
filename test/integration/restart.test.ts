import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Daemon, freePort } from '../support/daemon.js';

const EXECUTABLE = path.resolve(import.meta.dirname, '../../bin/spush.js');

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.prepare({ env: { SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' } });
});

afterAll(async () => {
  await daemon.run('server', 'stop', '-force');
  await daemon.dispose();
});

async function status(): Promise<{ listen: string; maxLinkNumber: number }> {
  return JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
}

test('a restart keeps what the start was given on the command line, unless it is given anew', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const started = await daemon.run('server', 'start', '-d', `--port=${first}`, '--set', 'MaxLinkNumber=55');
  expect(started.exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${first}`, maxLinkNumber: 55 });
  expect((await daemon.run('server', 'restart')).exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${first}`, maxLinkNumber: 55 });
  expect((await daemon.run('server', 'restart', `--port=${second}`)).exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${second}`, maxLinkNumber: 55 });
});

interface Shell {
  readonly openFiles?: number;
  /** Beside those of the start. */
  readonly [variable: `SPUSH_${string}`]: string;
}

/** In a shell with few open files, or other variables than those of the start. */
function restart(
  { openFiles = 1024, ...variables }: Shell,
  ...options: string[]
): Promise<{ exitCode: number; stderr: string }> {
  const line = ['-c', 'ulimit -n "$0"; exec "$@"', String(openFiles), process.execPath, EXECUTABLE];
  const words = [...line, 'server', 'restart', ...options];
  const env = { ...daemon.environment, ...variables };
  return new Promise((resolve) => {
    execFile('/bin/sh', words, { env }, (error, _stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

test('what a restart changes that no file says is told before the stop', async () => {
  const keys = '{"caller":"0123456789abcdef0123456789abcdef"}';
  const first = await restart({ SPUSH_IDLE_SECONDS: '90', SPUSH_API_KEYS: keys });
  expect(first).toEqual({
    exitCode: 0,
    stderr: [
      'note: this restart also changes',
      '  IdleSeconds: 180 s → 90 s (SPUSH_IDLE_SECONDS says so here)',
      '  api.keys: nothing → *** (SPUSH_API_KEYS says so here)',
      '',
    ].join('\n'),
  });
  expect((await daemon.run('config', 'set', 'ResendSeconds', '7')).exitCode).toBe(0);
  const again = { SPUSH_IDLE_SECONDS: '90', SPUSH_API_KEYS: keys.replace('0', '1') };
  expect((await restart(again)).stderr.split('\n').slice(1, -1).sort()).toEqual([
    expect.stringMatching(/^ {2}ResendSeconds: 7 s → \d+ s \(it was set with "spush config set"\)$/),
    '  api.keys: another value (SPUSH_API_KEYS says so here)',
  ]);
  expect((await restart({})).stderr.split('\n').slice(1, -1).sort()).toEqual([
    '  IdleSeconds: 90 s → 180 s (SPUSH_IDLE_SECONDS was set where the server was started, and is not set here)',
    '  api.keys: *** → nothing (SPUSH_API_KEYS was set where the server was started, and is not set here)',
  ]);
  expect(await restart({})).toEqual({ exitCode: 0, stderr: '' });
});

describe('what would keep it from starting is said while it still runs:', () => {
  async function pid(): Promise<number> {
    const { pid, error } = JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
    expect(error, 'it runs').toBeUndefined();
    return pid;
  }

  /** Another program at this address, until the test is over. */
  async function listenAt(host: string, port: number): Promise<void> {
    const server = createServer().listen({ host, port });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
  }

  test('an address that the machine does not have', async () => {
    const before = await pid();
    const { exitCode, stderr } = await restart({ SPUSH_HOST: '192.0.2.1' });
    expect(stderr).toContain('cannot listen on 192.0.2.1:');
    expect(exitCode).toBe(1);
    expect(await pid()).toBe(before);
  });

  test('a program at another address of the port, where all of them are wanted', async () => {
    const before = await pid();
    const { listen } = await status();
    const port = Number(listen.split(':')[1]);
    await listenAt('127.0.0.2', port);
    const { exitCode, stderr } = await restart({ SPUSH_HOST: '0.0.0.0' });
    expect(stderr).toContain(`0.0.0.0:${port} is taken by node`);
    expect(stderr).toContain(`(pid ${process.pid})`);
    expect(exitCode).toBe(1);
    expect(await pid()).toBe(before);
    // It is in nobody's way where the server is.
    expect((await restart({})).exitCode).toBe(0);
    expect(await pid()).not.toBe(before);
  });

  test('another port that is taken', async () => {
    const before = await pid();
    const port = await freePort();
    await listenAt('127.0.0.1', port);
    const { exitCode, stderr } = await restart({}, `--port=${port}`);
    expect(stderr).toContain(`127.0.0.1:${port} is taken by node`);
    expect(exitCode).toBe(1);
    expect(await pid()).toBe(before);
  });

  test('too few open files', async () => {
    const before = await pid();
    const { exitCode, stderr } = await restart({ openFiles: 100 });
    expect(stderr).toContain('a process may have 100 open files; spush needs');
    expect(exitCode).toBe(1);
    expect(await pid()).toBe(before);
  });
});
