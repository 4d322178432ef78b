/** What strangers of one address can take: connections that do not log in, and guesses of login keys. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { RefusedError, WsClient } from '../support/ws-client.js';

const LINKS = 100;
const READERS = 45;
const GUESSES = 200;
const TRIES = 60;
const STRANGER = '203.0.113.9';
const SCHOOL = '198.51.100.1';

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });

async function arrive(url: string, address: string, count: number) {
  const results = await Promise.allSettled(
    Array.from({ length: count }, () => WsClient.connect(url, from(address))),
  );
  const open = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const refused = results.flatMap((result) =>
    result.status === 'rejected' && result.reason instanceof RefusedError ? [result.reason.status] : [],
  );
  return { open, refused };
}

test('visitors of one address have a share, and others find room until all places are taken', async () => {
  const daemon = await Daemon.start({
    env: { SPUSH_WORKER_NUM: '1', SPUSH_MAX_LINK_NUMBER: String(LINKS) },
  });
  try {
    const strangers = await arrive(daemon.wsUrl, STRANGER, LINKS);
    expect(strangers.open.length).toBe(16);
    expect(new Set(strangers.refused)).toEqual(new Set([429]));
    const readers: WsClient[] = [];
    for (let uid = 1; uid <= READERS; uid += 1) {
      const reader = await WsClient.connect(daemon.wsUrl, from(SCHOOL));
      expect((await reader.ask('login', { ukey: `dev-${uid}` })).code).toBe(200);
      readers.push(reader);
    }
    const others = await Promise.all(
      [1, 2, 3, 4].map((n) => arrive(daemon.wsUrl, `203.0.113.${100 + n}`, 20)),
    );
    expect(others.reduce((sum, { open }) => sum + open.length, 0)).toBe(LINKS - READERS - 16);
    expect(new Set(others.flatMap(({ refused }) => refused))).toEqual(new Set([429, 503]));
    // A live key: those who are there stay.
    await daemon.run('config', 'set', 'VisitorsPerAddress', '5');
    await Promise.all(strangers.open.splice(5).map((client) => client.close()));
    const again = await arrive(daemon.wsUrl, STRANGER, 5);
    expect(again.open.length).toBe(0);
    for (const client of [...readers, ...strangers.open, ...others.flatMap(({ open }) => open)])
      client.socket.terminate();
  } finally {
    await daemon.dispose();
  }
});

let guessed: Daemon;
const site = new FakeGzcp((call, res) => {
  const uid = call.loginkey.startsWith('pupil-') ? 1 + Number(call.loginkey.slice(6)) : 0;
  setTimeout(() => answerJson(res, { code: 200, data: { uid } }), 5);
});

beforeAll(async () => {
  guessed = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '1',
      SPUSH_VISITORS_PER_ADDRESS: String(GUESSES),
      SPUSH_GZCP_VERIFY_URL: await site.listen(),
      SPUSH_GZCP_SECRET: 'between-us',
    },
  });
});
afterAll(async () => {
  await guessed?.dispose();
  await site.close();
});

test('guesses of one address that come together reach the main site as often as those in turn', async () => {
  const { open } = await arrive(guessed.wsUrl, STRANGER, GUESSES);
  expect(open.length).toBe(GUESSES);
  const codes = await Promise.all(
    open.map(async (client, n) => (await client.ask('login', { ukey: `guess-${n}` })).code),
  );
  expect(site.calls.length).toBe(TRIES);
  expect(codes.filter((code) => code === 401).length).toBe(TRIES);
  expect(codes.filter((code) => code === 429).length).toBe(GUESSES - TRIES);
  for (const client of open) client.socket.terminate();
});

test('a school behind one address logs in as a whole', async () => {
  const { open } = await arrive(guessed.wsUrl, SCHOOL, GUESSES);
  const codes = await Promise.all(
    open.map(async (client, n) => (await client.ask('login', { ukey: `pupil-${n}` })).code),
  );
  expect(codes).toEqual(Array(GUESSES).fill(200));
  for (const client of open) client.socket.terminate();
});
