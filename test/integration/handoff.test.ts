/**
 * A reload keeps every connection: logged-in sockets that send without a rest, in whole frames, byte by byte, large and
 * fragmented, under a stream of pushes, while all Workers are replaced again and again.
 *
 * SPUSH_TEST_HANDOFF_CONNECTIONS (300), _RELOADS (3), _PUSHES per second (100) and _PINGS per second set the sizes,
 * _PAUSE_MS what the pause of 99 of 100 sockets must stay under (else it is printed only), SPUSH_TEST_SEED the seed;
 * `npm run test:handoff` does 5,000 connections with 10 reloads, and 20,000 with one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ControlClient } from '../support/control-client.js';
import { Daemon } from '../support/daemon.js';
import {
  auditHolders,
  auditPosted,
  auditSockets,
  auditTcp,
  firstOf,
  percentile,
} from '../support/handoff-audit.js';
import {
  type Accepted,
  HandoffLoad,
  HandoffPoster,
  type Period,
  planSockets,
} from '../support/handoff-load.js';
import { countFreePlaces, LinkStorm } from '../support/link-storm.js';
import { clientFrame } from '../support/raw-socket.js';
import { MemoryWatch, type ReloadRun, reload, workerPids } from '../support/reload-run.js';
import { establishedTo, rssBytes, socketHolders, socketsOf } from '../support/tcp-table.js';
import { megabytes, ms, textTable } from '../support/text-table.js';
import { WsClient } from '../support/ws-client.js';

const CONNECTIONS = Number(process.env['SPUSH_TEST_HANDOFF_CONNECTIONS'] ?? 300);
const RELOADS = Number(process.env['SPUSH_TEST_HANDOFF_RELOADS'] ?? 3);
const PUSHES = Number(process.env['SPUSH_TEST_HANDOFF_PUSHES'] ?? 100);
const PINGS = Number(process.env['SPUSH_TEST_HANDOFF_PINGS'] ?? Math.min(CONNECTIONS, 2000));
const PAUSE_MS = Number(process.env['SPUSH_TEST_HANDOFF_PAUSE_MS'] ?? Number.NaN);
const SEED = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Without any reload, for comparison. */
const BASELINE_MS = CONNECTIONS >= 5000 ? 5000 : 1000;
/** Free places beside the connections. */
const FREE = 16;
/** Users whose read state and devices, and messages whose state, are compared. */
const USERS_LOOKED_AT = 40;
const MESSAGES_LOOKED_AT = 100;
const SMALL = 80;
/** The least that WorkerMemoryMax may be; any Worker is above it. */
const MEMORY_MAX = 67_108_864;

interface DeviceRow {
  readonly session: string;
  readonly worker: string;
}

