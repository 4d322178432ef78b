import { expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

test('log reopen asks the master, and says how many processes were told', async () => {
  const world = cliWorld();
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    'log.reopen': [{ id: 1, ok: true, data: { processes: 5 } }],
  });
  const { exitCode, stdout } = await world.run('log', 'reopen', '-mode=websocket');
  expect([exitCode, stdout]).toEqual([0, 'the log is opened anew by 5 processes\n']);
  expect(JSON.parse((await world.run('log', 'reopen', '--json')).stdout)).toEqual({ processes: 5 });
  expect(requests.map(({ cmd }) => cmd)).toEqual(['log.reopen', 'log.reopen']);
});

test('log reopen of what does not run is exit 3', async () => {
  expect(await cliWorld().run('log', 'reopen')).toMatchObject({ exitCode: 3, stdout: '' });
});
