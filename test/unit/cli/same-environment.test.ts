/** Neither a start nor a restart takes another environment unless somebody agrees. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { identityOf } from '../../../src/platform/instance/process-identity.js';
import type { RunMaster } from '../../../src/platform/instance/run-master.js';
import { PACKAGE_ROOT } from '../../../src/platform/program/program-files.js';
import type { Environment } from '../../../src/shared/protocol/environment.js';
import { type CliWorld, type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { startFakeMaster } from '../../support/fake-master.js';
import { tempFolder } from '../../support/temp-folder.js';
import { NODE, SITE } from '../platform/config/loading.js';

const TEST_NODE = { PUSHENV: '1', ...NODE, ...SITE };
const OF_TEST = {
  env: 1,
  envSource: 'PUSHENV',
  program: '/opt/spush',
  store: 'the database spush_t at 10.0.0.5:3306',
} as const;

/** A folder in which a server of some environment has run; `started` says whether another one was started. */
function worldAfter(before: Partial<Environment> | null, options: CliWorldOptions = {}) {
  let isStarted = false;
  const runMaster: RunMaster = async ({ onReady }) => {
    isStarted = true;
    onReady({ pid: 42, listen: '127.0.0.1:8080', warnings: [] });
    return 0;
  };
  const world: CliWorld = cliWorld({ runMaster, ...options });
  mkdirSync(world.path('Data'));
  const { root } = world;
  const file = world.path('Data/websocket.environment.json');
  const own: Environment = {
    env: 0,
    envSource: `${root}/bootstrap.ts`,
    root,
    home: root,
    program: '/opt/spush',
    store: 'a file',
  };
  if (before) writeFileSync(file, JSON.stringify({ ...own, ...before }));
  return { ...world, file, started: () => isStarted };
}

