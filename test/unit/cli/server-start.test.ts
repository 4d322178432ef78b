import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
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
    const items = new Map(
      stdout
        .split('\n')
        .slice(6)
        .map((line) => [line.slice(0, 15).trimEnd(), line.slice(15)]),
    );
    expect([...items.keys()].slice(0, -2)).toEqual([
      'main server',
      'run mode',
      'listen address',
      'websocket',
      'http',
      'processes',
      'connections',
      'log',
      'data',
      'control socket',
      'all keys',
      'connect',
      'push',
    ]);
    expect(Object.fromEntries(items)).toMatchObject({
      'main server': expect.stringContaining('spush 1.2.3'),
      'run mode': 'websocket, pushenv 0 (local)',
      'listen address': '127.0.0.1:8080 (this machine only, until Host is set)',
      websocket: 'ws://127.0.0.1:8080/',
      processes: '3 Worker, 2 TaskWorker, 1 CrontabScheduler',
      log: world.path('Log/websocket.log'),
      data: world.path('Data'),
      'control socket': world.path('Temp/websocket.sock'),
      push: "curl 127.0.0.1:8080/api/comment/message -d 'uid=176906&title=Hi'",
    });
    expect(items.get('connect')).toMatch(
      /^node .*docs\/examples\/reader\.mjs 176906 ws:\/\/127\.0\.0\.1:8080\/$/,
    );
    expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(20);
    expect(stdout).not.toContain('hunter2');
    expect(stdout).toContain('server start as pid 42, in the foreground');
  });

  test('the banner fits 80 columns in the project’s folder', async () => {
    const port = 65_535;
    const world = cliWorld({
      cwd: path.resolve(import.meta.dirname, '../../..'),
      env: { SPUSH_HOME: '/var/lib/spush', SPUSH_ROOT: tempFolder({ 'bootstrap.ts': '' }), NO_COLOR: '1' },
      runMaster: async ({ onReady }) => {
        onReady({ pid: 4_194_303, listen: `127.0.0.1:${port}`, warnings: [] });
        return 0;
      },
      columns: 80,
    });
    const { stdout } = await world.run('server', 'start', '-p', String(port));
    expect(stdout).toContain('docs/examples/reader.mjs');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('a server for others says where it is reached, and its mode where a command needs it', async () => {
    const world = cliWorld({
      env: { SPUSH_HOST: '0.0.0.0' },
      runMaster: async ({ onReady }) => {
        onReady({ pid: 42, listen: '0.0.0.0:8080', warnings: ['the log is a folder'] });
        return 0;
      },
    });
    const { stdout, stderr } = await world.run('server', 'start', '-mode=night');
    expect(stdout).toMatch(/\nlisten address 0\.0\.0\.0:8080 \(all addresses\)\n/);
    expect(stdout).toMatch(/\nwebsocket {6}ws:\/\/127\.0\.0\.1:8080\/( ws:\/\/[\d.]+:8080\/)?\n/);
    expect(stdout).toContain('spush config show -mode=night\n');
    expect(stderr).toBe('warning: the log is a folder\n');
  });

  test.each([
    [['-p', '9502']],
    [['-p=9502']],
    [['--port', '9502']],
    [['--p=9502']],
  ])('%j is the port', async (argv) => {
    let port: number | null = null;
    const runMaster: RunMaster = async ({ config }) => {
      port = config.system.Port;
      return 0;
    };
    expect(await cliWorld({ runMaster }).run('server', 'start', ...argv)).toMatchObject({ exitCode: 0 });
    expect(port).toBe(9502);
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

describe('a port that is taken', () => {
  async function takenPort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  test.each([[[]], [['-d']]])('is found before anything is started: %j', async (argv) => {
    const world = cliWorld({ mainFile: '/no/such/main.js' });
    const port = await takenPort();
    const { exitCode, stdout, stderr } = await world.run('server', 'start', '-p', String(port), ...argv);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^127.0.0.1:${port} is taken by .* \\(pid ${process.pid}\\)`));
    expect([existsSync(world.path('Temp')), existsSync(world.path('Log'))]).toEqual([false, false]);
  });

  test('by a program at another address is not', async () => {
    const started: RunMaster = async () => 0;
    const world = cliWorld({ runMaster: started, env: { SPUSH_HOST: '127.0.0.2' } });
    expect(await world.run('server', 'start', '-p', String(await takenPort()))).toMatchObject({
      exitCode: 0,
    });
  });

  test('keeps a restart from stopping what runs', async () => {
    const world = cliWorld();
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    const master = await startFakeMaster(paths, 'obedient');
    const { exitCode, stderr } = await world.run('server', 'restart', '-p', String(await takenPort()));
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('is taken by')]);
    expect(await identityOf(master.pid)).not.toBeNull();
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
    const { exitCode, stdout, stderr } = await world.run(
      'server',
      'start',
      '-d',
      '--port=5',
      '--set=gzcp.deadlineMs=2',
      '--json',
    );
    expect([exitCode, stderr]).toEqual([0, '']);
    const { pid, listen } = JSON.parse(stdout) as { pid: number; listen: string };
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(listen).toBe('127.0.0.1:8080');
    const session = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(pid);
    expect(JSON.parse(readFileSync(world.path('Log/websocket.log'), 'utf8'))).toEqual([
      'master',
      'spush.websocket.Master',
      {
        t: 'start',
        mode: 'websocket',
        settings: { Port: '5', 'gzcp.deadlineMs': '2' },
        launchPath: '/no/such/bin/spush.js',
      },
    ]);
  });

  test('prints the banner and the pid', async () => {
    const { stdout } = await started(READY).run('server', 'start', '-d');
    expect(stdout).toContain('main server');
    expect(stdout).toMatch(/server start as pid \d+, in the background; spush server stop ends it\n$/);
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
