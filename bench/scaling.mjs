/**
 * The figures that docs/SCALING.md reckons with, measured on this machine. Run by hand, after `npm run build`:
 *
 *   node --import tsx bench/scaling.mjs [--connections=10000] [--seconds=5] [--only=connections,posts,mysql,bus]
 *
 * - connections: one Worker with the embedded store: resident memory and CPU time of idle, logged-in connections; logins a
 *   second; deliveries of notices to all of them, in CPU seconds of the Worker.
 * - posts: messages accepted a second by one Worker, one, 100 and 1,000 in a call, with the embedded store.
 * - mysql: the same with a mariadbd and a redis-server of its own (MARIADBD, REDIS_SERVER: paths of the programs), and what
 *   reaches a reader at another node.
 * - bus: news from one process to another through a redis-server of its own, one event at a time; both ends are in this
 *   process, so its CPU time is that of both together.
 *
 * Everything stays on loopback, in a temporary folder, and is ended by its pid. The load runs in this process: on few cores
 * it takes part of what is measured, so figures of throughput are at least, those of CPU time as they are.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer as createHttp, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import WebSocket from 'ws';
import { newBusIdentity } from '../src/platform/bus/bus-identity.ts';
import { RedisBus } from '../src/platform/bus/redis/redis-bus.ts';
import { systemClock } from '../src/platform/clock/system-clock.ts';
import { redisSchema } from '../src/platform/config/config-schema.ts';
import { silentLog } from '../src/platform/log/log.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'connections,posts,mysql,bus' },
  },
});
const CONNECTIONS = Number(values.connections);
const MEASURE_MS = Number(values.seconds) * 1000;
const PARTS = new Set(values.only.split(','));
const ROOT = path.resolve(import.meta.dirname, '..');
/** Connections that are being made, and calls under way, at a time. */
const LOGINS_AT_ONCE = 64;
const CALLERS = 16;
const TICKS_PER_SECOND = 100;
const TEXT = 'Somebody answered your comment on chapter 1024: '.repeat(3);

const folder = mkdtempSync(path.join(tmpdir(), 'spush-scaling-'));
const ends = [];
try {
  if (PARTS.has('connections')) await connections();
  if (PARTS.has('posts')) await posts();
  if (PARTS.has('mysql')) await severalNodes();
  if (PARTS.has('bus')) await bus();
} finally {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
}

