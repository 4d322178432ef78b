import { expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const DONE = {
  id: 1,
  ok: true,
  data: {
    key: 'MaxLinkNumber',
    before: 10_000,
    after: 20_000,
    warning: null,
  },
};

async function running(answer: unknown = DONE) {
  const world = cliWorld();
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'config.set': [answer],
  });
  return { world, requests };
}

test.each([
  [['MaxLinkNumber', '20000'], '20000'],
  [['MaxLinkNumber=20000', '-mode=websocket'], '20000'],
  [['-mode=websocket', 'MaxLinkNumber', '{"a=b": 1}'], '{"a=b": 1}'],
  [['MaxLinkNumber='], ''],
  [['MaxLinkNumber', '-1'], '-1'],
  [['MaxLinkNumber', '--', '-1'], '-1'],
])('config set %j', async (argv, value) => {
  const { world, requests } = await running();
  expect(await world.run('config', 'set', ...argv)).toEqual({
    exitCode: 0,
    stdout:
      'MaxLinkNumber: 10000 → 20000\nuntil the next reload or restart; to keep it, set it in its file as well\n',
    stderr: '',
  });
  expect(requests.slice(1)).toEqual([{ cmd: 'config.set', args: { key: 'MaxLinkNumber', value } }]);
});

test('--json prints the change', async () => {
  const { world } = await running();
  expect(JSON.parse((await world.run('config', 'set', 'MaxLinkNumber', '20000', '--json')).stdout)).toEqual(
    DONE.data,
  );
});

test.each([
  [[], 'expected a key and a value: spush config set KEY VALUE'],
  [['MaxLinkNumber'], 'expected a key and a value'],
  [['=5'], 'expected a key and a value'],
  [['', '5'], 'expected a key and a value'],
  [['MaxLinkNumber', '1', '2'], "spush config set: unexpected word '2'"],
])('config set %j is wrong', async (argv, text) => {
  const { world, requests } = await running();
  const { exitCode, stdout, stderr } = await world.run('config', 'set', ...argv);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toContain(text);
  expect(requests).toEqual([]);
});

test.each([
  ['CONFIG_KEY_UNKNOWN', 2],
  ['CONFIG_KEY_RESTART', 1],
  ['CONFIG_VALUE_INVALID', 78],
])('%s ends with %d', async (code, exitCode) => {
  const { world } = await running({ id: 1, ok: false, error: { code, message: 'no' } });
  expect(await world.run('config', 'set', 'X', '1')).toEqual({ exitCode, stdout: '', stderr: 'no\n' });
});

test('config set WorkerNum tells how far it is', async () => {
  const world = cliWorld();
  await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'config.set': [
      { id: 1, event: { text: 'Worker.2 started (3)' } },
      { id: 1, ok: true, data: { key: 'WorkerNum', before: 2, after: 3 } },
    ],
  });
  expect(await world.run('config', 'set', 'WorkerNum', '3')).toEqual({
    exitCode: 0,
    stdout:
      'Worker.2 started (3)\nWorkerNum: 2 → 3\nuntil the next reload or restart; to keep it, set it in its file as well\n',
    stderr: '',
  });
});