describe('a start over data of another environment', () => {
  test('is refused with what would change, who says so, and what to do', async () => {
    const { run, root, file, started } = worldAfter(OF_TEST);
    const { exitCode, stdout, stderr } = await run('server', 'start');
    expect([exitCode, stdout, started()]).toEqual([78, '', false]);
    expect(stderr.split('\n')).toEqual([
      'this start would change the environment of mode websocket:',
      '  PUSHENV: 1 (Test) → 0 (local)',
      `    the variable PUSHENV said 1 and is not set here; ${root}/bootstrap.ts says 0 now`,
      `  messages: the database spush_t at 10.0.0.5:3306 → the file ${root}/Data/websocket.db`,
      'nothing was stopped or started',
      '  to stay in the environment: PUSHENV=1 spush server start -mode=websocket',
      '  to change it: spush server start -mode=websocket --yes',
      `  to change it under systemd (variables: ${root}/environment): remove ${file}, then start`,
      '',
    ]);
  });

  test('with commands in which what was typed stands again, without secrets', async () => {
    const { run } = worldAfter(OF_TEST);
    const { stderr } = await run(
      ...['server', 'start', '-d', '-p', '9601', '--host=127.0.0.2'],
      ...['--set', 'MaxLinkNumber=55', '--set', 'gzcp.secret=hunter2', '--set', "NodeName=it's"],
    );
    const typed = `-d -mode=websocket --host=127.0.0.2 --port=9601 --set MaxLinkNumber=55 --set gzcp.secret='***' --set NodeName='it'\\''s'`;
    expect(stderr).toContain(`environment: PUSHENV=1 spush server start ${typed}\n`);
    expect(stderr).toContain(`to change it: spush server start ${typed} --yes\n`);
    expect(stderr).not.toContain('hunter2');
  });

  test('also the other way round, and before faults of an environment that nobody meant are listed', async () => {
    const right = await worldAfter({}, { env: TEST_NODE }).run('server', 'start', '-d');
    expect(right.exitCode).toBe(78);
    expect(right.stderr).toMatch(
      /bootstrap\.ts said 0; the variable PUSHENV says 1 now\n {2}messages: a file → the database spush_t/,
    );
    const faulty = await worldAfter({}, { env: { PUSHENV: '1' } }).run('server', 'start');
    expect(faulty.exitCode).toBe(78);
    expect(faulty.stderr).toContain('PUSHENV: 0 (local) → 1 (Test)\n');
    expect(faulty.stderr).toContain('messages: a file → a database server\n');
    expect(faulty.stderr).not.toContain('faults');
    const agreed = await worldAfter({}, { env: { PUSHENV: '1' } }).run('server', 'start', '--yes');
    expect(agreed.stderr).toMatch(/^the configuration has \d faults:/);
  });

  test('is another one in another root', async () => {
    const [other, home] = [tempFolder(), tempFolder()];
    const { run, root, started } = worldAfter(null, { env: { SPUSH_HOME: home } });
    mkdirSync(path.join(home, 'Data'));
    const before = {
      env: 0,
      envSource: 'PUSHENV',
      root: other,
      home,
      program: '/opt/spush',
      store: `the file ${home}/Data/websocket.db`,
    };
    writeFileSync(path.join(home, 'Data/websocket.environment.json'), JSON.stringify(before));
    const { exitCode, stderr } = await run('server', 'start');
    expect([exitCode, started()]).toEqual([78, false]);
    expect(stderr).toContain(
      `SPUSH_ROOT: ${other} → ${root}\n    SPUSH_ROOT is not set here, so it goes by the folder in which this was typed\n`,
    );
    expect(stderr).toContain(`SPUSH_ROOT=${other} spush server start`);
  });

  test.each([['--yes'], ['-y']])('goes on with %s, and says what changes', async (yes) => {
    const { run, started } = worldAfter(OF_TEST);
    const { exitCode, stderr } = await run('server', 'start', yes);
    expect([exitCode, started()]).toEqual([0, true]);
    expect(stderr).toMatch(
      /^this start changes the environment of mode websocket:\n {2}PUSHENV: 1 \(Test\) → 0/,
    );
  });

  test('is for a person to decide, where there is one', async () => {
    const no = worldAfter(OF_TEST, { answers: [''] });
    const refused = await no.run('server', 'start');
    expect([refused.exitCode, no.started()]).toEqual([78, false]);
    expect(refused.stderr).toMatch(/Go on\? \(y\/N\) \nnothing was stopped or started\n/);
    const yes = worldAfter(OF_TEST, { answers: ['y'] });
    expect([(await yes.run('server', 'start')).exitCode, yes.started()]).toEqual([0, true]);
  });

  test('is told by config check as well', async () => {
    const { run } = worldAfter(OF_TEST);
    const { exitCode, stdout } = await run('config', 'check');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^the configuration is right for PUSHENV 0/);
    expect(stdout).toMatch(/warning: a start needs --yes, .*\n {2}PUSHENV: 1 \(Test\) → 0 \(local\)/);
  });
});

