import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { holdsSocket, socketInodes, unixSockets } from '../../../../src/platform/instance/kernel-sockets.js';
import { tempFolder } from '../../../support/temp-folder.js';

test('a Unix socket is told with its whole path and whether it listens; this process has it open', async () => {
  const file = path.join(tempFolder(), 'with a blank.sock');
  const server = createServer((connection) => connection.end()).listen(file);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = connect(file);
  onTestFinished(() => void client.destroy());
  await once(client, 'connect');
  const sockets = await unixSockets();
  const listening = sockets.filter((each) => each.path === file && each.listens);
  expect(listening).toEqual([{ inode: expect.stringMatching(/^\d+$/), path: file, listens: true }]);
  const inodes = new Set(listening.map(({ inode }) => inode));
  expect(await holdsSocket(process.pid, inodes)).toBe(true);
  expect(await socketInodes(process.pid)).toEqual(expect.arrayContaining([...inodes]));
  expect(await holdsSocket(process.pid, new Set(['0']))).toBe(false);
  expect(sockets.some((each) => each.path === null && !each.listens)).toBe(true);
});

test('a process that is not there has none open', async () => {
  expect(await socketInodes(2 ** 22 + 1)).toEqual([]);
});
