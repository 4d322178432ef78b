import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { takenBytes } from '../../../../src/worker/gateway/taken-bytes.js';
import { until } from '../../../support/http-site.js';

test('this Node tells what the kernel has taken of a write that is under way', async () => {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const reader = connect(port, '127.0.0.1');
  reader.pause();
  const writer = await accepted;
  onTestFinished(() => {
    for (const socket of [reader, writer]) socket.destroy();
    server.close();
  });
  writer.write(Buffer.alloc(32 * 1024 * 1024));
  const whole = (): number => writer.bytesWritten - writer.writableLength;
  const before = [whole(), takenBytes(writer)];
  let read = 0;
  reader.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > 4 * 1024 * 1024) reader.pause();
  });
  reader.resume();
  await until(() => takenBytes(writer) > (before[1] ?? 0));
  expect(whole()).toBe(before[0]);
  expect(takenBytes(writer)).toBeLessThan(32 * 1024 * 1024);
});
