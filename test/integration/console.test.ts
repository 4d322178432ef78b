/**
 * A server in the foreground whose standard output nobody reads, or whose reader has gone: it delivers, answers and stops as
 * ever, and its status says that lines are left out.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ServerStatus } from '../../src/shared/protocol/control-commands.js';
import { Daemon } from '../support/daemon.js';
import { outsideProgram } from '../support/outside-program.js';
import { WsClient } from '../support/ws-client.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const EXECUTABLE = path.join(ROOT, 'bin/spush.js');
const UID = 31;

let daemon: Daemon;

beforeAll(async () => {
  const env = { SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1', SPUSH_LOG_LEVEL: 'trace' };
  daemon = await Daemon.prepare({ env });
});

afterAll(() => daemon.dispose());

async function status(): Promise<ServerStatus> {
  const { exitCode, stdout, stderr } = await daemon.run('server', 'status', '--json');
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout) as ServerStatus;
}

const troubles = async (): Promise<string[]> => (await status()).warnings.map(({ trouble }) => trouble);

/** Lines of the log, until the status says what the test waits for. */
async function logUntil(wanted: (troubles: string[]) => boolean): Promise<void> {
  const { pid } = await status();
  const end = performance.now() + 40_000;
  while (performance.now() < end) {
    for (let n = 0; n < 200; n += 1) {
      process.kill(pid, 'SIGUSR1');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (wanted(await troubles())) return;
  }
  throw new Error(`the troubles are ${await troubles()}`);
}

async function untilReady(): Promise<void> {
  const answers = (): Promise<boolean> =>
    daemon.get('/healthz').then(
      ({ status: code }) => code === 200,
      () => false,
    );
  await expect.poll(answers, { timeout: 20_000 }).toBe(true);
  onTestFinished(async () => void (await daemon.run('server', 'stop', '-force')));
}

async function expectDelivery(client: WsClient, nth: number): Promise<void> {
  expect((await daemon.post('/api/comment/message', { uid: UID, title: `n${nth}` })).status).toBe(200);
  await client.untilItems(nth);
  expect(client.closed).toBeNull();
}

function fifo(): string {
  mkdirSync(daemon.home, { recursive: true });
  const file = path.join(daemon.home, 'output');
  rmSync(file, { force: true });
  execFileSync('mkfifo', [file]);
  return file;
}

test('a pipe that nobody reads, and one whose reader goes, cost lines and nothing else', async () => {
  const file = fifo();
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(file, constants.O_WRONLY);
  const child = spawn(process.execPath, [EXECUTABLE, 'server', 'start'], {
    cwd: ROOT,
    env: daemon.environment,
    stdio: ['ignore', writer, writer],
  });
  closeSync(writer);
  onTestFinished(() => void child.kill('SIGKILL'));
  await untilReady();
  const client = await WsClient.login(daemon.wsUrl, UID);
  await logUntil((names) => names.includes('console'));
  await expectDelivery(client, 1);
  // Somebody reads again: the lines that waited come, and then the new ones.
  const chunk = Buffer.alloc(65_536);
  await logUntil((names) => {
    for (let bytes = 1; bytes > 0; ) {
      try {
        bytes = readSync(reader, chunk);
      } catch {
        bytes = 0; // empty for now
      }
    }
    return !names.includes('console');
  });
  closeSync(reader);
  await logUntil((names) => names.includes('console'));
  await expectDelivery(client, 2);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  expect((await daemon.run('server', 'stop')).exitCode).toBe(0);
  expect(await exited).toBe(0);
});

const script = outsideProgram('script', 'apt-get install bsdutils');

test.skipIf(script === null)('a terminal that takes nothing, as after Ctrl-S, stops nothing', async () => {
  // The program reads its terminal until its own output is full.
  const file = fifo();
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(file, constants.O_WRONLY);
  const command = `${process.execPath} ${EXECUTABLE} server start`;
  const child = spawn(script ?? '', ['-qfc', command, '/dev/null'], {
    cwd: ROOT,
    env: { ...daemon.environment, SHELL: '/bin/sh' },
    stdio: ['ignore', writer, writer],
  });
  closeSync(writer);
  onTestFinished(() => {
    child.kill('SIGKILL');
    closeSync(reader);
  });
  await untilReady();
  const client = await WsClient.login(daemon.wsUrl, UID);
  await logUntil((names) => names.includes('console'));
  const before = client.frames.length;
  expect((await daemon.post('/api/comment/message', { uid: UID, title: 'on a terminal' })).status).toBe(200);
  await expect.poll(() => client.frames.length).toBeGreaterThan(before);
  expect((await daemon.run('server', 'stop')).exitCode).toBe(0);
});
