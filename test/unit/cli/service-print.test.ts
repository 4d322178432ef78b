import { describe, expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';

describe('service print', () => {
  test('has the paths of this installation, the user and the mode', async () => {
    const world = cliWorld({ mainFile: '/srv/app/dist/main.js', env: { SPUSH_HOME: '/srv/state' } });
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
