/** What is said of a port before a running server is stopped for another, with sockets of this very process as its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { refuseImpossibleListening } from '../../../src/cli/port-check.js';
import { freePort } from '../../support/free-port.js';
import { runProgram } from '../../support/programs.js';
import { testConfig } from '../../support/test-config.js';

/** This process listens here until the test is over. */
async function listenAt(host: string, port: number): Promise<void> {
  const server = createServer().listen({ host, port });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
}

async function configAt(host: string, port: number) {
  const config = await testConfig();
  return { ...config, system: { ...config.system, Host: host, Port: port } };
}

test('what the server that leaves holds itself will be free', async () => {
  const port = await freePort();
  await listenAt('127.0.0.1', port);
  for (const host of ['127.0.0.1', '0.0.0.0', '::', '127.0.0.2']) {
    await expect(refuseImpossibleListening(await configAt(host, port), process.pid)).resolves.toBeUndefined();
  }
});

test.each([
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.2', '0.0.0.0', true],
  ['127.0.0.2', '127.0.0.1', false],
  ['0.0.0.0', '127.0.0.1', true],
  ['127.0.0.1', '::', true],
  ['::1', '127.0.0.1', false],
])('another program at %s, wanted %s: refused %s', async (taken, wanted, isRefused) => {
  const { line, pid } = await runProgram(
    `const server = require('node:net').createServer().listen(0, '${taken}', () => console.log(server.address().port));`,
  );
  const port = Number(await line());
  const checked = refuseImpossibleListening(await configAt(wanted, port), process.pid);
  if (!isRefused) await expect(checked).resolves.toBeUndefined();
  else
    await expect(checked).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`(pid ${pid})`),
    });
});

test('nothing is said of a server whose sockets are not shown', async () => {
  // It has none at all.
  const { pid = 0 } = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void process.kill(pid));
  const port = await freePort();
  await listenAt('127.0.0.1', port);
  await expect(refuseImpossibleListening(await configAt('127.0.0.1', port), pid)).resolves.toBeUndefined();
});
