import { chmodSync, existsSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { instanceFileOf, writeInstance } from '../../../src/platform/instance/instance-file.js';
import { identityOf } from '../../../src/platform/instance/process-identity.js';
import { type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';
import { type Manner, startFakeMaster } from '../../support/fake-master.js';
import { LIVES, runProgram } from '../../support/programs.js';
import { tempFolder } from '../../support/temp-folder.js';

/** Short waits for what never comes. */
const IMPATIENT = { patience: { answerMs: 100, spareMs: 200 }, env: { SPUSH_STOP_SECONDS: '0.1' } };

function prepared(options: CliWorldOptions = {}) {
  const world = cliWorld(options);
  const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
  mkdirSync(paths.temp);
  return { world, paths };
}

async function running(manner: Manner, options: CliWorldOptions = {}) {
  const { world, paths } = prepared(options);
  return { world, paths, master: await startFakeMaster(paths, manner) };
}

const isThere = async (pid: number) => (await identityOf(pid)) !== null;

describe('stop', () => {
  test('asks the master, shows what it waits for, and returns when it is gone', async () => {
    const { world, master } = await running('obedient');
    const { exitCode, stdout, stderr } = await world.run('server', 'stop');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      new RegExp(
        `^waiting for 3 tasks\\nserver stop for pid ${master.pid} at \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\n$`,
      ),
    );
    expect(await isThere(master.pid)).toBe(false);
  });

  test('prints events and the result as JSON for scripts', async () => {
    const { world, master } = await running('obedient');
    const { stdout } = await world.run('server', 'stop', '--json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      { event: { text: 'waiting for 3 tasks' } },
      { pid: master.pid, stoppedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    ]);
  });

  test('works while the configuration is faulty', async () => {
    const { world } = await running('obedient', { env: { SPUSH_PORT: 'x' } });
    expect(await world.run('server', 'stop')).toMatchObject({ exitCode: 0 });
  });

  test('of a master that does not answer falls back to SIGTERM', async () => {
    const { world, master } = await running('mute', IMPATIENT);
    const { exitCode, stdout } = await world.run('server', 'stop');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`the control socket does not answer; sending SIGTERM to pid ${master.pid}`);
    expect(await isThere(master.pid)).toBe(false);
  });

  test('of a master whose socket was removed falls back to SIGTERM', async () => {
    const { world, paths, master } = await running('obedient', IMPATIENT);
    unlinkSync(paths.socket);
    expect(await world.run('server', 'stop')).toMatchObject({ exitCode: 0 });
    expect(await isThere(master.pid)).toBe(false);
  });

  test('of a master whose files are all gone asks whoever listens for its pid', async () => {
    const { world, paths, master } = await running('obedient');
    unlinkSync(paths.pidFile);
    writeFileSync(instanceFileOf(paths), '');
    expect(await world.run('server', 'stop')).toMatchObject({ exitCode: 0 });
    expect(await isThere(master.pid)).toBe(false);
  });

  test('of somebody who listens and is no master signals nobody', async () => {
    const { world, paths } = prepared();
    const victim = await runProgram(LIVES);
    await victim.line();
    await controlServer(paths.socket, {
      ping: [{ id: 1, ok: true, data: { pid: victim.pid, mode: 'websocket' } }],
    });
    const { exitCode, stderr } = await world.run('server', 'stop', '-force');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `somebody answers at ${paths.socket} as pid ${victim.pid}, which is not its master here`,
    );
    expect(await isThere(victim.pid)).toBe(true);
  });

  test('of a master that takes no SIGTERM says what still runs and how to go on', async () => {
    const { world, master } = await running('stubborn', IMPATIENT);
    const { exitCode, stderr } = await world.run('server', 'stop');
    expect(exitCode).toBe(4);
    expect(stderr).toContain(
      `still running: spush.websocket.Master (pid ${master.pid}), spush.websocket.Worker.0`,
    );
    expect(stderr).toContain('spush server stop -force -mode=websocket');
    expect(await isThere(master.pid)).toBe(true);
  });

  test('of a master that does not get done fails', async () => {
    const { world, master } = await running('slow', { ...IMPATIENT, patience: { spareMs: 200 } });
    const { exitCode, stdout, stderr } = await world.run('server', 'stop');
    expect(exitCode).toBe(1);
    expect(stdout).toBe('waiting for 3 tasks\n');
    expect(stderr).toContain(`stop server fail for pid ${master.pid}: after 0.3 s still running`);
  });

  test('of a suspended master says so and sends nothing', async () => {
    const { world, master } = await running('obedient', IMPATIENT);
    master.child.kill('SIGSTOP');
    const { exitCode, stderr } = await world.run('server', 'stop');
    expect(exitCode).toBe(4);
    expect(stderr).toContain('is suspended (SIGSTOP)');
    master.child.kill('SIGCONT');
    expect(await world.run('server', 'stop')).toMatchObject({ exitCode: 0 });
  });
});

