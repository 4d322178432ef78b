// A reader in forty lines: logs in, shows what is pushed, acknowledges it, keeps the connection alive, comes back.
//   node docs/examples/reader.mjs 176906 [ws://127.0.0.1:9501/]   in PUSHENV 0; elsewhere a login key of the main site
import WebSocket from 'ws';

const [who = '176906', url = 'ws://127.0.0.1:9501/'] = process.argv.slice(2);
const seen = new Set(); // ids shown already: a message may come twice, it is shown once
let lastId = 0;

function connect() {
  const socket = new WebSocket(url);
  let heartbeat;
  const send = (cmd, body) => {
    lastId += 1;
    socket.send(JSON.stringify({ cmd, id: String(lastId), ts: Math.floor(Date.now() / 1000), body }));
  };
  socket.on('open', () => send('login', { ukey: /^\d+$/.test(who) ? `dev-${who}` : who, ack: true }));
  socket.on('message', (data) => {
    const { cmd, code, msg, body } = JSON.parse(data);
    if (cmd === 'hello') heartbeat = setInterval(() => send('ping'), body.heartbeat.interval * 1000);
    else if (cmd === 'login')
      console.log(code === 200 ? `logged in as ${body.uid}, unread: ${body.unread.total}` : `login: ${msg}`);
    else if (cmd === 'push') {
      for (const item of body.items)
        if (!seen.has(item.id)) console.log(`${item.kind}: ${item.title} ${item.content}`);
      for (const { id } of body.items) seen.add(id);
      send('ack', { ids: body.items.map(({ id }) => id) });
    } else if (cmd === 'bye') console.log(`server says bye: ${body.reason}`);
  });
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', (code) => {
    clearInterval(heartbeat);
    if ([1008, 1009, 4003, 4004].includes(code)) return console.log(`closed for good: ${code}`);
    const seconds = 1 + Math.random() * 4; // a real client takes the server's retryAfter, with jitter
    console.log(`closed: ${code}; again in ${seconds.toFixed(0)} s`);
    setTimeout(connect, seconds * 1000);
  });
}

connect();
