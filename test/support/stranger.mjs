/**
 * What somebody does who means no good, from a process of its own: `node stranger.mjs KIND PORT SECONDS [OWN_ADDRESS]`. Says on standard
 * output, as JSON, what became of its connections.
 */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [kind, portText, secondsText, from] = process.argv.slice(2);
const port = Number(portText);
const until = performance.now() + Number(secondsText) * 1000;
const tally = { opened: 0, closed: 0, failed: 0, bytes: 0 };

const KINDS = {
  /** A thousand calls in one write, nothing is read, and gone. */
  async pipelined() {
    const calls = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000);
    while (going()) {
      const socket = await open();
      if (!socket) continue;
      socket.pause();
      socket.write(calls);
      await sleep(20);
      socket.destroy();
    }
  },
  /** As many idle connections as it can get, and one more each moment. */
  async idle() {
    const sockets = [];
    while (going()) {
      const socket = await open();
      if (socket) sockets.push(socket);
      if (sockets.length > 4500) await sleep(10);
    }
    for (const socket of sockets) socket.destroy();
  },
  /** The same after one call each, so that they are kept ones. */
  async kept() {
    const sockets = [];
    while (going()) {
      const socket = await open();
      socket?.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      if (socket) sockets.push(socket);
      if (sockets.length > 4500) await sleep(10);
    }
    for (const socket of sockets) socket.destroy();
  },
  /** Heads that come byte by byte. */
  async trickling() {
    const sockets = new Set();
    while (going()) {
      for (let n = 0; n < 50 && sockets.size < 1000; n += 1) {
        const socket = await open();
        socket?.on('close', () => sockets.delete(socket));
        if (socket) sockets.add(socket);
      }
      for (const socket of sockets) socket.write('G');
      await sleep(100);
    }
    for (const socket of sockets) socket.destroy();
  },
  /** Bodies in pieces of a byte, of one who knows the id of a key. */
  async pieces() {
    const pieces = '1\r\nx\r\n'.repeat(20_000);
    await callers(16, async (socket, n) => {
      socket.write(`${bodyHead(n)}Transfer-Encoding: chunked\r\n\r\n`);
      while (going() && !socket.destroyed) {
        if (!socket.write(pieces)) await sleep(5);
      }
    });
  },
  /** Bodies that lack their last byte, of one who knows the id of a key, from eight addresses. */
  async held() {
    const bytes = 2 * 1024 * 1024;
    const body = Buffer.alloc(bytes - 1, 'x');
    await callers(80, async (socket, n) => {
      socket.write(`${bodyHead(n)}Content-Length: ${bytes}\r\n\r\n`);
      socket.write(body);
      while (going() && !socket.destroyed) await sleep(20);
    });
  },
};

await KINDS[kind]();
console.log(JSON.stringify(tally));
process.exit();

/** So many connections at a time; a second after one is closed comes the next. */
async function callers(count, call) {
  const work = Array.from({ length: count }, async (_, n) => {
    await sleep((1000 * n) / count);
    while (going()) {
      const socket = await open();
      if (!socket) await sleep(20);
      else {
        await call(socket, n);
        socket.destroy();
        await sleep(1000);
      }
    }
  });
  await Promise.all(work);
}

/** All that is cheap to check is right: key, time, form of nonce and signature. */
function bodyHead(n) {
  return [
    'POST /api/comment/message HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `X-Real-IP: 203.0.113.${n % 8}`,
    'X-Spush-Key: main',
    `X-Spush-Timestamp: ${Math.floor(Date.now() / 1000)}`,
    `X-Spush-Nonce: ${randomUUID()}`,
    `X-Spush-Signature: ${'0'.repeat(64)}`,
    '',
  ].join('\r\n');
}

function going() {
  return performance.now() < until;
}

function open() {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', ...(from ? { localAddress: from } : {}) });
    socket.once('connect', () => {
      tally.opened += 1;
      resolve(socket);
    });
    socket.on('data', (chunk) => {
      tally.bytes += chunk.length;
    });
    socket.on('error', () => {
      tally.failed += 1;
      resolve(null);
    });
    socket.on('close', () => {
      tally.closed += 1;
    });
  });
}