async function connections() {
  const node = await startNode('links', {
    SPUSH_MAX_LINK_NUMBER: String(CONNECTIONS + 100),
    SPUSH_VISITOR_MAX: String(CONNECTIONS + 100),
  });
  const before = await figuresOf(node);
  const startedMs = performance.now();
  const clients = [];
  let delivered = 0;
  await times(CONNECTIONS, LOGINS_AT_ONCE, async (n) => {
    clients.push(await login(node, n + 1, { ack: false }, () => (delivered += 1)));
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await figuresOf(node);
  await sleep(10_000); // what the logins left behind is collected
  const idle = await figuresOf(node);
  const perLogin = ((after.cpuSeconds - before.cpuSeconds) / CONNECTIONS) * 1000;
  tell('handshake and login, per second', (CONNECTIONS / seconds).toFixed(0));
  tell('handshake and login, CPU ms of the Worker', perLogin.toFixed(2));
  tell('resident memory of the Worker, no connection, MB', (before.rssKb / 1024).toFixed(0));
  tell(
    'KB of resident memory per idle, logged-in connection',
    ((idle.rssKb - before.rssKb) / CONNECTIONS).toFixed(1),
  );
  tell(
    'CPU of the Worker with all idle, per cent of a core',
    (((idle.cpuSeconds - after.cpuSeconds) / 10) * 100).toFixed(1),
  );

  const cpu = (await figuresOf(node)).cpuSeconds;
  const pushedMs = performance.now();
  const rounds = 20;
  for (let round = 1; round <= rounds; round += 1) {
    await post(node, '/api/notice/systemMessage', { title: 'all', content: TEXT });
    while (delivered < round * CONNECTIONS) await sleep(2);
  }
  const pushed = (performance.now() - pushedMs) / 1000;
  const used = (await figuresOf(node)).cpuSeconds - cpu;
  const millions = (rounds * CONNECTIONS) / 1e6;
  tell('notice to all: deliveries per second', ((rounds * CONNECTIONS) / pushed).toFixed(0));
  tell('notice to all: CPU seconds of the Worker per million deliveries', (used / millions).toFixed(1));
  for (const client of clients) client.terminate();
  await node.stop();
}

async function posts() {
  const node = await startNode('posts', {});
  await measurePosts(node, 'embedded store');
  await node.stop();
}

async function severalNodes() {
  const db = await startMariadb();
  const redisPort = await startRedis();
  const site = createHttp((req, res) => {
    const uid = Number(new URL(req.url, 'http://site').searchParams.get('loginkey'));
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ code: 200, data: { uid } }));
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  ends.push(() => site.close());
  const env = {
    PUSHENV: '1',
    SPUSH_DB_HOST: '127.0.0.1',
    SPUSH_DB_PORT: String(db.port),
    SPUSH_DB_USER: 'spush',
    SPUSH_DB_PASSWORD: 'scaling',
    SPUSH_DB_DATABASE: 'spush',
    SPUSH_REDIS_HOST: '127.0.0.1',
    SPUSH_REDIS_PORT: String(redisPort),
    SPUSH_REDIS_BUS_KEYS: '[{"id":"a","secret":"only for measuring, on loopback alone"}]',
    SPUSH_GZCP_VERIFY_URL: `http://127.0.0.1:${site.address().port}/`,
    SPUSH_GZCP_SECRET: 'scaling',
    SPUSH_API_KEYS: '{"bench":"scaling"}',
    SPUSH_API_LEGACY_TOKEN: 'true',
  };
  const [one, two] = [await startNode('web1', env), await startNode('web2', env)];
  await measurePosts(one, 'MySQL store');
  await measureOtherNode(one, two);
  await one.stop();
  await two.stop();
}

async function bus() {
  const redisPort = await startRedis();
  const redis = redisSchema.parse({
    port: redisPort,
    busKeys: [{ id: 'a', secret: 'only for measuring, on loopback alone' }],
  });
  const users = 1000;
  let came = 0;
  const open = (name) =>
    RedisBus.open(
      {
        redis,
        identity: newBusIdentity(name, name),
        clock: systemClock,
        log: silentLog,
        listener: { onEvent: () => (came += 1), onGap() {} },
      },
      { mustReach: true },
    );
  const [from, to] = [await open('from'), await open('to')];
  const client = new Redis({ port: redisPort });
  const redisBytes = async () => Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
  const [bytesBefore, followedMs] = [await redisBytes(), performance.now()];
  const followed = 50_000;
  for (let uid = 1; uid <= followed; uid += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, n) => to.follow(uid + n)));
  }
  tell('users followed per second', (followed / ((performance.now() - followedMs) / 1000)).toFixed(0));
  tell(
    'bytes of Redis for each user who is followed',
    (((await redisBytes()) - bytesBefore) / followed).toFixed(0),
  );
  client.disconnect();
  const usage = process.cpuUsage();
  const startedMs = performance.now();
  let sent = 0;
  while (performance.now() - startedMs < MEASURE_MS) {
    for (let n = 0; n < 50; n += 1) {
      const uid = 1 + (sent % users);
      const item = {
        id: '1900000000000000001',
        kind: 'comment',
        uid,
        title: 'New answer',
        content: TEXT,
        createdAt: 1,
      };
      from.publish({ t: 'push', uid, items: [item] });
      sent += 1;
    }
    while (sent - came > 500) await new Promise((resolve) => setImmediate(resolve));
  }
  while (came < sent) await sleep(1);
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(usage);
  tell('bus: events per second, both ends in one process', (sent / seconds).toFixed(0));
  tell('bus: CPU seconds of both ends together per million events', ((user + system) / sent).toFixed(1));
  await from.close();
  await to.close();
}