describe('a start goes on', () => {
  test('in the same environment, without a word', async () => {
    const { run, root } = worldAfter(null);
    const store = `the file ${root}/Data/websocket.db`;
    const same = worldAfter(null);
    expect((await run('server', 'start')).stderr).toBe('');
    writeFileSync(
      same.file,
      JSON.stringify({
        env: 0,
        envSource: 'PUSHENV',
        root: same.root,
        home: same.root,
        program: '/opt/spush',
        store: store.replace(root, same.root),
      }),
    );
    expect(await same.run('server', 'start')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('in a folder that was moved as a whole', async () => {
    const store = 'the file /srv/old/Data/websocket.db';
    const { run, started } = worldAfter({ root: '/srv/old', home: '/srv/old', store });
    expect(await run('server', 'start')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(started()).toBe(true);
  });

  test('with another release of the program, whose own folder is the root', async () => {
    const home = tempFolder();
    const root = '/srv/spush/releases/1';
    const env = { SPUSH_HOME: home, SPUSH_ROOT: PACKAGE_ROOT };
    const { run, started } = worldAfter(null, { env });
    mkdirSync(path.join(home, 'Data'));
    const store = `the file ${home}/Data/websocket.db`;
    const before = { env: 0, envSource: `${root}/bootstrap.ts`, root, home, program: root, store };
    writeFileSync(path.join(home, 'Data/websocket.environment.json'), JSON.stringify(before));
    expect(await run('server', 'start')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(started()).toBe(true);
  });

  test('in a home that was moved, with a store that stays where it was', async () => {
    const [old, home, elsewhere] = [tempFolder(), tempFolder(), tempFolder()];
    const { run, root } = worldAfter(null, {
      env: { SPUSH_HOME: home, SPUSH_DB_FILE: `${elsewhere}/kept.db` },
    });
    mkdirSync(path.join(home, 'Data'));
    const store = `the file ${elsewhere}/kept.db`;
    const before = { env: 0, envSource: 'default', root, home: elsewhere, program: old, store };
    writeFileSync(path.join(home, 'Data/websocket.environment.json'), JSON.stringify(before));
    expect(await run('server', 'start')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('at another database server, and says so', async () => {
    const { run, root } = worldAfter(
      { ...OF_TEST, store: 'the database spush_t at old:3306' },
      { env: TEST_NODE },
    );
    const { exitCode, stderr } = await run('server', 'start');
    expect([exitCode, root === '']).toEqual([0, false]);
    expect(stderr).toBe(
      'note: messages are kept in the database spush_t at 10.0.0.5:3306 from now on, before in the database spush_t at old:3306\n',
    );
  });

  test('over a record that says nothing, with a warning', async () => {
    const { run, file, started } = worldAfter(null);
    writeFileSync(file, '{"env":');
    const { exitCode, stderr } = await run('server', 'start');
    expect([exitCode, started()]).toEqual([0, true]);
    expect(stderr).toMatch(/^warning: .*environment\.json cannot be read \(it is cut off or garbled\)/);
  });

  test('over data of a version that kept no record, and names what would be left behind', async () => {
    const embedded = worldAfter(null, { env: TEST_NODE });
    writeFileSync(embedded.path('Data/websocket.db'), '');
    const { exitCode, stderr } = await embedded.run('server', 'start');
    expect([exitCode, embedded.started()]).toEqual([0, true]);
    expect(stderr).toMatch(
      /^warning: .*websocket\.db holds messages of PUSHENV 0, .*not delivered in PUSHENV 1\n$/,
    );
    const spilled = worldAfter(null);
    writeFileSync(spilled.path('Data/websocket.spill.db'), '');
    expect((await spilled.run('server', 'start')).stderr).toMatch(/^warning: .*spill\.db may hold messages/);
  });

  test('of another mode beside it', async () => {
    const { run, file } = worldAfter(OF_TEST);
    expect(await run('server', 'start', '-mode=night')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(existsSync(file)).toBe(true);
  });
});

describe('a restart', () => {
  const running = async (world: CliWorld, environment?: Environment) => {
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    return startFakeMaster(paths, 'obedient', {
      ...(environment && { environment }),
    });
  };
  const ofTest = (root: string): Environment => ({ ...OF_TEST, root, home: root });

  test('from a shell without PUSHENV is refused, and the server goes on', async () => {
    const world = worldAfter(null);
    const master = await running(world, ofTest(world.root));
    const { exitCode, stdout, stderr } = await world.run('server', 'restart', '-d');
    expect([exitCode, stdout]).toEqual([78, '']);
    expect(stderr).toContain(
      'this restart would change the environment of mode websocket:\n  PUSHENV: 1 (Test) → 0 (local)\n',
    );
    expect(stderr).toContain(
      'to stay in the environment: PUSHENV=1 spush server restart -d -mode=websocket\n',
    );
    expect(stderr).not.toContain('systemd');
    expect(await identityOf(master.pid)).not.toBeNull();
  });

  test('names in its commands what was typed, and not what the running server was given', async () => {
    const world = worldAfter(null);
    const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
    mkdirSync(paths.temp);
    const settings = { Port: '9602', 'gzcp.secret': 'hunter2' };
    await startFakeMaster(paths, 'obedient', { environment: ofTest(world.root), settings });
    const { stderr } = await world.run(
      'server',
      'restart',
      '-d=false',
      '-force',
      '--set',
      'MaxLinkNumber=55',
    );
    const typed = '-d=false -force -mode=websocket --set MaxLinkNumber=55';
    expect(stderr).toContain(`to change it: spush server restart ${typed} --yes\n`);
  });

  test('with it is done', async () => {
    const world = worldAfter(null, { env: TEST_NODE });
    await running(world, ofTest(world.root));
    expect(await world.run('server', 'restart')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(world.started()).toBe(true);
  });

  test('believes the running server, not what an earlier one wrote', async () => {
    const world = worldAfter({ env: 2, envSource: 'PUSHENV', store: 'x' }, { env: TEST_NODE });
    await running(world, ofTest(world.root));
    expect(await world.run('server', 'restart')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('of a server that does not say it goes by the record, and without one goes on', async () => {
    const recorded = worldAfter(OF_TEST);
    const master = await running(recorded);
    expect(await recorded.run('server', 'restart')).toMatchObject({ exitCode: 78, stdout: '' });
    expect(await identityOf(master.pid)).not.toBeNull();
    const unknown = worldAfter(null);
    await running(unknown);
    expect(await unknown.run('server', 'restart')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('of several that run in other homes names the one of this root first, with the options that were typed', async () => {
    const program = tempFolder();
    const launchPath = path.join(program, 'bin/spush.js');
    const [one, other] = [worldAfter(null), worldAfter(null)];
    const here = worldAfter(null, { launchPath });
    await running(one, { ...ofTest(one.root), program });
    const { pid } = await running(other, { ...ofTest(here.root), home: other.root });
    const { stderr } = await here.run('server', 'restart', '-d', '-p', '9700');
    const first = `PUSHENV=1 SPUSH_ROOT=${here.root} SPUSH_HOME=${other.root}`;
    expect(stderr).toContain(
      `  to restart the first of them: ${first} spush server restart -d -mode=websocket --port=9700\n` +
        '  to start another one here: spush server start -d -mode=websocket --port=9700',
    );
    expect((await here.run('server', 'stop')).stderr).toContain(
      `; 2 run elsewhere, one of them as pid ${pid} with SPUSH_ROOT=${here.root} SPUSH_HOME=${other.root}`,
    );
  });

  test('starts no second server beside one of this program that runs in another home', async () => {
    const program = tempFolder();
    const there = worldAfter(null);
    const master = await running(there, { ...ofTest(there.root), program });
    const launchPath = path.join(program, 'bin/spush.js');
    const here = worldAfter(null, { launchPath });
    const { exitCode, stdout, stderr } = await here.run('server', 'restart');
    expect([exitCode, stdout, here.started()]).toEqual([78, '', false]);
    expect(stderr).toContain(
      `no server of mode websocket runs in ${here.root} (SPUSH_HOME is not set; in ${here.root})`,
    );
    expect(stderr).toContain(
      `  pid ${master.pid}: PUSHENV 1 (Test), SPUSH_HOME ${there.root}, SPUSH_ROOT ${there.root}\n`,
    );
    expect(stderr).toContain(
      `PUSHENV=1 SPUSH_ROOT=${there.root} SPUSH_HOME=${there.root} spush server restart`,
    );
    // Where the folder is gone there is none to be named, nor did it decide.
    const byRoot = { launchPath, cwd: null, env: { SPUSH_ROOT: here.root } };
    expect((await worldAfter(null, byRoot).run('server', 'restart')).stderr).toContain(
      `runs in ${here.root} (SPUSH_HOME is not set, and the variable SPUSH_ROOT says so), but elsewhere:`,
    );
    const byHome = { launchPath, env: { SPUSH_ROOT: here.root, SPUSH_HOME: here.root } };
    expect((await worldAfter(null, byHome).run('server', 'restart')).stderr).toContain(
      `runs in ${here.root} (the variable SPUSH_HOME says so), but elsewhere:`,
    );
    const agreed = worldAfter(null, { launchPath });
    expect(await agreed.run('server', 'restart', '--yes')).toMatchObject({ exitCode: 0 });
    // A home that was named, and in which this mode has run, is meant.
    const named = worldAfter({}, { launchPath });
    const own = worldAfter(null, { launchPath, env: { SPUSH_HOME: named.root, SPUSH_ROOT: named.root } });
    expect((await own.run('server', 'restart')).exitCode).toBe(0);
    expect(readFileSync(named.file, 'utf8')).toContain('"env":0');
  });
});