describe('stop of what does not run', () => {
  test('names the mode and the path', async () => {
    const { world, paths } = prepared();
    const { exitCode, stdout, stderr } = await world.run('server', 'stop');
    expect([exitCode, stdout]).toEqual([3, '']);
    expect(stderr).toBe(`mode websocket is not running: there is no pid file at ${paths.pidFile}\n`);
  });

  test('names the modes that do', async () => {
    const { world } = await running('obedient');
    const { stderr } = await world.run('server', 'stop', '-mode=other');
    expect(stderr).toMatch(/; running here: -mode=websocket\n$/);
  });

  test('names the home in which one does', async () => {
    const there = cliWorld();
    const { root } = there;
    const environment = { env: 0, envSource: 'default', root, home: root, program: '/opt', store: 'a file' };
    await controlServer(there.path('Temp/websocket.sock'), {
      ping: [{ id: 1, ok: true, data: { pid: 4711, mode: 'websocket', environment } }],
    });
    const here = cliWorld({ env: { SPUSH_ROOT: root, SPUSH_HOME: tempFolder() } });
    const { exitCode, stderr } = await here.run('server', 'stop');
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^mode websocket is not running: there is no pid file at /);
    expect(stderr).toContain(`; one runs as pid 4711 with SPUSH_ROOT=${root} SPUSH_HOME=${root}\n`);
  });

  test('does not touch another program that has its number', async () => {
    const { world, paths } = prepared();
    const other = await runProgram(LIVES);
    await other.line();
    const identity = await identityOf(other.pid);
    if (identity === null) throw new Error('it has ended');
    await writeInstance(paths, { owner: { ...identity, startTicks: identity.startTicks - 1 } });
    for (const argv of [['stop'], ['stop', '-force']]) {
      const { exitCode, stderr } = await world.run('server', ...argv);
      expect(exitCode).toBe(3);
      expect(stderr).toContain('mode websocket is not running');
    }
    expect(await isThere(other.pid)).toBe(true);
    expect(readdirSync(paths.temp)).toEqual([]);
  });

  test('with a pid file that makes no sense says so, and that the next start mends it', async () => {
    const { world, paths } = prepared();
    writeFileSync(paths.pidFile, 'hello');
    const { exitCode, stderr } = await world.run('server', 'stop');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`${paths.pidFile} does not hold the number of a process: it is garbled`);
    expect(stderr).toContain('the next start sets it aside');
  });

  test.each([
    ['stop'],
    ['stop', '-force'],
  ])('signals nobody whom a forged file names: %s %s', async (...argv) => {
    const { world, paths } = prepared();
    const victim = await runProgram(LIVES);
    await victim.line();
    const identity = await identityOf(victim.pid);
    if (identity === null) throw new Error('it has ended');
    // All of it is right but that it is no master.
    writeFileSync(instanceFileOf(paths), JSON.stringify(identity));
    writeFileSync(paths.pidFile, `${victim.pid}\n`);
    const { exitCode, stderr } = await world.run('server', ...argv);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`pid ${victim.pid} in ${paths.pidFile} is not its master any more`);
    expect(await isThere(victim.pid)).toBe(true);
  });

  test('believes no file that others can write, and says what to do', async () => {
    const { world, paths, master } = await running('obedient');
    unlinkSync(paths.socket);
    chmodSync(paths.temp, 0o777);
    for (const argv of [['stop'], ['stop', '-force']]) {
      const { exitCode, stderr } = await world.run('server', ...argv);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`${paths.temp} can be written by others (mode 0777)`);
      expect(stderr).toContain(`chmod go-w ${paths.temp}`);
    }
    expect(await isThere(master.pid)).toBe(true);
  });
});

describe('stop -force', () => {
  test.each<Manner>(['obedient', 'stubborn'])('of a %s master leaves nothing of the tree', async (manner) => {
    const { world, paths, master } = await running(manner);
    const { exitCode, stdout, stderr } = await world.run('server', 'stop', '-force');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain(
      `killed: spush.websocket.Master (pid ${master.pid}), spush.websocket.Worker.0 (pid`,
    );
    expect(stdout).toContain(`free again: port ${master.port}\n`);
    expect(stdout).toContain(`server stop for pid ${master.pid} at `);
    expect(await Promise.all([master.pid, ...master.children].map(isThere))).toEqual([false, false]);
    expect(readdirSync(paths.temp)).toEqual([]);
    await listenOn(master.port);
  });

  test('works on a suspended master', async () => {
    const { world, paths, master } = await running('obedient');
    master.child.kill('SIGSTOP');
    expect(await world.run('server', 'stop', '-force')).toMatchObject({ exitCode: 0 });
    expect(existsSync(paths.socket)).toBe(false);
  });

  test('=0 does not force', async () => {
    const { world } = await running('obedient');
    const { stdout } = await world.run('server', 'stop', '-force=0');
    expect(stdout).not.toContain('killed');
  });
});

/** Fails when the port is held. */
async function listenOn(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  server.close();
}