async function status(daemon: Daemon): Promise<{ connectionNum: number; sessionNum: number }> {
  const { exitCode, stdout, stderr } = await daemon.run('server', 'status', '--json');
  if (exitCode !== 0) throw new Error(`server status: ${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** What `GET /api/user/:uid` tells, without the Worker, which changes. */
async function devices(daemon: Daemon, uids: readonly number[]): Promise<object[]> {
  const all: object[] = [];
  for (const uid of uids) {
    const { body } = await daemon.get(`/api/user/${uid}`);
    const rows: DeviceRow[] = body.data.connections;
    const connections = rows
      .map(({ worker: _worker, ...row }) => row)
      .sort((a, b) => (a.session < b.session ? -1 : 1));
    all.push({ uid, connections });
  }
  return all;
}

async function postTo(daemon: Daemon, uids: readonly number[], each: number): Promise<Accepted[]> {
  const messages = uids.flatMap((uid) =>
    Array.from({ length: each }, (_, k) => ({ uid, title: `before-${uid}-${k}`, id: `before-${uid}-${k}` })),
  );
  const { status: code, body } = await daemon.post('/api/comment/message', { messages });
  expect(code).toBe(200);
  return messages.map(({ uid, title }, k) => ({ id: body.data.ids[k], uid, title }));
}

/** Waits until each accepted message was seen as often as its user has sockets, or nothing comes any more. */
async function untilSeen(load: HandoffLoad, accepted: readonly Accepted[]): Promise<void> {
  const sockets = new Map<number, number>();
  for (const { uid } of load.specs) sockets.set(uid, (sockets.get(uid) ?? 0) + 1);
  const due = accepted.reduce((sum, { uid }) => sum + (sockets.get(uid) ?? 0), 0);
  let seen = -1;
  for (let still = 0; still < 20; still += 1) {
    const now = await load.itemCount();
    if (now >= due) return; // twice as well as once: the audit tells
    if (now !== seen) still = 0;
    seen = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function periodRow(name: string, { pings, pingPauses, pushPauses, loopMs }: Period): (string | number)[] {
  const three = (values: readonly number[]) => [
    ms(percentile(values, 0.5)),
    ms(percentile(values, 0.99)),
    ms(percentile(values, 1)),
  ];
  return [
    name,
    pings.length,
    ...three(pings),
    pingPauses.length,
    ...three(pingPauses),
    ...three(pushPauses),
    ms(loopMs),
  ];
}

const PERIOD_HEAD = ['', 'pings', 'p50', 'p99', 'worst', 'sockets', 'p50', 'p99', 'worst'].concat([
  'push p50',
  'p99',
  'worst',
  'own loop',
]);

describe(`${CONNECTIONS} connections and ${RELOADS} reloads (seed ${SEED})`, () => {
  let daemon: Daemon;

  beforeAll(async () => {
    daemon = await Daemon.start({
      env: {
        SPUSH_WORKER_NUM: '2',
        SPUSH_TASK_WORKER_NUM: '1',
        SPUSH_MAX_LINK_NUMBER: String(CONNECTIONS + FREE),
        SPUSH_VISITOR_MAX: String(CONNECTIONS + FREE),
      },
    });
  });

  afterAll(() => daemon?.dispose());

  test('stay open, are the same, and miss nothing while every Worker is replaced again and again', {
    timeout: 120_000 + CONNECTIONS * 30 + RELOADS * 120_000,
  }, async () => {
    console.log(
      `seed ${SEED}: ${CONNECTIONS} connections, ${RELOADS} reloads, ${PUSHES} pushes/s, ${PINGS} pings/s`,
    );
    const load = await HandoffLoad.open(daemon.port, planSockets(CONNECTIONS, SEED));
    onTestFinished(() => load.end());
    const poster = new HandoffPoster(daemon.port);
    onTestFinished(() => poster.end());

    const users = load.uids.slice(0, USERS_LOOKED_AT);
    const first = await postTo(daemon, users, 5);
    await untilSeen(load, first);
    const socketOfUser = new Map([...load.specs].reverse().map(({ uid, n }) => [uid, n]));
    await Promise.all(
      users.map(async (uid) => {
        const ids = first.filter((message) => message.uid === uid).map(({ id }) => id);
        const { body } = await load.ask(socketOfUser.get(uid) ?? -1, 'read', { ids: ids.slice(0, 2) });
        expect(body.read, `messages of user ${uid} that are read`).toBe(2);
      }),
    );
    const devicesBefore = await devices(daemon, users);
    const tcpBefore = establishedTo(daemon.port);
    const masterSockets = socketsOf(daemon.masterPid).length;

    await load.startPings(PINGS);
    await poster.start(load.uids, PUSHES, `s${SEED}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await load.takePeriod();
    await new Promise((resolve) => setTimeout(resolve, BASELINE_MS));
    const rows = [periodRow('no reload', await load.takePeriod())];

    const memory = new MemoryWatch(daemon);
    const runs: ReloadRun[] = [];
    const pauses: number[] = [];
    for (let k = 1; k <= RELOADS; k += 1) {
      const run = await reload(daemon);
      runs.push(run);
      const period = await load.takePeriod();
      pauses.push(...period.pingPauses);
      rows.push(periodRow(`reload ${k}`, period));
      if (run.exitCode !== 0 || (await load.closedCount()) > 0) break; // no use to go on: the audit tells
    }
    const workers = memory.stop();
    const posted = await poster.stop();
    const accepted = [...first, ...posted.accepted];
    await untilSeen(load, accepted);
    await load.stopPings();
    const reports = await load.report();
    const tcpAfter = establishedTo(daemon.port);

    const results = runs.map(({ result, seconds, exitCode }, k) => [
      `reload ${k + 1}`,
      exitCode ?? '-',
      result?.kept ?? '-',
      result?.closed ?? '-',
      JSON.stringify(result?.closedBy ?? null),
      result?.longestPauseMs ?? '-',
      result?.seconds ?? '-',
      seconds.toFixed(2),
    ]);
    const kinds = ['plain', 'bytes', 'large', 'fragments'].map((kind) => {
      const of = reports.filter((report) => report.kind === kind);
      const total = (value: (report: (typeof of)[number]) => number) =>
        of.reduce((n, one) => n + value(one), 0);
      return [
        kind,
        of.length,
        total(({ pingsSent }) => pingsSent),
        total(({ pingsAnswered }) => pingsAnswered),
        total(({ pongs }) => pongs),
        total(({ items }) => items.length),
        of.filter(({ closed }) => closed && !closed.byUs).length,
      ];
    });
    const tables = [
      'waits in ms: of pings, of the worst ping of each socket, of the worst push of each socket',
      textTable(PERIOD_HEAD, rows),
      textTable(['', 'exit', 'kept', 'closed', 'closed by', 'longest pause', 'seconds', 'with CLI'], results),
      textTable(['sockets', 'count', 'pings', 'answered', 'pongs', 'pushes seen', 'closed'], kinds),
      textTable(
        ['memory', 'pid', 'first', 'peak', 'last'],
        workers.map((one) => [
          one.name,
          one.pid,
          megabytes(one.firstBytes),
          megabytes(one.peakBytes),
          megabytes(one.lastBytes),
        ]),
      ),
      `${posted.accepted.length} messages accepted, ${posted.retries} calls sent again, behind in ${posted.behind} ticks`,
    ];
    console.log(tables.join('\n\n'));

    for (const { exitCode, failure, result, events } of runs) {
      expect.soft(exitCode, failure).toBe(0);
      expect.soft(result).toMatchObject({ workers: 2, kept: CONNECTIONS, closed: 0, closedBy: {} });
      expect.soft(result?.longestPauseMs).toBeGreaterThan(0);
      expect.soft(result?.seconds).toBeGreaterThan(0);
      expect.soft(events).toContainEqual(expect.stringContaining('Worker.0'));
      expect.soft(events).toContainEqual(expect.stringContaining('Worker.1'));
    }
    expect.soft(runs).toHaveLength(RELOADS);
    expect.soft(firstOf(auditPosted(posted))).toEqual([]);
    expect.soft(firstOf(auditSockets(reports, accepted))).toEqual([]);
    expect.soft(firstOf(auditTcp(reports, tcpBefore, tcpAfter))).toEqual([]);
    expect.soft(firstOf(auditHolders(reports, tcpAfter, socketHolders(daemon.tree())))).toEqual([]);
    await expect
      .poll(() => socketsOf(daemon.masterPid).length, { timeout: 10_000, message: 'sockets of the master' })
      .toBeLessThanOrEqual(masterSockets);
    const pushed = posted.accepted.length;
    expect(pushed, 'messages accepted').toBeGreaterThan((PUSHES * BASELINE_MS) / 2000);
    for (const { name, pingsSent } of reports.map((one) => ({ ...one, name: `socket ${one.n}` })))
      if (PINGS >= CONNECTIONS) expect.soft(pingsSent, name).toBeGreaterThan(0);

    if ((await load.closedCount()) > 0)
      throw new Error('connections were closed: what follows would say the same');
    expect.soft(await devices(daemon, users)).toEqual(devicesBefore);
    await Promise.all(
      users.map(async (uid) => {
        const { body } = await load.ask(socketOfUser.get(uid) ?? -1, 'unread');
        const own = accepted.filter((message) => message.uid === uid).length;
        expect.soft(body.comment, `unread messages of user ${uid}`).toBe(own - 2);
      }),
    );
    const step = Math.max(1, Math.floor(accepted.length / MESSAGES_LOOKED_AT));
    for (const { id, title } of accepted.filter((_, k) => k % step === 0)) {
      const state = async () => (await daemon.get(`/api/message/${id}`)).body.data.state;
      await expect
        .poll(state, { timeout: 10_000, message: `state of ${title} (${id})` })
        .toMatch(/^(acked|read)$/);
    }
    await expect
      .poll(() => status(daemon), { timeout: 10_000 })
      .toMatchObject({ connectionNum: CONNECTIONS, sessionNum: CONNECTIONS });
    expect.soft(await countFreePlaces(daemon.wsUrl, FREE * 3), 'places that are free').toBe(FREE);
    if (PAUSE_MS > 0 && RELOADS > 0) {
      expect(percentile(pauses, 0.99), 'p99 of the worst wait of each socket and reload, ms').toBeLessThan(
        PAUSE_MS,
      );
    }
  });
});

