/**
 * A process that owns WebSockets: accepts them itself (`serve`), gives one away with each `leave`, and takes what it is
 * handed (`adopt`). Every message is echoed with the name of the process in front.
 */
import { createServer } from 'node:http';
import { createJiti } from 'jiti';
import { WebSocketServer } from 'ws';

const surgery = await createJiti(import.meta.url, { fsCache: false }).import(
  '../../../../src/worker/handoff/socket-surgery.ts',
);
const [name] = process.argv.slice(2);
const wss = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: 1 << 20 });
const server = createServer();
const owned = [];
let left = null;
let closedEvents = 0;

function own(ws, socket) {
  owned.push({ ws, socket });
  ws.on('message', (data) => ws.send(`${name}${data}`));
  ws.on('close', () => {
    closedEvents += 1;
  });
}

server.on('upgrade', (req, socket, head) => {
  wss.handleUpgrade(req, socket, head, (ws) => own(ws, socket));
});

const does = {
  serve() {
    server.listen(0, '127.0.0.1', () => process.send({ t: 'serving', port: server.address().port }));
  },
  leave() {
    const [{ ws, socket }] = owned;
    surgery.stopReading(ws, socket);
    if (!surgery.outputDrained(socket)) {
      setImmediate(does.leave);
      return;
    }
    owned.shift();
    const { head, handle } = surgery.takeOut(ws, socket);
    left = socket;
    process.send({ t: 'left', head: head.toString('base64') }, handle);
  },
  adopt({ head }, handle) {
    const socket = surgery.socketFromHandle(handle);
    const ws = surgery.buildWebSocket(wss, socket, Buffer.from(head, 'base64'));
    own(ws, socket);
    process.send({ t: 'adopted', from: `${socket.remoteAddress}:${socket.remotePort}` });
    surgery.startReading(ws, socket);
  },
  adopted() {
    surgery.closeCopy(left);
    server.getConnections((_error, connections) => process.send({ t: 'gone', connections, closedEvents }));
  },
  closeServer() {
    server.close(() => process.send({ t: 'serverClosed', closedEvents }));
  },
};

process.on('message', (message, handle) => does[message.t](message, handle));
process.on('disconnect', () => process.exit());
process.send({ t: 'up' });
