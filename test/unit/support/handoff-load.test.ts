/**
 * The load itself under test: against a server that does one thing wrong, the audit names the socket and the number; against
 * one that does nothing wrong it finds nothing.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  auditHolders,
  auditPosted,
  auditSockets,
  auditTcp,
  percentile,
} from '../../support/handoff-audit.js';
import {
  type Accepted,
  HandoffLoad,
  HandoffPoster,
  planSockets,
  type SocketKind,
} from '../../support/handoff-load.js';
import { establishedTo, socketHolders } from '../../support/tcp-table.js';

interface Ask {
  readonly cmd: string;
  readonly id: string;
  readonly body?: { ukey?: string; token?: string; ids?: string[]; pad?: string };
}

type Lie = (ask: Ask, reply: (frame?: object) => void, socket: WebSocket) => boolean;

let server: Server;
let port: number;
let lie: Lie;
/** What the server has got and when, to judge how the load sends. */
let reads: number[];
let posts: { uid: number; id: string }[];
let refuseOnce: boolean;
const users = new Map<number, Set<WebSocket>>();
let load: HandoffLoad | undefined;
let poster: HandoffPoster | undefined;

function push(uid: number, id: string, sockets = users.get(uid) ?? new Set<WebSocket>()): void {
  const items = [{ id, kind: 'comment', uid, title: `t${id}`, content: '' }];
  for (const socket of sockets)
    socket.send(JSON.stringify({ cmd: 'push', id: '', code: 200, body: { items } }));
}

