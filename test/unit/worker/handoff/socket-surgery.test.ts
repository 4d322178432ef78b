/** Taking out and putting back in one process, over loopback. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  buildWebSocket,
  canTravel,
  closeCopy,
  outputDrained,
  putBack,
  startReading,
  stopReading,
  takeOut,
} from '../../../../src/worker/handoff/socket-surgery.js';
import { clientFrame, textOfClient } from './client-frames.js';
import { RawClient } from './raw-client.js';

const wss = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: 100_000 });
let server: Server;
let client: RawClient;
let socket: Socket;
let ws: WebSocket;
let texts: string[];
let closes: number[];

beforeEach(async () => {
  texts = [];
  closes = [];
  server = createServer();
  const upgraded = new Promise<void>((resolve) => {
    server.on('upgrade', (req, upgradedSocket, head) => {
      wss.handleUpgrade(req, upgradedSocket, head, (opened) => {
        socket = upgradedSocket as Socket;
        ws = opened;
        listen(ws, 0);
        resolve();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = await RawClient.open((server.address() as AddressInfo).port);
  await upgraded;
});

afterEach(() => {
  client.socket.destroy();
  socket.destroy();
  server.close();
});

describe('taking a connection out and putting it back', () => {
  it('loses and doubles nothing, byte by byte and at any moment', async () => {
    const sent = Array.from({ length: 12 }, (_, i) => `${i}:${'é'.repeat(i * 11)}`);
    const feeding = (async () => {
      for (const byte of Buffer.concat(sent.map(textOfClient))) {
        client.socket.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
    })();
    await moveUntil(() => texts.length >= sent.length);
    await feeding;
    expect(texts).toEqual(sent);
    expect(client.trouble).toEqual([]);
    expect(closes).toEqual([]);
  });

  it('loses and doubles nothing of big frames that arrive faster than they are parsed', async () => {
    const sent = Array.from({ length: 150 }, (_, i) => `${i}:${'x'.repeat((i * 7919) % 99_000)}`);
    client.socket.write(Buffer.concat(sent.map(textOfClient)));
    await moveUntil(() => texts.length >= sent.length);
    expect(texts).toEqual(sent);
    expect(client.trouble).toEqual([]);
  });

  it('is not undone by the drain of the old receiver', async () => {
    const receiver = Reflect.get(ws, '_receiver') as NodeJS.EventEmitter;
    const { head } = takeOut(ws, socket);
    receiver.emit('drain');
    client.socket.write(textOfClient('kept'));
    await loopTurns(5);
    expect(socket.readableFlowing).toBe(false);
    ws = putBack(socket, head, wss);
    listen(ws, 1);
    startReading(ws, socket);
    while (texts.length < 1) await new Promise(setImmediate);
    expect(texts).toEqual(['kept']);
  });

  it('leaves a dead ws that does nothing and says nothing', async () => {
    const dead = ws;
    let events = 0;
    for (const event of ['message', 'close', 'error', 'ping', 'pong'])
      dead.on(event, () => {
        events += 1;
      });
    const { head } = takeOut(dead, socket);
    dead.send('no');
    dead.ping();
    dead.close(1000);
    dead.terminate();
    dead.resume();
    dead.pause();
    expect(dead.readyState).toBe(dead.CLOSED);
    client.socket.write(textOfClient('hello'));
    ws = putBack(socket, head, wss);
    listen(ws, 1);
    startReading(ws, socket);
    ws.send('answer');
    await client.until(() => client.texts.length > 0);
    expect(client.texts).toEqual(['answer']);
    while (texts.length < 1) await new Promise(setImmediate);
    expect(texts).toEqual(['hello']);
    ws.terminate();
    await once(ws, 'close');
    expect(events).toBe(0);
  });

  it('reads nothing before it is told to, and then all of it', async () => {
    const half = textOfClient('half');
    const before = socket.bytesRead;
    client.socket.write(half.subarray(0, 5));
    while (socket.bytesRead < before + 5) await new Promise(setImmediate);
    const { head } = takeOut(ws, socket);
    expect(head.equals(half.subarray(0, 5))).toBe(true);
    const read = socket.bytesRead;
    ws = putBack(socket, head, wss);
    listen(ws, 1);
    client.socket.write(Buffer.concat([half.subarray(5), textOfClient('next')]));
    await loopTurns(20);
    expect(socket.bytesRead).toBe(read);
    expect(texts).toEqual([]);
    startReading(ws, socket);
    while (texts.length < 2) await new Promise(setImmediate);
    expect(texts).toEqual(['half', 'next']);
  });

  it('survives a client that resets the connection in between', async () => {
    const { head } = takeOut(ws, socket);
    client.socket.resetAndDestroy();
    await loopTurns(20);
    ws = putBack(socket, head, wss);
    listen(ws, 1);
    ws.on('error', () => undefined);
    startReading(ws, socket);
    await once(ws, 'close');
    expect(closes).toEqual([1]);
  });

  it('lets the end that came in between be found', async () => {
    const { head } = takeOut(ws, socket);
    client.socket.end(textOfClient('the last words'));
    await loopTurns(20);
    ws = putBack(socket, head, wss);
    listen(ws, 1);
    startReading(ws, socket);
    await once(ws, 'close');
    expect(texts).toEqual(['the last words']);
  });

  it('answers the pings of a client that were on the way', async () => {
    const ping = clientFrame({ fin: true, opcode: 9, key: [1, 2, 3, 4], payload: Buffer.from('p') });
    const pong = once(client.socket, 'data');
    const { head } = takeOut(ws, socket);
    client.socket.write(ping);
    await loopTurns(5);
    ws = putBack(socket, head, wss);
    startReading(ws, socket);
    expect((await pong)[0]).toEqual(Buffer.from([0x8a, 1, 0x70]));
  });

  it('takes the connection from the count of its server with its copy', async () => {
    takeOut(ws, socket);
    expect(await connectionsOf(server)).toBe(1);
    closeCopy(socket);
    expect(await connectionsOf(server)).toBe(0);
    expect(closes).toEqual([]);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
});

describe('what cannot be taken out', () => {
  it('stays as it was: a call from inside an event', async () => {
    let thrown: unknown = null;
    ws.once('message', () => {
      try {
        takeOut(ws, socket);
      } catch (error) {
        thrown = error;
      }
    });
    client.socket.write(Buffer.concat([textOfClient('one'), textOfClient('two')]));
    while (texts.length < 2) await new Promise(setImmediate);
    expect(String(thrown)).toContain('while it parses');
  });

  it('stays as it was: unsent output', async () => {
    client.socket.pause();
    while (outputDrained(socket)) ws.send('x'.repeat(1_000_000));
    expect(() => takeOut(ws, socket)).toThrow('unsent output');
    client.socket.resume();
    while (!outputDrained(socket)) await new Promise(setImmediate);
    client.socket.write(textOfClient('still'));
    while (texts.length < 1) await new Promise(setImmediate);
    expect(() => takeOut(ws, socket)).not.toThrow();
  });

  it('is a connection that closes already', () => {
    ws.close(1012);
    expect(() => takeOut(ws, socket)).toThrow('readyState is 2');
  });

  it('is one with unknown insides, and it can still be closed properly after it was stopped', async () => {
    stopReading(ws, socket);
    const other = (): void => undefined;
    socket.on('data', other);
    expect(() => takeOut(ws, socket)).toThrow("2 listeners of the socket's data");
    socket.off('data', other);
    ws.close(1012);
    startReading(ws, socket);
    client.socket.write(
      clientFrame({ fin: true, opcode: 8, key: [1, 2, 3, 4], payload: Buffer.from([0x03, 0xf4]) }),
    );
    const [code] = await once(ws, 'close');
    expect(code).toBe(1012);
  });

  it('is no plain TCP connection that goes on in both directions', async () => {
    expect(canTravel(socket)).toBe(true);
    expect(canTravel(new PassThrough())).toBe(false);
    expect(canTravel(new Socket())).toBe(false);
    expect(canTravel(new TLSSocket(new Socket()))).toBe(false);
    stopReading(ws, socket);
    expect(canTravel(socket)).toBe(true);
    startReading(ws, socket);
    client.socket.end();
    await once(socket, 'end');
    expect(canTravel(socket)).toBe(false);
    socket.destroy();
    expect(canTravel(socket)).toBe(false);
    expect(() => buildWebSocket(wss, socket, Buffer.alloc(0))).toThrow('a connection that is over');
  });
});

it('a stopped connection tells nothing until it is started again', async () => {
  stopReading(ws, socket);
  client.socket.write(textOfClient('later'));
  await loopTurns(20);
  expect(texts).toEqual([]);
  expect(outputDrained(socket)).toBe(true);
  startReading(ws, socket);
  startReading(ws, socket);
  while (texts.length < 1) await new Promise(setImmediate);
  expect(texts).toEqual(['later']);
});

function listen(on: WebSocket, name: number): void {
  // Those of this test: the connection of the one before may still be closing.
  const [toldTexts, toldCloses] = [texts, closes];
  on.on('message', (data: Buffer) => toldTexts.push(data.toString()));
  on.on('close', () => toldCloses.push(name));
}

function move(): void {
  const { head } = takeOut(ws, socket);
  ws = putBack(socket, head, wss);
  listen(ws, 1);
  startReading(ws, socket);
}

/** Again and again, in every turn of the loop. */
async function moveUntil(done: () => boolean): Promise<void> {
  while (!done()) {
    move();
    await new Promise(setImmediate);
  }
}

async function loopTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
}

function connectionsOf(of: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    of.getConnections((error, connections) => (error ? reject(error) : resolve(connections)));
  });
}
