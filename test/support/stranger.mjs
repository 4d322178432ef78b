/**
 * What somebody does who means no good, from a process of its own: `node stranger.mjs KIND PORT SECONDS`. Says on standard
 * output, as JSON, what became of its connections.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [kind, portText, secondsText] = process.argv.slice(2);
const port = Number(portText);
const until = performance.now() + Number(secondsText) * 1000;
const tally = { opened: 0, closed: 0, failed: 0, bytes: 0 };

const KINDS = {
  /** A thousand calls in one write, nothing is read, and gone. */
  async pipelined() {
    const calls = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000);
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
      socket?.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
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
};

await KINDS[kind]();
console.log(JSON.stringify(tally));
process.exit();

function going() {
  return performance.now() < until;
}

function open() {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
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
