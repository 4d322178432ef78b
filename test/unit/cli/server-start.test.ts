import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { identityOf } from '../../../src/platform/instance/process-identity.js';
import type { RunMaster, RunMasterOptions } from '../../../src/platform/instance/run-master.js';
import { SpushError } from '../../../src/shared/base/errors.js';
import { type CliWorld, type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { startFakeMaster } from '../../support/fake-master.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('in the foreground', () => {
  const ready: RunMaster = async ({ onReady }) => {
    onReady({ pid: 42, listen: '127.0.0.1:8080', warnings: [] });
    return 0;
  };

  test('the banner comes when everything listens, in the order of old', async () => {
    let before: unknown = null;
    const seen: RunMasterOptions[] = [];
    const world: CliWorld = cliWorld({
      runMaster: async (options) => {
        seen.push(options);
        before = world.written();
        options.onReady({ pid: 42, listen: '127.0.0.1:8080', warnings: [] });
        return 7;
      },
      env: { SPUSH_API_KEYS: '{"gzcp":"hunter2"}' },
    });
    const { exitCode, stdout, stderr } = await world.run(
      'server',
      'start',
      '--port=0',
      '--set',
      'WorkerNum=3',
    );
    expect([exitCode, stderr, before]).toEqual([7, '', { stdout: '', stderr: '' }]);
    expect(seen[0]?.config.system).toMatchObject({ Port: 0, WorkerNum: 3 });
    expect(stdout).toMatch(/^ +_\n {2}___ _ __ /);
    const items = stdout.split('\n').filter((line) => line[30] !== ' ' && line[29] === ' ');
    const names = items.map((line) => line.slice(0, 30).trimEnd());
    expect(names.slice(0, 5)).toEqual([
      'main server',
      'listen address',
      'listen port',
      'WorkerNum',
      'TaskWorkerNum',
    ]);
    expect(names.slice(-8)).toEqual([
      'api.keys',
      'spush version',
      'node version',
      'run mode',
      'pushenv',
      'temp dir',
      'log dir',
      'data dir',
    ]);
    expect(stdout).toContain(`listen port${' '.repeat(19)}8080\n`);
    expect(stdout).toContain(`api.keys${' '.repeat(22)}***\n`);
    expect(stdout).not.toContain('hunter2');
    expect(stdout).toContain('server start as pid 42, in the foreground');
  });

  test('is what -d=false means', async () => {
    expect(await cliWorld({ runMaster: ready }).run('server', 'start', '-d=false')).toMatchObject({
      exitCode: 0,
    });
  });

  test('--json prints one line', async () => {
    const { stdout } = await cliWorld({ runMaster: ready }).run('server', 'start', '--json');
    expect(JSON.parse(stdout)).toEqual({
      mode: 'websocket',
      pid: 42,
      listen: '127.0.0.1:8080',
      warnings: [],
    });
  });

  test('a start that fails prints no banner', async () => {
    const world = cliWorld({
      runMaster: async () => Promise.reject(new SpushError('PORT_TAKEN', 'port 1 is taken')),
    });
    const result = await world.run('server', 'start');
    expect(result).toEqual({ exitCode: 1, stdout: '', stderr: 'port 1 is taken\n' });
  });

  test('a faulty configuration is exit 78, and nothing is started', async () => {
    const world = cliWorld({ runMaster: ready, env: { SPUSH_WORKER_NUM: '0' } });
    const { exitCode, stdout, stderr } = await world.run('server', 'start', '--port=x');
    expect([exitCode, stdout]).toEqual([78, '']);
    expect(stderr).toContain('SPUSH_WORKER_NUM: WorkerNum is 0');
    expect(stderr).toContain('command line: Port is "x"');
    expect(existsSync(world.path('Temp'))).toBe(false);
  });

  test('what cannot happen is not hidden', async () => {
    const world = cliWorld({ runMaster: async () => Promise.reject(new TypeError('a bug')) });
    await expect(world.run('server', 'start')).rejects.toThrow('a bug');
  });

  test('a second start of the same mode is refused with the pid', async () => {
    const world = cliWorld({ runMaster: ready });
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    const master = await startFakeMaster(paths, 'obedient');
    for (const argv of [[], ['-d']]) {
      const { exitCode, stdout, stderr } = await world.run('server', 'start', ...argv);
      expect([exitCode, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`mode websocket is running already as pid ${master.pid}`);
    }
    expect(await world.run('server', 'start', '-mode=other')).toMatchObject({ exitCode: 0 });
  });
});

