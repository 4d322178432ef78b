/** How long each command that waits waits: as the running master says, not as the files of this shell say. */
import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';
import { startFakeMaster } from '../../support/fake-master.js';

const PATIENCE = { answerMs: 2000, spareMs: 10, startMs: 20 };
const SHELL = { SPUSH_STOP_SECONDS: '0.1', SPUSH_TASK_SECONDS: '0.15' };
const RUNNING = { StopSeconds: 0.2, TaskSeconds: 0.4 };

/** What a command says that got no answer from a master with these seconds. */
async function outwaited(
  seconds: object | undefined,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = SHELL,
) {
  const world = cliWorld({ env, patience: PATIENCE });
  await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket', ...(seconds && { seconds }) } }],
  });
  return world.run(...argv);
}

const COMMANDS = [
  { argv: ['server', 'reload'], running: 230, shell: 130 },
  { argv: ['process', 'kill', '--pid=1'], running: 630, shell: 280 },
  { argv: ['process', 'kill', '--pid=1', '-f'], running: 230, shell: 130 },
  { argv: ['process', 'killAll', '--yes'], running: 630, shell: 280 },
  { argv: ['task', 'reboot'], running: 630, shell: 280 },
  { argv: ['config', 'set', 'WorkerNum', '2'], running: 230, shell: 130 },
  { argv: ['crontab', 'run', '--name=X', '--wait'], running: 410, shell: 160 },
];

test.each(COMMANDS)('$argv waits as long as the running server lets its work take', async ({
  argv,
  running,
}) => {
  const { exitCode, stderr } = await outwaited(RUNNING, argv);
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(new RegExp(`did not answer [a-z.]+ in ${running} ms`));
});

test.each(COMMANDS)('$argv asks the files when the master does not say it', async ({ argv, shell }) => {
  const { stderr } = await outwaited(undefined, argv);
  expect(stderr).toMatch(new RegExp(`did not answer [a-z.]+ in ${shell} ms`));
});

test('a fault in the files does not matter where the master says it', async () => {
  const { stderr } = await outwaited(RUNNING, ['task', 'reboot'], { SPUSH_PORT: 'x' });
  expect(stderr).toContain('did not answer task.reboot in 630 ms');
});

test('a reload waits for the longer StopSeconds of the files, which counts from then on', async () => {
  const { stderr } = await outwaited(RUNNING, ['server', 'reload'], { SPUSH_STOP_SECONDS: '0.5' });
  expect(stderr).toContain('did not answer server.reload in 530 ms');
});

test('a stop is given up when the running server has had its StopSeconds', async () => {
  const world = cliWorld({ env: SHELL, patience: PATIENCE });
  const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
  mkdirSync(paths.temp);
  const master = await startFakeMaster(paths, 'slow', { seconds: { StopSeconds: 0.4, TaskSeconds: 1 } });
  const { exitCode, stderr } = await world.run('server', 'stop');
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`stop server fail for pid ${master.pid}: after 0.41 s still running`);
});
