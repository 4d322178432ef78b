import { expect, test } from 'vitest';
import type { MessageShown } from '../../../src/shared/protocol/inspections.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const ID = '1574620951744348160';
const SHOWN: MessageShown = {
  id: ID,
  kind: 'comment',
  uid: 176_906,
  state: 'pending',
  replacedBy: null,
  settled: false,
  deliver: 'cron',
  waitsForJob: 'PushCommentMsg',
  createdAt: '2021-02-03T04:05:06.000Z',
  expiresAt: '2021-02-10T04:05:06.000Z',
  sentAt: null,
  ackedAt: null,
  readAt: null,
  receipts: null,
  storedIn: 'store',
  node: null,
  bytes: 37,
};

async function running(answer: unknown, columns?: number) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...(columns === undefined ? {} : { columns }) });
  const requests = await controlServer(world.path('Temp/websocket.sock'), { 'message.show': [answer] });
  return { world, requests };
}
const ok = (shown: Partial<MessageShown>) => ({ id: 1, ok: true, data: { ...SHOWN, ...shown } });

test('message show has a row for each thing that is known', async () => {
  const { world, requests } = await running(ok({}), 80);
  const { exitCode, stdout } = await world.run('message', 'show', ID);
  expect(exitCode).toBe(0);
  expect(requests).toEqual([{ cmd: 'message.show', args: { id: ID } }]);
  expect(stdout).toMatch(/│ state +│ pending: waits for the next run of PushCommentMsg +│/);
  expect(stdout).toMatch(/│ accepted +│ 2021-02-03 \d\d:05:06 +│/);
  expect(stdout).toMatch(/│ stored in +│ the store +│/);
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
});

test('--json is what the master answered, on one line', async () => {
  const { world } = await running(ok({}));
  const { stdout } = await world.run('message', 'show', ID, '--json');
  expect(stdout).toMatch(/^[^\n]+\n$/);
  expect(JSON.parse(stdout)).toEqual(SHOWN);
});

test.each<[Partial<MessageShown>, RegExp]>([
  [{ waitsForJob: null }, /state +│ pending: not sent to anybody yet/],
  [{ state: 'sent' }, /state +│ sent: written to a connection, not acknowledged; it comes again/],
  [
    { state: 'sent', settled: true },
    /state +│ sent: the client does not acknowledge, and is known to have it/,
  ],
  [{ state: 'sent', uid: null, receipts: { sent: 3, acked: 2, read: 1 } }, /sent 3, acknowledged 2, read 1/],
  [{ state: 'replaced', replacedBy: '1574620951744348161' }, /state +│ replaced by 1574620951744348161/],
  [{ state: 'expired' }, /state +│ expired: nobody acknowledged it in time/],
  [{ storedIn: 'spill', node: 'web2' }, /stored in +│ the spill of web2, until the database has it/],
])('says in words what %j means', async (shown, text) => {
  const { world } = await running(ok(shown));
  expect((await world.run('message', 'show', ID)).stdout).toMatch(text);
});

test.each([
  ['NOT_FOUND', 1],
  ['STORE_UNAVAILABLE', 1],
  ['NODES_SILENT', 4],
])('an answer %s is exit %i, with its text', async (code, exit) => {
  const { world } = await running({ id: 1, ok: false, error: { code, message: 'why it is so' } });
  const { exitCode, stdout, stderr } = await world.run('message', 'show', ID);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: exit, stdout: '', stderr: 'why it is so\n' });
});

test.each([
  [[], 'say which message: spush message show ID'],
  [['123'], '"123" is not the id of a message: expected 19 digits'],
  [['99999999999999999999'], 'is not the id of a message'],
])('message show %j is wrong usage', async (words, text) => {
  const { exitCode, stderr } = await cliWorld().run('message', 'show', ...words);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(text);
});