describe('every replacement of a Worker keeps its connections', () => {
  let daemon: Daemon;
  let load: HandoffLoad;

  beforeAll(async () => {
    daemon = await Daemon.start({
      env: {
        SPUSH_WORKER_NUM: '2',
        SPUSH_TASK_WORKER_NUM: '1',
        SPUSH_MAX_LINK_NUMBER: String(SMALL + FREE),
        SPUSH_VISITOR_MAX: String(SMALL + FREE),
      },
    });
    load = await HandoffLoad.open(daemon.port, planSockets(SMALL, SEED));
    await load.startPings(SMALL * 2);
  });

  afterAll(async () => {
    await load?.end();
    await daemon?.dispose();
  });

  async function expectAllKept(): Promise<void> {
    expect(await load.pingAll()).toBe(SMALL);
    expect(firstOf(auditSockets(await load.report(), [], { running: true }))).toEqual([]);
    await expect.poll(async () => (await status(daemon)).connectionNum, { timeout: 10_000 }).toBe(SMALL);
  }

  async function untilWorkers(
    count: number,
    without: ReadonlyMap<number, string> = new Map(),
  ): Promise<void> {
    const there = () => {
      const pids = [...workerPids(daemon).keys()];
      return pids.length === count && !pids.some((pid) => without.has(pid));
    };
    await expect.poll(there, { timeout: 40_000, interval: 50 }).toBe(true);
  }

  test('a second reload is refused while one runs, and never more than MaxLinkNumber are open meanwhile', async () => {
    const storm = new LinkStorm(daemon.wsUrl, FREE * 2);
    const running = new ControlClient(path.join(daemon.home, 'Temp/websocket.sock'));
    running.send({ id: 1, cmd: 'server.reload', args: {} });
    expect(await running.next()).toHaveProperty('event');
    const second = await daemon.run('server', 'reload', '--json');
    expect(second.exitCode).toBe(1);
    expect(second.stderr + second.stdout).toContain('a reload is under way');
    let line = await running.next();
    while (line.event) line = await running.next();
    running.close();
    const result = await storm.stop();
    console.log('storm', { ...result, broken: result.broken.length, closed: result.closed.length });
    expect(line).toMatchObject({ ok: true, data: { workers: 2, closed: 0 } });
    expect(line.data.kept).toBeGreaterThanOrEqual(SMALL);
    expect(result.openMax).toBeLessThanOrEqual(FREE);
    expect(result.opened).toBeGreaterThan(FREE);
    expect(result.refused).toBeGreaterThan(0);
    expect.soft(firstOf(result.closed)).toEqual([]);
    expect.soft(firstOf(result.broken)).toEqual([]);
    await expectAllKept();
    expect(await countFreePlaces(daemon.wsUrl, FREE * 2), 'places that are free').toBe(FREE);
  });

  test('process kill without -f, of one pid and of the group', async () => {
    const before = workerPids(daemon);
    const [pid] = before.keys();
    const one = await daemon.run('process', 'kill', `--pid=${pid}`);
    expect(one.exitCode, one.stderr).toBe(0);
    await expectAllKept();
    expect(workerPids(daemon).has(pid ?? 0)).toBe(false);
    const group = await daemon.run('process', 'kill', '--group=Worker');
    expect(group.exitCode, group.stderr).toBe(0);
    await untilWorkers(2, before);
    await expectAllKept();
  });

  test('more Workers, and fewer', async () => {
    for (const count of [3, 1]) {
      const { exitCode, stderr } = await daemon.run('config', 'set', 'WorkerNum', String(count));
      expect(exitCode, stderr).toBe(0);
      await untilWorkers(count);
      await expectAllKept();
    }
  });

  test('a Worker above WorkerMemoryMax is replaced by itself', async () => {
    const before = workerPids(daemon);
    for (const pid of before.keys()) expect(rssBytes(pid)).toBeGreaterThan(MEMORY_MAX);
    const { exitCode, stderr } = await daemon.run('config', 'set', 'WorkerMemoryMax', String(MEMORY_MAX));
    expect(exitCode, stderr).toBe(0);
    // The first; the others have to wait, and their turn comes half a minute later.
    const replaced = () => [...before.keys()].some((pid) => !workerPids(daemon).has(pid));
    await expect.poll(replaced, { timeout: 60_000 }).toBe(true);
    // A reload takes the limit away again; while a Worker is replaced it is refused.
    await expect.poll(async () => (await reload(daemon)).exitCode, { timeout: 30_000 }).toBe(0);
    await expectAllKept();
  });

  test('a client that does not read is closed and counted, and nobody else', {
    timeout: 60_000,
  }, async () => {
    const uid = 7;
    const silent = await loggedInAndDeaf(daemon.port, uid);
    onTestFinished(() => void silent.destroy());
    const content = 'x'.repeat(8000);
    for (let batch = 0; batch < 5; batch += 1) {
      const messages = Array.from({ length: 200 }, (_, k) => ({ uid, title: `${batch}-${k}`, content }));
      expect((await daemon.post('/api/comment/message', { messages })).status).toBe(200);
    }
    const unsent = () => establishedTo(daemon.port).get(`127.0.0.1:${silent.localPort}`)?.unsentBytes ?? 0;
    await expect.poll(unsent, { timeout: 10_000 }).toBeGreaterThan(100_000);
    const { exitCode, result, failure } = await reload(daemon);
    expect(exitCode, failure).toBe(0);
    expect(result).toMatchObject({ kept: SMALL, closed: 1, closedBy: { output: 1 } });
    const closed = new Promise((resolve) => silent.once('close', resolve));
    silent.resume();
    await closed;
    await expectAllKept();
  });
});

