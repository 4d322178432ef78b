import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { openListeners } from '../../../../src/master/accept/listener.js';

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

async function open(also: readonly string[]): Promise<{ address: string; count: number }> {
  const at = { host: '127.0.0.1', also, port: 0, backlog: 1 };
  const { servers, address } = await openListeners(at, (_error, handle) => {
    Reflect.get(handle ?? {}, 'close').call(handle);
  });
  onTestFinished(() => {
    for (const server of servers) server.close();
  });
  return { address, count: servers.length };
}

test.skipIf(!hasIpv6)('several addresses have one port', async () => {
  const { address, count } = await open(['::1']);
  expect(count).toBe(2);
  const port = Number(address.split(':').at(-1));
  for (const host of ['127.0.0.1', '::1'])
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.destroy();
        resolve();
      });
    });
});

test('an address that the machine does not have is left out', async () => {
  expect(await open(['203.0.113.77'])).toMatchObject({ count: 1 });
});

test('what else goes wrong with one fails all', async () => {
  const { address } = await open([]);
  const port = Number(address.split(':').at(-1));
  const at = { host: '127.0.0.2', also: ['127.0.0.1'], port, backlog: 1 };
  await expect(openListeners(at, () => {})).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  // The first one was given back.
  const { servers } = await openListeners({ ...at, also: [] }, () => {});
  for (const server of servers) server.close();
});
