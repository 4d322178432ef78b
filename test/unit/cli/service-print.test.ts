import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('service print', () => {
  test('has the paths of this installation, the user and the mode', async () => {
    const world = cliWorld({ launchPath: '/srv/app/bin/spush.js', env: { SPUSH_HOME: '/srv/state' } });
    const { exitCode, stdout, stderr } = await world.run(
      'service',
      'print',
      '-mode=night',
      '--user=pusher',
      '--group=www-data',
    );
    expect([exitCode, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n');
    const command = `${process.execPath} /srv/app/bin/spush.js server`;
    expect(lines).toContain(`ExecStart=${command} start -mode=night`);
    expect(lines).toContain(`ExecReload=${command} reload -mode=night`);
    expect(lines).toContain(`ExecStop=-${command} stop -mode=night`);
    expect(lines).toContain(`Environment=SPUSH_ROOT=${world.root}`);
    expect(lines).toContain('Environment=SPUSH_HOME=/srv/state');
    expect(lines).toContain('ReadWritePaths=/srv/state');
    expect(lines).toContain('User=pusher');
    expect(lines).toContain('Group=www-data');
  });

  test('of a service with a user of its own puts data and logs outside of the program', async () => {
    const { stdout } = await cliWorld().run('service', 'print', '--user=pusher');
    const lines = stdout.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'Environment=SPUSH_HOME=/var/lib/spush',
        'Environment=SPUSH_LOG=/var/log/spush',
        'StateDirectory=spush',
        'LogsDirectory=spush',
      ]),
    );
    expect(stdout).not.toContain('ReadWritePaths=');
  });

  test.each<[what: string, args: string[], env: Record<string, string>, has: string[], not: string]>([
    [
      'options',
      ['--home=/srv/push', '--log=/srv/logs'],
      {},
      [
        'Environment=SPUSH_HOME=/srv/push',
        'Environment=SPUSH_LOG=/srv/logs',
        'ReadWritePaths=/srv/push',
        'ReadWritePaths=/srv/logs',
      ],
      'StateDirectory',
    ],
    [
      'the home alone: its logs go with it',
      ['--home=/srv/push'],
      {},
      ['ReadWritePaths=/srv/push'],
      'SPUSH_LOG',
    ],
    [
      'another home below /var/lib',
      ['--home=/var/lib/push/night'],
      {},
      ['StateDirectory=push/night', 'LogsDirectory=push/night', 'Environment=SPUSH_LOG=/var/log/push/night'],
      'ReadWritePaths',
    ],
    [
      'the environment',
      [],
      { SPUSH_HOME: '/var/lib/other', SPUSH_LOG: '/var/lib/other/Log' },
      ['StateDirectory=other', 'Environment=SPUSH_HOME=/var/lib/other'],
      'LogsDirectory',
    ],
  ])('lets both be said by %s', async (_, args, env, has, not) => {
    const { stdout } = await cliWorld({ env }).run('service', 'print', '--user=pusher', ...args);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(has));
    expect(stdout).not.toContain(not);
  });

  test('has PUSHENV and secrets beside the configuration, unless that lies in the program', async () => {
    const world = cliWorld({ launchPath: '/srv/app/bin/spush.js' });
    const { stdout } = await world.run('service', 'print');
    expect(stdout).toContain(`EnvironmentFile=-${world.root}/environment\n`);
    const checkout = cliWorld();
    const { stdout: ofCheckout } = await cliWorld({
      env: { SPUSH_ROOT: checkout.root },
      launchPath: `${checkout.root}/bin/spush.js`,
    }).run('service', 'print');
    expect(ofCheckout).toContain('EnvironmentFile=-/etc/spush/environment\n');
  });

  test('finds the program by the link that leads to it', async () => {
    const checkout = cliWorld({ files: { 'bin/spush.js': '' } });
    const launchPath = path.join(tempFolder(), 'spush');
    symlinkSync(checkout.path('bin/spush.js'), launchPath);
    const world = cliWorld({ env: { SPUSH_ROOT: checkout.root }, launchPath });
    const { stdout } = await world.run('service', 'print');
    expect(stdout).toContain('EnvironmentFile=-/etc/spush/environment\n');
  });

  test('gives a stop the time that the configuration gives it', async () => {
    const world = cliWorld({ env: { SPUSH_STOP_SECONDS: '100' } });
    const { stdout } = await world.run('service', 'print');
    expect(stdout).toContain('TimeoutStopSec=115\n');
  });

  test('does not run as root because root asked', async () => {
    const { stdout } = await cliWorld().run('service', 'print');
    expect(stdout).toMatch(/^User=.+$/m);
    expect(stdout).not.toMatch(/^User=root$/m);
  });

  test('--json has the parts beside the text', async () => {
    const { stdout } = await cliWorld().run('service', 'print', '--user=pusher', '--json');
    const printed = JSON.parse(stdout) as { user: string; group: string; unit: string };
    expect(printed).toMatchObject({ user: 'pusher', group: 'pusher', mode: 'websocket' });
    expect(printed.unit).toContain('Type=notify\n');
  });

  test.each(['', 'a b', 'x\nExecStart=/bin/sh', '-'])('refuses the user %j', async (user) => {
    const { exitCode, stderr } = await cliWorld().run('service', 'print', `--user=${user}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('expected the name or the number of a user');
  });
});
