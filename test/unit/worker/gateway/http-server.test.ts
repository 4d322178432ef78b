import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { PIPELINED_MAX, PIPELINED_PROMISED } from '../../../../src/worker/gateway/http-connections.js';
import { isBetweenMessages } from '../../../../src/worker/gateway/http-parser.js';
import { HEADER_LINES_MAX } from '../../../../src/worker/gateway/request-head.js';
import { type Client, HttpSite, until } from '../../../support/http-site.js';

/** As http-connections.ts has them. */
const LEAD_MS = 1000;
const GRACE_MS = 2000;
const STALLED_MS = 60_000;

let site: HttpSite;

beforeEach(async () => {
  site = await HttpSite.open();
});
afterEach(() => site.dispose());

/** What has arrived of the newest call's body. */
function bodyBytes(): number {
  return site.requests.at(-1)?.body.length ?? 0;
}

/** How many requests Node has made objects of since. */
function countMade(): () => number {
  let made = 0;
  const count = (): void => {
    made += 1;
  };
  subscribe('http.server.request.start', count);
  onTestFinished(() => void unsubscribe('http.server.request.start', count));
  return () => made;
}

const CLOSES = /^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n(.*\r\n)*\r\ndone$/;

/** Several looks at the connections have been taken. */
function looks(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200));
}

test('a call that is under way when the server closes is answered, and told that none follows', async () => {
  const client = await site.client();
  client.call();
  await until(() => site.calls.length > 0);
  const closed = site.server.close();
  await site.answer();
  await until(() => client.ended);
  expect(client.text).toMatch(CLOSES);
  await closed;
});

test('a call that comes a moment after the server began to close is answered, on new and on kept connections', async () => {
  const kept = await site.keptClient();
  const fresh = await site.client();
  await until(() => site.server.connections === 2);
  const closed = site.server.close();
  for (const client of [kept, fresh]) {
    site.clock.advance(LEAD_MS / 4);
    await looks();
    client.text = '';
    client.call();
    await site.answer();
    await until(() => client.ended);
    expect([client.text, client.fault]).toEqual([expect.stringMatching(CLOSES), null]);
  }
  await closed;
});

test('what is idle when the server closes ends a moment later, without an error', async () => {
  const clients = [await site.keptClient(), await site.client()];
  await until(() => site.server.connections === 2);
  const closed = site.server.close();
  await looks();
  expect(clients.map(({ ended }) => ended)).toEqual([false, false]);
  site.clock.advance(LEAD_MS);
  await closed;
  await until(() => clients.every(({ ended }) => ended));
  expect(clients.map(({ fault }) => fault)).toEqual([null, null]);
});

test.each([
  ['a head', 'POST /'],
  ['a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n'],
])('%s that does not arrive holds up no end', async (_what, beginning) => {
  const client = await site.client();
  client.socket.write(beginning);
  await until(() => site.server.connections === 1);
  await looks();
  let closed = false;
  void site.server.close().then(() => {
    closed = true;
  });
  const trickle = setInterval(() => client.socket.write('a'), 10);
  site.clock.advance(GRACE_MS - 1);
  await looks();
  expect(closed).toBe(false);
  site.clock.advance(GRACE_MS);
  await until(() => closed && client.ended);
  clearInterval(trickle);
  expect(client.text).toMatch(/^HTTP\/1.1 408 /);
});

test('a call that arrived whole is answered before one behind it is ended, whose body does not arrive', async () => {
  const client = await site.client();
  client.call();
  await until(() => site.calls.length === 1);
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n');
  await until(() => site.calls.length === 2);
  const closed = site.server.close();
  for (let n = 0; n < 2; n += 1) {
    site.clock.advance(GRACE_MS);
    await looks();
  }
  expect(client.text).toBe('');
  await site.answer();
  await until(() => client.ended);
  expect(client.text).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\ndoneHTTP\/1.1 408 /);
  await closed;
});

test('a body that comes at a rate may take longer', async () => {
  const client = await site.client();
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
  await until(() => site.calls.length === 1);
  const closed = site.server.close();
  for (let sent = 0; sent < 100_000; sent += 25_000) {
    client.socket.write('a'.repeat(25_000));
    await until(() => bodyBytes() === sent + 25_000);
    site.clock.advance(GRACE_MS);
    await looks();
  }
  await site.answer();
  await until(() => client.ended);
  expect(client.text).toMatch(CLOSES);
  await closed;
});

