import { expect, test } from 'vitest';
import { describeConfig } from '../../../../src/platform/config/describe-config.js';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { tempFolder } from '../../../support/temp-folder.js';

test('every key is a row with value, source, unit and when it applies', async () => {
  const cwd = tempFolder({ 'bootstrap.ts': '' });
  const rows = describeConfig(await loadConfig({ cwd, env: { SPUSH_STOP_SECONDS: '3' } }));
  expect(rows[0]).toMatchObject({ file: 'bootstrap', key: 'PUSHENV', value: 0 });
  expect(rows.find(({ key }) => key === 'StopSeconds')).toEqual({
    file: 'system',
    key: 'StopSeconds',
    value: 3,
    source: 'SPUSH_STOP_SECONDS',
    apply: 'live',
    unit: 's',
  });
});

test('secrets are masked, and an empty one is seen to be empty', async () => {
  const cwd = tempFolder({ 'bootstrap.ts': '' });
  const env = { SPUSH_API_KEYS: '{"gzcp":"hunter2"}', SPUSH_DB_PASSWORD: 'hunter2' };
  const rows = describeConfig(await loadConfig({ cwd, env }));
  expect(JSON.stringify(rows)).not.toContain('hunter2');
  const values = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
  expect(values).toMatchObject({ 'api.keys': '***', 'db.password': '***', 'redis.password': '' });
});