/** From a call at one node to the reader at another. */
async function measureOtherNode(one, two) {
  const uid = 7_000_000;
  let came = 0;
  let arrived = () => {};
  const reader = await login(two, uid, { ack: false }, (items) => {
    came += items;
    arrived();
  });
  const waits = [];
  for (let n = 0; n < 200; n += 1) {
    const heard = new Promise((resolve) => (arrived = resolve));
    const startedMs = performance.now();
    await post(one, '/api/comment/message', message(uid));
    await heard;
    waits.push(performance.now() - startedMs);
  }
  waits.sort((a, b) => a - b);
  tell(
    'call at one node to reader at the other, ms (median, 99 %)',
    `${waits[100].toFixed(1)}, ${waits[198].toFixed(1)}`,
  );
  came = 0;
  const [before, beforeTwo] = [await figuresOf(one), await figuresOf(two)];
  const startedMs = performance.now();
  const many = 20_000;
  await times(many / 1000, 2, () =>
    post(one, '/api/comment/message', { messages: Array.from({ length: 1000 }, () => message(uid)) }),
  );
  while (came < many) await sleep(5);
  const seconds = (performance.now() - startedMs) / 1000;
  const sender = ((await figuresOf(one)).cpuSeconds - before.cpuSeconds) / (many / 1e6);
  const holder = ((await figuresOf(two)).cpuSeconds - beforeTwo.cpuSeconds) / (many / 1e6);
  tell('stored, over the bus, on the screen: messages per second', (many / seconds).toFixed(0));
  tell(
    'the same, CPU seconds per million: the Worker that accepts, the one that holds the reader',
    `${sender.toFixed(0)}, ${holder.toFixed(0)}`,
  );
  reader.terminate();
}

async function measurePosts(node, store) {
  for (const size of [1, 100, 1000]) {
    let uid = 1;
    let done = 0;
    const body = () => {
      const messages = Array.from({ length: size }, () => message(1_000_000 + (uid++ % 100_000)));
      return size === 1 ? messages[0] : { messages };
    };
    const before = await figuresOf(node);
    const startedMs = performance.now();
    const call = async () => {
      while (performance.now() - startedMs < MEASURE_MS) {
        await post(node, '/api/comment/message', body());
        done += size;
      }
    };
    await Promise.all(Array.from({ length: size === 1 ? CALLERS * 4 : CALLERS / 4 }, call));
    const seconds = (performance.now() - startedMs) / 1000;
    const cpu = (await figuresOf(node)).cpuSeconds - before.cpuSeconds;
    tell(`${store}: messages accepted per second, ${size} in a call`, (done / seconds).toFixed(0));
    tell(`${store}: CPU ms of the Worker per message, ${size} in a call`, ((cpu / done) * 1000).toFixed(3));
  }
}

function message(uid) {
  return { uid, title: 'New answer', content: TEXT };
}

/** One Worker, one TaskWorker, nothing fired by the clock while it is measured. */
async function startNode(name, more) {
  const port = await freePort();
  const home = path.join(folder, name);
  const env = {
    ...process.env,
    PUSHENV: '0',
    SPUSH_HOME: home,
    SPUSH_ROOT: ROOT,
    SPUSH_HOST: '127.0.0.1',
    SPUSH_PORT: String(port),
    SPUSH_NODE_NAME: name,
    SPUSH_WORKER_NUM: '1',
    SPUSH_TASK_WORKER_NUM: '1',
    SPUSH_LOG_LEVEL: 'warn',
    ...more,
  };
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/spush.js'), 'server', 'start'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => {
      output += data;
      if (/server start as pid/.test(output)) resolve();
    });
    child.once('exit', () => reject(new Error(`it did not start:\n${output}`)));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  ends.push(stop);
  const workerPid = pidOf('spush.websocket.Worker.0', child.pid);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return {
    port,
    workerPid,
    agent,
    stop,
    keyOf: (uid) => (env.PUSHENV === '0' ? `dev-${uid}` : String(uid)),
    signs: env.PUSHENV !== '0',
  };
}