test('a connection goes to another Worker between two calls, and its bytes with it', async () => {
  const kept = await site.keptClient();
  const fresh = await site.client();
  const half = await site.keptClient();
  half.socket.write('POST / HTTP/1.1\r\nHo');
  const busy = await site.client();
  busy.call();
  await until(() => site.calls.length === 1 && site.server.connections === 4);
  await looks();
  const left = site.server.leave();
  await until(() => site.givenBack.length === 2);
  await looks();
  expect(site.givenBack.length).toBe(2);
  await site.answer();
  await until(() => site.givenBack.length === 3);
  half.text = '';
  half.socket.write('st: a\r\nContent-Length: 0\r\n\r\n');
  await site.answer();
  await until(() => half.text.includes('done'));
  expect(half.text).not.toContain('Connection: close');
  await left;
  expect([site.givenBack.length, site.server.connections]).toEqual([4, 0]);
  // Here the other copy of the descriptor is missing, so the connections end; nobody was sent anything.
  await until(() => [kept, fresh, busy].every(({ ended }) => ended));
  expect([fresh.text, kept.fault, busy.fault]).toEqual(['', null, null]);
});

test('the first call of a connection that another Worker kept may take its time, that of a new one not', async () => {
  const fresh = await site.client();
  await until(() => site.server.connections === 1);
  site.kept = true;
  const kept = await site.client();
  const trickling = await site.client();
  await until(() => site.server.connections === 3);
  trickling.socket.write('GET / HTTP/1.1\r\n');
  // HandshakeSeconds is 1 here.
  await sleep(2500);
  expect([fresh.ended, trickling.ended, kept.ended]).toEqual([true, true, false]);
  expect([kept.text, trickling.text]).toEqual(['', expect.stringContaining('408')]);
  for (let n = 0; n < 2; n += 1) {
    kept.text = '';
    kept.call();
    await site.answer();
    await until(() => kept.text.includes('done'));
  }
  expect(kept.ended).toBe(false);
});

test('a connection that arrives while the Worker leaves goes on at once', async () => {
  const left = site.server.leave();
  await site.client();
  await until(() => site.givenBack.length === 1);
  await left;
});

test('what comes while a connection is on its way is not read here, and is served here when nobody took it', async () => {
  let answer: (taken: boolean) => void = () => {};
  site.giveBack = (socket) => {
    site.givenBack.push(socket);
    return new Promise((resolve) => {
      answer = resolve;
    });
  };
  const client = await site.keptClient();
  client.text = '';
  void site.server.leave();
  await until(() => site.givenBack.length === 1);
  client.call();
  await looks();
  expect(site.calls).toHaveLength(0);
  answer(false);
  await site.answer();
  await until(() => client.text.includes('done'));
  site.server.stay();
  client.text = '';
  client.call();
  await site.answer();
  await until(() => client.text.includes('done'));
  expect(client.ended).toBe(false);
});

test('a connection that had calls before it became a WebSocket is not closed with the idle ones', async () => {
  const client = await site.keptClient();
  client.upgrade();
  await until(() => site.upgraded.length === 1);
  await until(() => site.server.connections === 0);
  await site.server.leave();
  await site.server.close();
  site.clock.advance(10 * STALLED_MS);
  await looks();
  expect([client.ended, site.upgraded[0]?.destroyed, site.givenBack.length]).toEqual([false, false, 0]);
});

test('a client that sends calls without reading answers gets a few of them, and nothing of it is kept', async () => {
  for (let round = 0; round < 3; round += 1) {
    const client = await site.client();
    client.call(1000);
    await until(() => client.ended);
  }
  expect(site.server.connections).toBe(0);
  expect(site.calls.length).toBe(3 * PIPELINED_MAX);
  expect(site.refused).toEqual(['pipelined', 'pipelined', 'pipelined']);
});

test('behind the last one that may be under way nothing of what was sent ahead is made into a call', async () => {
  const made = countMade();
  const client = await site.client();
  client.call(1000);
  await until(() => client.ended);
  expect(made()).toBe(PIPELINED_MAX + 1);
});

test('calls without a Host are under the same bounds, and each is told what it lacks', async () => {
  const made = countMade();
  const flood = await site.client();
  flood.socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(3500));
  await until(() => flood.ended);
  expect(made()).toBeLessThanOrEqual(PIPELINED_MAX + 1);
  const one = await site.client();
  one.socket.write('GET / HTTP/1.1\r\n\r\n');
  await until(() => one.ended);
  expect(one.text).toMatch(/^HTTP\/1.1 400 /);
  expect(one.text).toContain('a request of HTTP/1.1 has a Host, this one has none');
  const old = await site.client();
  old.socket.write('GET / HTTP/1.0\r\n\r\n');
  await site.answer();
  await until(() => old.ended);
  expect(old.text).toMatch(/^HTTP\/1.1 200 /);
});

