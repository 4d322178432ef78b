import { expect, test } from 'vitest';
import type { ShownConnection, UserShown } from '../../../src/shared/protocol/inspections.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const NONE = { count: 0, sent: 0, held: 0, oldestAt: null };
const KINDS = { comment: NONE, userNotice: NONE, systemNotice: NONE };
const CONNECTION: ShownConnection = {
  node: 'front-1',
  process: 'spush.websocket.Worker.12',
  channel: 'app',
  device: 'iPhone \u001b[31m15',
  since: '2021-02-03T04:05:06.000Z',
  session: 'Qm3kfP0aZ7uWc1Xn',
  address: '203.0.113.207',
  connectedAt: '2021-02-03T04:05:05.000Z',
  heardMsAgo: 150_000,
  ack: false,
  unconfirmed: 12,
  unsentBytes: 123_456,
  replaying: true,
  leftOut: true,
  silentMs: 150_000,
};
const STORE: NonNullable<UserShown['store']> = {
  pending: 12,
  capped: false,
  kinds: { ...KINDS, comment: { count: 12, sent: 3, held: 2, oldestAt: '2021-02-03T04:05:06.000Z' } },
  next: ['1574620951744348160', '1574620951744348161', '1574620951744348162', '1574620951744348163'],
  unread: { comment: 14, userNotice: 0, systemNotice: 1, total: 15 },
};
const SHOWN: UserShown = {
  uid: 176_906,
  known: true,
  connections: [CONNECTION],
  silent: [],
  store: STORE,
  storeFault: null,
  spilled: [],
};

async function running(shown: UserShown, columns?: number) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...(columns === undefined ? {} : { columns }) });
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    'user.show': [{ id: 1, ok: true, data: shown }],
  });
  return { world, requests };
}

test('user show tells connections, what is pending by kind, unread and the next ids', async () => {
  const { world, requests } = await running(SHOWN);
  const { exitCode, stdout } = await world.run('user', 'show', '176906', '--next=4');
  expect(exitCode).toBe(0);
  expect(requests).toEqual([{ cmd: 'user.show', args: { uid: 176_906, next: 4 } }]);
  expect(stdout).toContain('user 176906: 1 connection, 12 messages pending, 15 unread\n');
  expect(stdout).toMatch(/│ front-1 │ Worker.12 │ app │ iPhone \?\[31m15 │ 203\.0\.113\.207 │/);
  expect(stdout).toContain('does not acknowledge, 12 unconfirmed, silent for 2m since a push');
  expect(stdout).toMatch(/│ comment +│ 12 +│ 3 +│ 2 +│ 2021-02-03 \d\d:05:06 │ 14 +│/);
  expect(stdout).toContain('next: 1574620951744348160 1574620951744348161 1574620951744348162\n      1574');
});

test('fits 80 columns, and what a client calls itself cannot move the cursor', async () => {
  const { world } = await running({ ...SHOWN, connections: [CONNECTION, CONNECTION] }, 80);
  const { stdout } = await world.run('user', 'show', '176906');
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(stdout).not.toContain('\u001b');
  expect(stdout).toContain('slow: 120.6 kb');
});

test('--json is what the master answered, on one line', async () => {
  const { world } = await running(SHOWN);
  const { stdout } = await world.run('user', 'show', '176906', '--json');
  expect(stdout).toBe(`${JSON.stringify(SHOWN)}\n`);
});

test('a process that did not answer is named, with exit 4', async () => {
  const { world } = await running({ ...SHOWN, silent: ['web2-5f3a9c0e/spush.websocket.Worker.0'] });
  const { exitCode, stdout } = await world.run('user', 'show', '176906');
  expect(exitCode).toBe(4);
  expect(stdout).toContain('warning: no answer from web2-5f3a9c0e/spush.websocket.Worker.0; what it holds');
  const json = await world.run('user', 'show', '176906', '--json');
  const message = 'no answer from web2-5f3a9c0e/spush.websocket.Worker.0; what it holds is not shown';
  expect(json.exitCode).toBe(4);
  expect(JSON.parse(json.stdout).error).toEqual({ code: 'NODES_SILENT', message, exitCode: 4 });
});

test('a store that did not answer is told with its reason, with exit 1, and the rest is shown', async () => {
  const storeFault = { code: 'STORE_UNAVAILABLE', text: 'the store did not answer within 1700 ms' };
  const spilled = [{ node: 'web1', pending: 2, kinds: KINDS }];
  const { world } = await running({ ...SHOWN, store: null, storeFault, spilled });
  const { exitCode, stdout } = await world.run('user', 'show', '176906');
  expect(exitCode).toBe(1);
  expect(stdout).toContain('user 176906: 1 connection\n');
  expect(stdout).toContain('front-1');
  expect(stdout).toContain('pending and unread cannot be known: the store did not answer within 1700 ms');
  expect(stdout).toContain('2 messages for this user in the spill of web1');
  const json = await world.run('user', 'show', '176906', '--json');
  const message = `what is pending and unread cannot be known: ${storeFault.text}`;
  expect(json.exitCode).toBe(1);
  const error = { code: 'STORE_UNAVAILABLE', message, exitCode: 1 };
  expect(JSON.parse(json.stdout)).toEqual({ ...SHOWN, store: null, storeFault, spilled, error });
});

test('a user whom nobody knows is told as such', async () => {
  const store = { ...STORE, pending: 0, kinds: KINDS, next: [] };
  const { world } = await running({ ...SHOWN, known: false, connections: [], store });
  const { exitCode, stdout } = await world.run('user', 'show', '176906');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^nobody knows user 176906: no connection on any node/);
});

test.each([
  [[], 'say which user: spush user show UID'],
  [['alice'], '"alice" is not the id of a user: expected a whole number from 1 to 9007199254740991'],
  [['-5'], '"-5" is not the id of a user: expected a whole number from 1'],
  [['99999999999999999999'], 'expected a whole number from 1 to 9007199254740991'],
  [['9007199254740992'], '"9007199254740992" is not the id of a user: expected a whole number from 1 to'],
  [['0'], '"0" is not the id of a user'],
  [['7', '--next=101'], '--next=101: expected a number from 0 to 100'],
  [['7', '8'], "spush user show: unexpected word '8'"],
])('user show %j is wrong usage', async (words, text) => {
  const { exitCode, stderr } = await cliWorld().run('user', 'show', ...words);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(text);
});

test('user show of what does not run is exit 3', async () => {
  expect((await cliWorld().run('user', 'show', '7')).exitCode).toBe(3);
});