describe('in the background', () => {
  /** A program that is started in the place of main.js. */
  const started = (code: string, options: CliWorldOptions = {}) => {
    const mainFile = `${tempFolder({ 'main.mjs': code })}/main.mjs`;
    return cliWorld({ ...options, mainFile });
  };
  const READY = `process.send({ t: 'ready', pid: process.pid, listen: '127.0.0.1:8080' }, () => process.disconnect());`;

  test('returns when the master is ready, which lives on in a session of its own', async () => {
    const world = started(`
      process.once('message', (order) => {
        console.log(JSON.stringify([...process.argv.slice(2), order]));
        ${READY}
      });
      setInterval(() => {}, 1000);
    `);
    const { exitCode, stdout, stderr } = await world.run('server', 'start', '-d', '--port=5', '--json');
    expect([exitCode, stderr]).toEqual([0, '']);
    const { pid, listen } = JSON.parse(stdout) as { pid: number; listen: string };
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(listen).toBe('127.0.0.1:8080');
    const session = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(pid);
    expect(readFileSync(world.path('Log/websocket.log'), 'utf8')).toBe(
      '["master","spush.websocket.Master",{"t":"start","args":["--mode=websocket","--set=Port=5"]}]\n',
    );
  });

  test('prints the banner and the pid', async () => {
    const { stdout } = await started(READY).run('server', 'start', '-d');
    expect(stdout).toContain('main server');
    expect(stdout).toMatch(/server start as pid \d+, in the background, log .*Log\/websocket\.log\n$/);
  });

  test.each([
    ['PORT_TAKEN', 'port 9501 is taken', 1],
    ['CONFIG_INVALID', 'the configuration has 1 fault', 78],
    ['CODE_OF_TOMORROW', 'something', 1],
  ])('%s of the master is printed', async (code, message, exit) => {
    const report = JSON.stringify({ t: 'failed', code, message, exitCode: exit });
    const result = await started(`process.send(${report}, () => process.exit(${exit}));`).run(
      'server',
      'start',
      '-d',
    );
    expect(result).toEqual({ exitCode: exit, stdout: '', stderr: `${message}\n` });
  });

  test('a master that dies without a word leaves the end of its log', async () => {
    const world = started(`console.log('so far so good'); throw new Error('out of luck');`);
    const { exitCode, stderr } = await world.run('server', 'start', '-d');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('the master ended with code 1 before it was ready; the end of ');
    expect(stderr).toContain('so far so good\n');
    expect(stderr).toContain('Error: out of luck');
  });

  test('a master that is killed is said to be', async () => {
    const { stderr } = await started(`process.kill(process.pid, 'SIGKILL');`).run('server', 'start', '-d');
    expect(stderr).toContain('the master was ended by SIGKILL before it was ready; it wrote nothing to ');
  });

  test('a master that does not get ready is ended', async () => {
    const world = started(`console.log('pid ' + process.pid); setInterval(() => {}, 1000);`, {
      patience: { startMs: 1000 },
    });
    const { exitCode, stderr } = await world.run('server', 'start', '-d');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('was not ready in 1000 ms and was ended');
    const pid = Number(/pid (\d+)/.exec(stderr)?.[1]);
    expect(await identityOf(pid)).toBeNull();
  });

  test('a log that cannot be opened keeps nothing from starting, and what the master says of it is printed', async () => {
    const world = started(READY.replace("8080'", "8080', warnings: ['the log is a folder']"));
    mkdirSync(world.path('Log/websocket.log'), { recursive: true });
    const { exitCode, stderr } = await world.run('server', 'start', '-d');
    expect([exitCode, stderr]).toEqual([0, 'warning: the log is a folder\n']);
  });

  test('values of --set are in no command line', async () => {
    const world = started(`process.once('message', () => { ${READY} }); setInterval(() => {}, 1000);`);
    const { stdout } = await world.run('server', 'start', '-d', '--set=db.password=hunter2', '--json');
    const { pid } = JSON.parse(stdout) as { pid: number };
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('hunter2');
  });
});

describe('restart', () => {
  const ready: RunMaster = async ({ onReady }) => {
    onReady({ pid: 42, listen: '127.0.0.1:8080', warnings: [] });
    return 0;
  };

  test('stops, then starts', async () => {
    const world = cliWorld({ runMaster: ready });
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    const master = await startFakeMaster(paths, 'obedient');
    const { exitCode, stdout } = await world.run('server', 'restart');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`server stop for pid ${master.pid} at .*\\n(.*\\n)*server start as pid 42`),
    );
  });

  test('starts with a note where nothing runs', async () => {
    const { exitCode, stdout } = await cliWorld({ runMaster: ready }).run('server', 'restart');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^mode websocket is not running: .*; starting it\n(.*\n)*server start as pid 42/);
  });

  test('does not start when the stop failed', async () => {
    const world = cliWorld({ patience: { answerMs: 100, spareMs: 100 }, env: { SPUSH_STOP_SECONDS: '0.1' } });
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    await startFakeMaster(paths, 'stubborn');
    const { exitCode, stdout } = await world.run('server', 'restart');
    expect(exitCode).toBe(4);
    expect(stdout).not.toContain('server start');
  });

  test('does not stop what runs when the new configuration is faulty', async () => {
    const world = cliWorld();
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    const master = await startFakeMaster(paths, 'obedient');
    expect(await world.run('server', 'restart', '--port=x')).toMatchObject({ exitCode: 78, stdout: '' });
    expect(await identityOf(master.pid)).not.toBeNull();
  });
});