test('a call behind one whose answer ends the connection is not begun: its client sends it again', async () => {
  const client = await site.client();
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  client.call(3);
  await until(() => client.ended);
  expect([client.text.split('HTTP/1.1 ').length - 1, site.calls.length]).toEqual([1, 0]);
});

test('all calls that were sent ahead are answered when the server closes, and the last one says that it is', async () => {
  const client = await site.client();
  client.call(PIPELINED_PROMISED - 1);
  await until(() => site.calls.length === PIPELINED_PROMISED - 1);
  const closed = site.server.close();
  client.call();
  await until(() => site.calls.length === PIPELINED_PROMISED);
  for (let n = 0; n < PIPELINED_PROMISED; n += 1) await site.answer();
  await closed;
  await until(() => client.ended);
  const answers = client.text.split('HTTP/1.1 200 OK').slice(1);
  expect(answers.map((text) => /Connection: close/.test(text))).toEqual([
    ...Array.from({ length: PIPELINED_PROMISED - 1 }, () => false),
    true,
  ]);
});

test.each([
  ['what is no HTTP', 'junk\r\n\r\n', /doneHTTP\/1.1 400 /],
  ['a head that is cut', 'GET / HT', /done$/],
])('%s behind calls is answered behind them', async (_what, text, end) => {
  const client = await site.client();
  client.call(3);
  client.socket.write(text);
  await until(() => site.calls.length === 3);
  for (let n = 0; n < 3; n += 1) await site.answer();
  await until(() => client.text.split('done').length === 4);
  if (end.source.includes('400')) await until(() => client.ended);
  expect(client.text).toMatch(end);
  expect(client.text.split('HTTP/1.1 200 OK').length - 1).toBe(3);
});

test('a connection that ends behind its last answer is not given to another Worker', async () => {
  const client = await site.client();
  client.call();
  client.socket.write('junk\r\n\r\n');
  await until(() => site.calls.length === 1);
  const left = site.server.leave();
  await site.answer();
  await until(() => client.ended);
  await left;
  expect(site.givenBack).toEqual([]);
  expect(client.text).toMatch(/doneHTTP\/1.1 400 /);
});

test('behind a call that says that it is the last one nothing is answered', async () => {
  const client = await site.client();
  client.socket.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  await site.answer();
  await until(() => client.ended);
  expect(client.text.split('HTTP/1.1 ').slice(1)).toEqual([expect.stringMatching(/^200 OK/)]);
});

test('calls that a client sends ahead are answered in order', async () => {
  const client = await site.client();
  client.call(PIPELINED_MAX);
  for (let n = 0; n < PIPELINED_MAX; n += 1) await site.answer();
  await until(() => client.text.split('done').length === PIPELINED_MAX + 1);
  expect(site.refused).toEqual([]);
});

test('the oldest silent connection goes when there is no room, then the oldest kept one, never a busy one', async () => {
  site.limits = { max: 4, perAddress: 100 };
  const busy = await site.client();
  busy.call();
  await until(() => site.calls.length === 1);
  const waiting = site.calls.shift();
  const kept: Client[] = [await site.keptClient(), await site.keptClient()];
  const silent = await site.client();
  await until(() => site.server.connections === 4);

  await site.client();
  await until(() => silent.ended);
  expect(kept.map(({ ended }) => ended)).toEqual([false, false]);
  const second = await site.keptClient();
  await looks();
  // The silent one before it has gone for `second`.
  expect([...kept, second].map(({ ended }) => ended)).toEqual([false, false, false]);

  await site.keptClient();
  await until(() => kept[0]?.ended === true);
  expect(kept[1]?.ended).toBe(false);
  waiting?.end('done');
  await until(() => busy.text.includes('done'));
});

test('a new connection is closed at once when all are busy', async () => {
  site.limits = { max: 2, perAddress: 100 };
  for (let n = 1; n <= 2; n += 1) {
    const client = await site.client();
    client.call();
    await until(() => site.calls.length === n);
  }
  const third = await site.client();
  await until(() => third.ended);
  expect([site.refused, site.server.connections]).toEqual([['http'], 2]);
});

