/** Whole connections, over loopback, from one process to another and on to a third. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { textOfClient } from './client-frames.js';
import { RawClient } from './raw-client.js';

interface Said {
  readonly t: string;
  readonly port: number;
  readonly head: string;
  readonly from: string;
  readonly connections: number;
  readonly closedEvents: number;
}

const children: ChildProcess[] = [];
const clients: RawClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

it('gives connections on, through a process in the middle, without a lost or doubled byte', async () => {
  const [a, b, c] = await Promise.all([start('a'), start('b'), start('c')]);
  const port = (await ask(a, { t: 'serve' })).said.port;
  const count = 12;
  const texts = (client: number): string[] =>
    Array.from(
      { length: 40 },
      (_, i) => `${client}.${i}.${'x'.repeat([0, 1, 120, 126, 3000, 70_000][i % 6] ?? 0)}`,
    );
  for (let i = 0; i < count; i += 1) clients.push(await RawClient.open(port));
  const feeding = clients.map((client, i) =>
    feed(client, Buffer.concat(texts(i).map(textOfClient)), 500 + i * 977),
  );
  for (let i = 0; i < count; i += 1) expect((await give(a, b)).from).toBe(clients[i]?.from);
  for (let i = 0; i < count; i += 1) expect((await give(b, c)).from).toBe(clients[i]?.from);
  await Promise.all(feeding);
  for (const [i, client] of clients.entries()) {
    await client.until(() => client.texts.length >= 40);
    expect(client.texts.map((text) => text.slice(1))).toEqual(texts(i));
    expect(client.texts.map((text) => text[0]).join('')).toMatch(/^a*b*c*$/);
  }
  for (const client of clients) {
    client.socket.write(textOfClient('last'));
    await client.until(() => client.texts.length > 40);
    expect(client.texts.slice(40)).toEqual(['clast']);
    expect(client.trouble).toEqual([]);
  }
  const { said } = await ask(a, { t: 'closeServer' });
  expect(said).toMatchObject({ t: 'serverClosed', closedEvents: 0 });
  expect(clients.flatMap(({ trouble }) => trouble)).toEqual([]);
});

it('cuts a frame at every byte on its way to the next process', async () => {
  const [a, b] = await Promise.all([start('a'), start('b')]);
  const port = (await ask(a, { t: 'serve' })).said.port;
  const client = await RawClient.open(port);
  clients.push(client);
  // Back and forth: each process has read one byte more of it when it gives it on.
  const frame = textOfClient('half a frame');
  let [from, to] = [a, b];
  for (const byte of frame) {
    client.socket.write(Buffer.from([byte]));
    await give(from, to);
    [from, to] = [to, from];
  }
  await client.until(() => client.texts.length > 0);
  expect(client.texts).toHaveLength(1);
  expect(client.texts[0]?.slice(1)).toBe('half a frame');
  expect(client.trouble).toEqual([]);
});

it('counts one connection less on the old side, whose end does not disturb the new one', async () => {
  const [a, b] = await Promise.all([start('a'), start('b')]);
  const port = (await ask(a, { t: 'serve' })).said.port;
  clients.push(await RawClient.open(port), await RawClient.open(port));
  const { connections } = await give(a, b);
  expect(connections).toBe(1);
  await give(a, b);
  a.kill('SIGKILL');
  await once(a, 'exit');
  for (const client of clients) {
    client.socket.write(textOfClient('still there'));
    await client.until(() => client.texts.length > 0);
    expect(client.texts).toEqual(['bstill there']);
    expect(client.trouble).toEqual([]);
  }
});

it('leaves the connection alive in a process in the middle that does not hold on to the handle', async () => {
  const collect = garbageCollector();
  const [a, b] = await Promise.all([start('a'), start('b')]);
  const port = (await ask(a, { t: 'serve' })).said.port;
  const client = await RawClient.open(port);
  clients.push(client);
  let head = '';
  const weak = await (async () => {
    const { said, handle } = await ask(a, { t: 'leave' });
    head = said.head;
    return new WeakRef(handle as object);
  })();
  // The old process is gone and nothing here refers to the handle: it alone keeps the connection.
  a.kill('SIGKILL');
  await once(a, 'exit');
  client.socket.write(textOfClient('on the way'));
  for (let i = 0; i < 5; i += 1) {
    await new Promise(setImmediate);
    collect();
  }
  const handle = weak.deref() as SendHandle & { close(): void };
  expect(handle).toBeDefined();
  await ask(b, { t: 'adopt', head }, handle);
  handle.close();
  await client.until(() => client.texts.length > 0);
  expect(client.texts).toEqual(['bon the way']);
  expect(client.trouble).toEqual([]);
});

it('lets a client end the connection while nobody reads it: the new side finds the end', async () => {
  const [a, b] = await Promise.all([start('a'), start('b')]);
  const port = (await ask(a, { t: 'serve' })).said.port;
  const client = await RawClient.open(port);
  clients.push(client);
  const { said, handle } = await ask(a, { t: 'leave' });
  client.socket.end(textOfClient('the last words'));
  await ask(b, { t: 'adopt', head: said.head }, handle as SendHandle);
  (handle as unknown as { close(): void }).close();
  await ask(a, { t: 'adopted' });
  await client.until(() => client.trouble.includes('close'));
  expect(client.texts).toEqual(['bthe last words']);
});

async function start(name: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('handoff-child.mjs', import.meta.url)), [name], { execArgv: [] });
  children.push(child);
  await once(child, 'message');
  return child;
}

async function ask(
  child: ChildProcess,
  message: object,
  handle?: SendHandle,
): Promise<{ said: Said; handle: unknown }> {
  child.send(message, handle);
  const [said, answered] = await once(child, 'message');
  return { said, handle: answered };
}

/** This process is the one in the middle. */
async function give(from: ChildProcess, to: ChildProcess): Promise<{ from: string; connections: number }> {
  const { said, handle } = await ask(from, { t: 'leave' });
  const adopted = await ask(to, { t: 'adopt', head: said.head }, handle as SendHandle);
  (handle as { close(): void }).close();
  const gone = await ask(from, { t: 'adopted' });
  expect(gone.said.closedEvents).toBe(0);
  return { from: adopted.said.from, connections: gone.said.connections };
}

/** The first bytes one at a time, the others in pieces of `size`. */
async function feed(client: RawClient, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const next = at < 30 ? at + 1 : at + size;
    const room = client.socket.write(bytes.subarray(at, next));
    at = next;
    if (room) await new Promise(setImmediate);
    else await once(client.socket, 'drain');
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
