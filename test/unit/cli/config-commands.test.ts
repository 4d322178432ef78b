import { describe, expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';

const NOT_RUNNING = {
  state: 'notRunning',
  pid: null,
  version: null,
  env: null,
  root: null,
  reason: null,
  fault: null,
  hooks: null,
};
const FILES = { 'conf/SystemConf.ts': 'export default { StopSeconds: 3 };' };

describe('config show', () => {
  test('is a table of keys, values, sources, and when they apply', async () => {
    const env = { SPUSH_API_KEYS: '{"gzcp":"hunter2"}', NO_COLOR: '1' };
    const { exitCode, stdout } = await cliWorld({ files: FILES, env, columns: 80 }).run('config', 'show');
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('hunter2');
    for (const line of stdout.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/│ StopSeconds +│ 3 s +│ conf\/SystemConf\.ts +│ live +│/);
    expect(stdout).toMatch(/│ api\.keys +│ \*\*\* +│ SPUSH_API_KEYS +│ restart +│/);
  });

  test('--json is a list of the same', async () => {
    const world = cliWorld({ files: FILES });
    const { stdout } = await world.run('config', 'show', '--json', '--set=Port=1');
    const { keys, ...rest } = JSON.parse(stdout) as { keys: { key: string }[] };
    expect(rest).toEqual({ running: NOT_RUNNING, faults: [] });
    expect(keys.find(({ key }) => key === 'Port')).toEqual({
      file: 'system',
      key: 'Port',
      value: 1,
      source: 'command line',
      apply: 'restart',
      unit: null,
      running: null,
    });
  });

  test.each([
    ['StopSeconds', ['StopSeconds']],
    ['stopseconds', ['StopSeconds']],
    ['gzcp.breaker', ['gzcp.breakerFailures', 'gzcp.breakerSeconds']],
    ['PUSHENV', ['PUSHENV']],
  ])('%s shows %j alone', async (word, expected) => {
    const { exitCode, stdout } = await cliWorld({ files: FILES }).run('config', 'show', word);
    expect(exitCode).toBe(0);
    const shown = [...stdout.matchAll(/^│ ([\w.]+) /gm)].map(([, key]) => key);
    expect(shown).toEqual(expected);
  });

  test.each([
    ['MaxLinkNumbr', /^MaxLinkNumbr is not a key of the configuration\. Did you mean MaxLinkNumber\?/],
    ['', /^an empty word is not a key of the configuration\./],
  ])('a word that is no key (%j) is refused with the nearest ones, exit 2', async (word, text) => {
    const { exitCode, stdout, stderr } = await cliWorld().run('config', 'show', word);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(text);
  });
});

describe('config check', () => {
  test('says what counts', async () => {
    const world = cliWorld({ files: FILES });
    expect(await world.run('config', 'check')).toEqual({
      exitCode: 0,
      stdout: `the configuration is right for PUSHENV 0 (local)\n  ${world.path('bootstrap.ts')}\n  ${world.path('conf/SystemConf.ts')}\n`,
      stderr: '',
    });
  });

  test('lists all faults on standard error, exit 78', async () => {
    const { exitCode, stdout, stderr } = await cliWorld({
      env: { SPUSH_PORT: 'x', SPUSH_WORKER_NUM: '0' },
    }).run('config', 'check');
    expect([exitCode, stdout]).toEqual([78, '']);
    expect(stderr).toContain('the configuration has 2 faults:\n');
  });

  test('--json gives the faults to a script', async () => {
    const { exitCode, stdout } = await cliWorld({ env: { SPUSH_PORT: 'x' } }).run(
      'config',
      'check',
      '--json',
    );
    expect(exitCode).toBe(78);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'CONFIG_INVALID', message: expect.stringContaining('SPUSH_PORT'), exitCode: 78 },
      ok: false,
      running: { ...NOT_RUNNING, differences: [] },
      faults: [
        { where: 'SPUSH_PORT', key: 'Port', problem: 'is "x"', expected: 'a whole number from 0 to 65535' },
      ],
    });
  });
});