test('one address has its own share, out of which its oldest idle connection goes', async () => {
  site.limits = { max: 100, perAddress: 2 };
  const other = await site.client();
  await until(() => site.server.connections === 1);
  site.addressKey = (address) => address;
  const first = await site.client();
  const second = await site.client();
  await until(() => site.server.connections === 3);
  const third = await site.client();
  await until(() => first.ended);
  expect([other, second, third].map(({ ended }) => ended)).toEqual([false, false, false]);
});

async function answerThatNobodyTakes(): Promise<void> {
  const client = await site.client();
  client.socket.pause();
  client.call();
  await until(() => site.calls.length === 1);
  site.calls.shift()?.end(Buffer.alloc(32 * 1024 * 1024));
  await looks();
}

test('an answer that nobody takes is given up', async () => {
  await answerThatNobodyTakes();
  for (let n = 0; n < 2; n += 1) {
    site.clock.advance(STALLED_MS);
    await new Promise((resolve) => setTimeout(resolve, 5100));
  }
  expect(site.server.connections).toBe(0);
}, 20_000);

test('this Node tells whether a connection stands between two calls', async () => {
  const client = await site.client();
  await until(() => site.server.connections === 1);
  client.call();
  await until(() => site.calls.length === 1);
  const { socket } = site.calls[0] ?? {};
  await site.answer();
  await until(() => client.text.includes('done'));
  expect(socket && isBetweenMessages(socket)).toBe(true);
  client.socket.write('P');
  await looks();
  expect(socket && isBetweenMessages(socket)).toBe(false);
});

test('more header lines than the limit are refused whole, none is left out', async () => {
  const lines = (n: number): string => Array.from({ length: n }, (_, i) => `A${i}: 1\r\n`).join('');
  const client = await site.client();
  client.socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${lines(HEADER_LINES_MAX - 1)}\r\n`);
  await site.answer();
  await until(() => client.text.includes('done'));
  client.text = '';
  client.socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${lines(HEADER_LINES_MAX)}\r\n`);
  await until(() => client.ended);
  expect(client.text).toMatch(/^HTTP\/1.1 431 /);
  expect(site.calls.length).toBe(0);
});

/** As last-words.ts has it. */
const CLOSE_MS = 2000;

test('one that was told that it is too slow is closed, and what it sends then is no call', async () => {
  const client = await site.client({ stays: true });
  client.socket.write('GET / HTTP/1.1\r\n');
  await until(() => client.text.includes(' 408 '));
  client.socket.write('Host: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(() => site.server.connections === 0);
  expect(site.calls.length).toBe(0);
}, 15_000);

test('one that was told that it is too slow, and only stays, is closed a moment later', async () => {
  const client = await site.client({ stays: true });
  await until(() => client.text.includes(' 408 '));
  const told = performance.now();
  await until(() => site.server.connections === 0);
  expect(performance.now() - told).toBeLessThan(CLOSE_MS + 1000);
}, 15_000);

test('a handshake that is refused counts until its connection is closed', async () => {
  site.opens = false;
  const client = await site.client();
  client.upgrade();
  await until(() => site.upgraded.length === 1);
  // Its answer is not out yet.
  await looks();
  expect(site.server.connections).toBe(1);
  site.upgraded[0]?.destroy();
  await until(() => site.server.connections === 0);
});

test('an answer of which nothing is taken holds up the end for a few seconds only', async () => {
  await answerThatNobodyTakes();
  let left = false;
  void site.server.leave().then(() => {
    left = true;
  });
  await looks();
  site.clock.advance(4000);
  await looks();
  expect(left).toBe(false);
  site.clock.advance(1000);
  await until(() => left);
});

test('a body that arrives at a good rate is not cut, however much was answered on its connection', async () => {
  const client = await site.client();
  client.call();
  await until(() => site.calls.length === 1);
  site.calls.shift()?.end(Buffer.alloc(4 * 1024 * 1024));
  await until(() => client.text.length > 4 * 1024 * 1024);
  client.text = '';
  client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1024 * 1024}\r\n\r\n`);
  client.socket.write(Buffer.alloc(512 * 1024));
  await until(() => bodyBytes() === 512 * 1024);
  const left = site.server.leave();
  for (const kib of [768, 1024]) {
    client.socket.write(Buffer.alloc(256 * 1024));
    await until(() => bodyBytes() === kib * 1024);
    site.clock.advance(GRACE_MS);
    await looks();
  }
  await site.answer();
  await until(() => client.text.includes('done'));
  await left;
});

test('what is left can be cut', async () => {
  const client = await site.client();
  client.call();
  await until(() => site.calls.length === 1);
  const left = site.server.leave();
  site.server.cut();
  await left;
  await until(() => client.ended);
});
