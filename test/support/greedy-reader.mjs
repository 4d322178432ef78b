/**
 * A reader with a key who asks for as much as he can and reads nothing, on many connections, from a process of his own:
 * `node greedy-reader.mjs KIND PORT SECONDS UID`. Says on standard output, as JSON, what became of it.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [kind, portText, secondsText, uid] = process.argv.slice(2);
const port = Number(portText);
const until = performance.now() + Number(secondsText) * 1000;
const CONNECTIONS = 25;
/** As many as a burst may have. */
const COMMANDS = 1000;
const tally = { opened: 0, closed: 0, failed: 0, commands: 0 };

const BODIES = {
  list: { limit: 100 },
  read: { all: true },
  unread: undefined,
  ack: { ids: Array.from({ length: 100 }, (_, n) => String(1_500_000_000_000_000_000n + BigInt(n))) },
  ping: undefined,
  /** Nothing but the login: what is pending comes by itself. */
  replay: null,
};

async function flood() {
  while (performance.now() < until) {
    const sockets = (await Promise.all(Array.from({ length: CONNECTIONS }, open))).filter(Boolean);
    const body = BODIES[kind];
    if (body !== null) {
      const commands = Buffer.concat(
        Array.from({ length: COMMANDS }, (_, n) => command(kind, `c${n}`, body)),
      );
      for (const socket of sockets) socket.write(commands);
      tally.commands += COMMANDS * sockets.length;
    }
    // Long enough that all that can be read is.
    await sleep(Math.max(0, Math.min(2000, until - performance.now())));
    for (const socket of sockets) socket.destroy();
  }
}

await flood();
console.log(JSON.stringify(tally));
process.exit();

function open() {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {
      tally.failed += 1;
      resolve(null);
    });
    socket.on('close', () => {
      tally.closed += 1;
    });
    socket.once('connect', () => {
      tally.opened += 1;
      socket.write(
        `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
      );
    });
    let text = '';
    const onData = (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('"hello"')) {
        socket.off('data', onData);
        socket.pause();
        socket.write(command('login', 'login', { ukey: `dev-${uid}`, ack: true }));
        resolve(socket);
      }
    };
    socket.on('data', onData);
  });
}

/** A text frame as a client sends it, masked with zeros. */
function command(cmd, id, body) {
  const payload = Buffer.from(JSON.stringify({ cmd, id, ts: 1, body }));
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
