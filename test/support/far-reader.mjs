/** A reader on another machine: `node far-reader.mjs URL UID ACK`. Prints "in" when it is logged in, and each id it is shown. */
import WebSocket from 'ws';

const [url, uid, ack] = process.argv.slice(2);
const socket = new WebSocket(url);
const send = (cmd, body) => socket.send(JSON.stringify({ cmd, id: cmd, ts: 1, body }));

socket.on('open', () => send('login', { ukey: `dev-${uid}`, ack: ack === 'true' }));
socket.on('message', (data) => {
  const { cmd, body } = JSON.parse(data.toString());
  if (cmd === 'login') console.log('in');
  if (cmd !== 'push') return;
  const ids = body.items.map(({ id }) => id);
  for (const id of ids) console.log(id);
  if (ack === 'true') send('ack', { ids });
});
socket.on('error', () => process.exit());
socket.on('close', () => process.exit());
