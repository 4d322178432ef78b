/** Who is said to hold a port that is taken. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { portTaken } from '../../../../src/platform/instance/port-holder.js';
import { freePort } from '../../../support/free-port.js';
import { tempFolder } from '../../../support/temp-folder.js';

/** A program of its own that listens; answers where and as which process. */
async function holder(
  code: string,
  ...words: string[]
): Promise<{ port: number; pid: number; file: string }> {
  const folder = tempFolder({ 'holder.cjs': code });
  const file = path.join(folder, 'holder.cjs');
  const child: ChildProcess = spawn(process.execPath, [file, ...words], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return { port, pid: child.pid ?? 0, file };
}

const listen = (host: string) =>
  `const server = require('node:net').createServer().listen(0, '${host}', () => process.send(server.address().port));`;

test('another program, with its script and no more of its command line', async () => {
  const { port, pid, file } = await holder(listen('127.0.0.1'), '--password=hunter2');
  const error = await portTaken({ host: '127.0.0.1', port }, null);
  expect(error.code).toBe('PORT_TAKEN');
  expect(error.message).toBe(
    `127.0.0.1:${port} is taken by node ${file} (pid ${pid}): stop it, or give this one another port (-p NUMBER, Port or SPUSH_PORT)`,
  );
});

test('one that listens on all addresses is in the way of each', async () => {
  const { port, pid } = await holder(listen('::'));
  expect((await portTaken({ host: '127.0.0.1', port }, null)).message).toContain(`(pid ${pid})`);
  expect((await portTaken({ host: '::1', port }, null)).message).toContain(`[::1]:${port} is taken by node`);
});

test('a server of another mode, with its home', async () => {
  const title = 'spush.night.Master';
  const { port, pid, file } = await holder(
    `const fs = require('node:fs');
     process.title = '${title}';
     fs.mkdirSync('Temp');
     require('node:net').createServer().listen(process.cwd() + '/Temp/night.sock', () => {
       ${listen('0.0.0.0')}
     });`,
    title.padEnd(100),
  );
  const home = path.dirname(file);
  expect((await portTaken({ host: '0.0.0.0', port }, null)).message).toBe(
    `0.0.0.0:${port} is taken by spush itself: mode night runs as pid ${pid} in SPUSH_HOME ${home}. Stop it (SPUSH_HOME=${home} spush server stop -mode=night), or give this one another port (-p NUMBER, Port or SPUSH_PORT)`,
  );
});

test('nobody that can be seen from here', async () => {
  const port = await freePort();
  expect((await portTaken({ host: '127.0.0.1', port }, null)).message).toMatch(
    /is taken by another program, of another user or in another container \("ss -ltnp sport = :\d+" as root/,
  );
});