beforeEach(async () => {
  lie = () => false;
  reads = [];
  posts = [];
  refuseOnce = false;
  users.clear();
  const sockets = new WebSocketServer({ noServer: true });
  server = createServer((req, res) => {
    let text = '';
    req.on('data', (part: Buffer) => {
      text += part.toString();
    });
    req.on('end', () => {
      const body = JSON.parse(text) as { messages?: { uid: number; id: string }[]; uid: number; id: string };
      const messages = body.messages ?? [body];
      const refused = refuseOnce;
      refuseOnce = false;
      if (!refused) posts.push(...messages);
      res.statusCode = refused ? 503 : 200;
      res.end(JSON.stringify({ data: { ids: messages.map(({ id }) => `stored-${id}`) } }));
    });
  });
  server.on('upgrade', (req, socket, head) => {
    socket.on('data', (data: Buffer) => reads.push(data.length));
    sockets.handleUpgrade(req, socket, head, (ws) => {
      ws.send(JSON.stringify({ cmd: 'hello', id: '', code: 200, body: { session: String(Math.random()) } }));
      ws.on('message', (data: Buffer) => {
        const ask = JSON.parse(data.toString()) as Ask;
        const { cmd, id, body } = ask;
        const reply = (frame: object = {}): void =>
          ws.send(JSON.stringify({ cmd, id, code: 200, msg: 'ok', body: {}, ...frame }));
        if (cmd === 'login') {
          const uid = Number((body?.ukey ?? body?.token ?? '').slice(4));
          users.set(uid, (users.get(uid) ?? new Set()).add(ws));
        }
        if (!lie(ask, reply, ws)) reply();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  await load?.end();
  await poster?.end();
  load = undefined;
  poster = undefined;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** One socket of each kind, each of another user. */
async function open(
  kinds: readonly SocketKind[] = ['plain', 'bytes', 'large', 'fragments'],
): Promise<HandoffLoad> {
  const specs = kinds.map((kind, n) => ({
    n,
    uid: 1 + n,
    device: 'd',
    channel: 'web' as const,
    kind,
    source: `127.0.0.${1 + n}`,
  }));
  load = await HandoffLoad.open(port, specs);
  return load;
}

async function faultsAfterPings(
  accepted: readonly Accepted[] = [],
  kinds?: readonly SocketKind[],
): Promise<string[]> {
  const opened = await open(kinds);
  await opened.startPings(100);
  await new Promise((resolve) => setTimeout(resolve, 600));
  await opened.stopPings(700);
  return auditSockets(await opened.report(), accepted);
}

test('nothing is found where nothing is wrong, and every kind sends as it should', async () => {
  expect(await faultsAfterPings()).toEqual([]);
  const reports = (await load?.report()) ?? [];
  expect(reports.map(({ kind }) => kind)).toEqual(['plain', 'bytes', 'large', 'fragments']);
  for (const { kind, pingsSent, pingsAnswered, local, n } of reports) {
    expect(pingsSent, kind).toBeGreaterThan(1);
    expect(pingsAnswered, kind).toBe(pingsSent);
    expect(local).toMatch(new RegExp(`^127\\.0\\.0\\.${1 + n}:\\d+$`));
  }
  expect(reports[3]?.pongs).toBe(reports[3]?.pingsSent);
  expect(reads.filter((size) => size === 1).length, 'reads of one byte').toBeGreaterThan(50);
});

const kinds: readonly SocketKind[] = ['plain', 'bytes', 'large', 'fragments'];
for (const [n, kind] of kinds.entries()) {
  test(`an answer that is missing is found on a socket of kind ${kind}`, async () => {
    let dropped = false;
    lie = ({ cmd, id }, _reply, ws) => {
      const here = users.get(1 + n)?.has(ws) && cmd === 'ping' && id === '2' && !dropped;
      if (here) dropped = true;
      return here === true;
    };
    const faults = await faultsAfterPings();
    expect(dropped).toBe(true);
    expect(faults.join('\n')).toContain(`socket ${n} (${kind}, user ${1 + n}, d, 127.0.0.${1 + n}:`);
    expect(faults.join('\n')).toMatch(/ping 3 was answered before ping 2/);
    expect(faults.join('\n')).toMatch(/1 pings without answer: 2\b/);
    expect(faults.every((fault) => fault.startsWith(`socket ${n} `))).toBe(true);
  });
}

test('an answer that comes twice is found', async () => {
  lie = ({ cmd, id }, reply) => {
    if (cmd === 'ping' && id === '3') reply();
    return false;
  };
  const faults = await faultsAfterPings([], ['plain']);
  expect(faults).toEqual([expect.stringMatching(/^socket 0 .*: ping 3 was answered twice$/)]);
});

test('answers in another order, refused, or never asked for are found', async () => {
  let first: (() => void) | null = null;
  lie = ({ cmd, id }, reply) => {
    if (cmd !== 'ping') return false;
    if (id === '2') first = reply;
    else if (id === '3') {
      reply();
      first?.();
    } else if (id === '4') reply({ code: 429, msg: 'too many' });
    else if (id === '5') {
      reply();
      reply({ id: '9999' });
    } else return false;
    return true;
  };
  const faults = (await faultsAfterPings([], ['plain'])).join('\n');
  expect(faults).toContain('ping 3 was answered before ping 2');
  expect(faults).toContain('ping 4 was answered 429 too many');
  expect(faults).toContain('ping 9999 was answered and was never sent');
});

test('pushes that are lost, doubled, or somebody else’s are found, and what came is acknowledged', async () => {
  const acked: string[] = [];
  lie = ({ cmd, body }) => {
    if (cmd === 'ack') acked.push(...(body?.ids ?? []));
    return false;
  };
  const opened = await open(['plain', 'plain', 'plain']);
  push(1, '10');
  push(2, '11');
  push(2, '11');
  push(2, '12', users.get(3));
  push(3, '13');
  const accepted = [1, 2, 2, 3, 1].map((uid, k) => ({ id: String(10 + k), uid, title: `t${10 + k}` }));
  await expect.poll(() => opened.itemCount()).toBe(4);
  await expect.poll(() => acked.length).toBe(5);
  await opened.stopPings(1000);
  const faults = auditSockets(await opened.report(), accepted).join('\n');
  expect(faults).toMatch(/socket 0 .*1 accepted messages never came: t14 \(14\)/);
  expect(faults).toMatch(/socket 1 .*t11 \(11\) came 2 times, expected once/);
  expect(faults).toMatch(/socket 1 .*1 accepted messages never came: t12 \(12\)/);
  expect(faults).toMatch(/socket 2 .*t12 \(12\) of user 2 came/);
  expect(faults).not.toMatch(/t10|t13/);
});

test('a close is found with its code, and so is a connection that just ends', async () => {
  lie = ({ cmd, id }, _reply, ws) => {
    if (cmd !== 'ping' || id !== '2') return false;
    if (users.get(1)?.has(ws)) ws.close(1012, 'x');
    else ws.terminate();
    return true;
  };
  const faults = await faultsAfterPings([], ['plain', 'plain']);
  expect(faults).toHaveLength(2);
  expect(faults[0]).toMatch(/^socket 0 .*was closed with 1012/);
  expect(faults[1]).toMatch(/^socket 1 .*was closed with no close frame/);
  expect(await load?.closedCount()).toBe(2);
  const reports = (await load?.report()) ?? [];
  expect(auditSockets(reports, [], { mayClose: ({ n }) => n === 0 })).toEqual([faults[1]]);
});

test('a pause is measured from the last byte of a ping to its answer', async () => {
  lie = ({ cmd, id }, reply) => {
    if (cmd !== 'ping' || id !== '3') return false;
    setTimeout(reply, 250);
    return true;
  };
  const opened = await open(['bytes']);
  await opened.startPings(0);
  await opened.takePeriod();
  await expect
    .poll(async () => (await opened.report())[0]?.pingsAnswered, { timeout: 5000 })
    .toBeGreaterThan(3);
  const { pingPauses, pings } = await opened.takePeriod();
  expect(pingPauses[0]).toBeGreaterThan(240);
  expect(pingPauses[0]).toBeLessThan(450);
  expect(percentile(pings, 0.5)).toBeLessThan(100);
  await opened.stopPings();
  await opened.takePeriod();
  expect((await opened.takePeriod()).pingPauses).toEqual([]);
});

test('the kernel’s table tells a connection that was replaced from one that stayed, and who holds it', async () => {
  const opened = await open(['plain', 'plain']);
  const before = establishedTo(port);
  const reports = await opened.report();
  expect(auditTcp(reports, before, establishedTo(port))).toEqual([]);
  expect(auditHolders(reports, before, socketHolders([process.pid]))).toEqual([]);
  expect(auditHolders(reports, before, socketHolders([]))).toHaveLength(2);
  expect(auditHolders(reports, before, socketHolders([process.pid, process.pid]))[0]).toContain('found 2');
  const swapped = new Map(before).set(reports[0]?.local ?? '', { inode: '1', unsentBytes: 0 });
  expect(auditTcp(reports, before, swapped)).toEqual([expect.stringMatching(/^socket 0 .*another one/)]);
  for (const socket of users.get(1) ?? []) socket.terminate();
  await expect.poll(() => opened.closedCount()).toBe(1);
  expect(auditTcp(reports, before, establishedTo(port))).toEqual([
    expect.stringMatching(/^socket 0 .*any more$/),
  ]);
});

test('the poster keeps its rate, sends again what was refused, and knows what was answered', async () => {
  refuseOnce = true;
  poster = new HandoffPoster(port);
  await poster.start([1, 2, 3], 400, 'x');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const posted = await poster.stop();
  expect(posted.sent).toBeGreaterThan(300);
  expect(posted.sent).toBeLessThan(500);
  expect(posted.retries).toBe(1);
  expect(auditPosted(posted)).toEqual([]);
  expect(posts.map(({ id }) => `stored-${id}`).sort()).toEqual(posted.accepted.map(({ id }) => id).sort());
  const spread = [1, 2, 3].map((uid) => posted.accepted.filter((one) => one.uid === uid).length);
  expect(Math.min(...spread)).toBeGreaterThan(posted.sent / 4);
  expect(auditPosted({ ...posted, sent: posted.sent + 1 })).toHaveLength(1);
});

test('a plan has every kind, users with several devices, and more sources than one when they are needed', () => {
  const plan = planSockets(300, 1);
  expect(plan).toEqual(planSockets(300, 1));
  expect(new Set(plan.map(({ kind }) => kind)).size).toBe(4);
  const devices = new Map<number, number>();
  for (const { uid } of plan) devices.set(uid, (devices.get(uid) ?? 0) + 1);
  expect(new Set(devices.values())).toEqual(new Set([1, 2, 3]));
  const sources = new Set(planSockets(40_000, 1).map(({ source }) => source));
  expect(sources).toEqual(new Set(['127.0.0.1', '127.0.0.2', '127.0.0.3']));
});