/** A connection that is logged in and reads nothing any more. */
function loggedInAndDeaf(port: number, uid: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let asked = false;
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.write(
        'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      );
    });
    const onData = (data: Buffer): void => {
      received += data.toString('latin1');
      if (!asked && received.includes('"hello"')) {
        asked = true;
        const login = { cmd: 'login', id: '1', ts: 1, body: { ukey: `dev-${uid}`, ack: true } };
        socket.write(clientFrame(Buffer.from(JSON.stringify(login))));
      }
      if (!received.includes('"login","id":"1"')) return;
      socket.off('data', onData);
      socket.pause();
      resolve(socket);
    };
    socket.on('data', onData);
  });
}

// Both wait for most of their time.
describe.concurrent('what a session has used up, and what cannot move', () => {
  /** Long enough for a reload on a slow machine, which begins late enough that a clock set back by it would be seen. */
  const IDLE_SECONDS = 16;
  const RELOAD_AFTER_MS = 4000;

  test('silence counts from before the reload, and so do commands', { timeout: 60_000 }, async ({
    expect,
    onTestFinished,
  }) => {
    const daemon = await Daemon.start({
      env: {
        SPUSH_WORKER_NUM: '2',
        SPUSH_TASK_WORKER_NUM: '1',
        SPUSH_IDLE_SECONDS: String(IDLE_SECONDS),
        SPUSH_IDLE_GRACE_SECONDS: '1',
        SPUSH_IDLE_CHECK_SECONDS: '0.5',
        SPUSH_COMMANDS_PER_SECOND: '1',
        SPUSH_COMMANDS_BURST: '40',
      },
    });
    onTestFinished(() => daemon.dispose());
    const silent = await Promise.all([1, 2, 3, 4].map((uid) => WsClient.login(daemon.wsUrl, uid)));
    const silentSince = performance.now();
    const closedAfter = silent.map(async (client) => {
      const { code } = await client.untilClosed(30_000);
      return { code, ms: performance.now() - silentSince };
    });
    const busy = await Promise.all([5, 6, 7, 8].map((uid) => WsClient.login(daemon.wsUrl, uid)));
    const codes = (client: WsClient, count: number) =>
      Promise.all(Array.from({ length: count }, async () => (await client.ask('ping')).code));
    await new Promise((resolve) => setTimeout(resolve, RELOAD_AFTER_MS));
    for (const client of busy)
      expect((await codes(client, 60)).filter((code) => code === 429).length).toBeGreaterThan(10);
    const usedUpAt = performance.now();

    if (RELOADS > 0) {
      const { exitCode, result, failure } = await reload(daemon);
      expect(exitCode, failure).toBe(0);
      expect(performance.now() - silentSince, 'the reload took too long for this test').toBeLessThan(
        IDLE_SECONDS * 1000,
      );
      expect.soft(result).toMatchObject({ kept: 8, closed: 0 });
    }

    for (const client of busy) {
      expect(client.closed).toBeNull();
      const answers = await codes(client, 30);
      const filled = (performance.now() - usedUpAt) / 1000;
      const allowed = answers.filter((code) => code === 200).length;
      expect(allowed, `commands allowed after ${filled.toFixed(1)} s at one a second`).toBeLessThanOrEqual(
        filled + 1,
      );
    }
    for (const { code, ms: after } of await Promise.all(closedAfter)) {
      expect(code).toBe(4001);
      expect(after, 'ms of silence').toBeGreaterThan((IDLE_SECONDS + 0.8) * 1000);
      expect(after, 'ms of silence').toBeLessThan(IDLE_SECONDS * 1000 + RELOAD_AFTER_MS);
    }
    await Promise.all(busy.map((client) => client.close()));
  });

  test('a connection over TLS is told to come back, closed with 1012, and counted', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=x',
        '-keyout',
        key,
      ].concat(['-out', cert]),
      { stdio: 'ignore' },
    );
    const daemon = await Daemon.start({
      env: { SPUSH_TLS_CERT: cert, SPUSH_TLS_KEY: key, SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '1' },
    });
    onTestFinished(() => daemon.dispose());
    const clients = await Promise.all(
      [1, 2, 3].map(() => WsClient.connect(`wss://127.0.0.1:${daemon.port}/`, { rejectUnauthorized: false })),
    );
    const { exitCode, result, failure } = await reload(daemon);
    expect(exitCode, failure).toBe(0);
    expect(result).toMatchObject({ kept: 0, closed: 3, closedBy: { tls: 3 } });
    for (const client of clients) {
      expect((await client.event('bye')).body.retryAfter).toBeGreaterThan(0);
      expect((await client.untilClosed()).code).toBe(1012);
    }
  });
});