function pidOf(title, masterPid) {
  for (const entry of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent === masterPid && readFileSync(`/proc/${entry}/cmdline`, 'utf8').startsWith(title))
        return Number(entry);
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error; // it has ended meanwhile
    }
  }
  throw new Error(`there is no ${title}`);
}

async function figuresOf({ workerPid }) {
  const stat = readFileSync(`/proc/${workerPid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${workerPid}/status`, 'utf8'))?.[1]);
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, rssKb };
}

/** @param onPush is told how many messages a frame had. */
async function login(node, uid, body, onPush) {
  const socket = new WebSocket(`ws://127.0.0.1:${node.port}/`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  await once(socket, 'open');
  const replied = new Promise((resolve, reject) => {
    socket.on('message', (data) => {
      const text = data.toString();
      if (text.startsWith('{"cmd":"push"')) onPush(text.split('"kind":').length - 1);
      else if (text.includes('"id":"l"')) (text.includes('"code":200') ? resolve : reject)(new Error(text));
    });
  });
  const ukey = node.keyOf(uid);
  socket.send(
    JSON.stringify({ cmd: 'login', id: 'l', ts: Math.floor(Date.now() / 1000), body: { ukey, ...body } }),
  );
  await replied;
  return socket;
}

async function post(node, url, body) {
  const { createHash } = await import('node:crypto');
  const timestamp = String(Math.floor(Date.now() / 1000));
  const token = createHash('md5').update(`${timestamp}scaling`).digest('hex');
  const text = JSON.stringify(node.signs ? { ...body, timestamp, token } : body);
  await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const call = request({
      host: '127.0.0.1',
      port: node.port,
      path: url,
      method: 'POST',
      agent: node.agent,
      headers,
    });
    call.once('error', reject);
    call.once('response', (answer) => {
      let said = '';
      answer.on('data', (data) => (said += data));
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode} ${said}`)),
      );
    });
    call.end(text);
  });
}

async function startMariadb() {
  const { username } = userInfo();
  const data = path.join(folder, 'mariadb');
  const socketPath = path.join(folder, 's');
  const install = [
    '--no-defaults',
    `--datadir=${data}`,
    `--user=${username}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ];
  execFileSync('mariadb-install-db', install, { stdio: ['ignore', 'ignore', 'inherit'] });
  const port = await freePort();
  const flags = [
    '--no-defaults',
    `--user=${username}`,
    `--datadir=${data}`,
    `--socket=${socketPath}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    '--innodb-buffer-pool-size=1G',
    '--innodb-log-file-size=512M',
    `--log-error=${path.join(folder, 'error.log')}`,
  ];
  run(process.env.MARIADBD ?? '/usr/sbin/mariadbd', flags);
  for (let tries = 0; ; tries += 1) {
    const root = await createConnection({ socketPath, user: 'root' }).catch(() => null);
    if (root !== null) {
      await root.query('CREATE DATABASE spush CHARACTER SET utf8mb4');
      await root.query("CREATE USER 'spush'@'%' IDENTIFIED BY 'scaling'");
      await root.query("GRANT ALL ON spush.* TO 'spush'@'%'");
      await root.end();
      return { port };
    }
    if (tries === 300) throw new Error('mariadbd does not answer');
    await sleep(100);
  }
}

async function startRedis() {
  const port = await freePort();
  run(process.env.REDIS_SERVER ?? '/usr/bin/redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    folder,
  ]);
  await sleep(500);
  return port;
}

/** Ended by its pid when all is over. */
function run(program, flags) {
  const child = spawn(program, flags, { stdio: 'ignore' });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
}

async function times(count, atOnce, work) {
  let next = 0;
  const one = async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

async function freePort() {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

function tell(what, figure) {
  console.log(`| ${what} | ${figure} |`);
}
