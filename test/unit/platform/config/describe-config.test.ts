import { expect, test } from 'vitest';
import { withoutSecrets } from '../../../../src/platform/config/address-text.js';
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

test.each([
  ['https://www.example.com/push/user/getappuid', 'https://www.example.com/push/user/getappuid'],
  [
    'https://user:hunter2@www.example.com:8443/x?key=hunter2#hunter2',
    'https://***@www.example.com:8443/x?***#***',
  ],
  ['https://u:hun/ter2@host/x', 'https://***@host/x'],
  ['ftp://u:hun?ter2@host/x?token=hunter2', 'ftp://***@host/x?***'],
  ['u:hunter2@host', '***@host'],
  ['http//host?hunter2', 'http//host?***'],
  ['', ''],
])('the address %s is shown as %s', (address, shown) => {
  expect(withoutSecrets(address)).toBe(shown);
});

test('secrets in an address are neither shown nor told in a fault', async () => {
  const cwd = tempFolder({ 'bootstrap.ts': '' });
  const load = (verifyUrl: string) => loadConfig({ cwd, env: { SPUSH_GZCP_VERIFY_URL: verifyUrl } });
  const rows = describeConfig(await load('https://u:hunter2@host/x?key=hunter2'));
  expect(JSON.stringify(rows)).not.toContain('hunter2');
  expect(rows.find(({ key }) => key === 'gzcp.verifyUrl')?.value).toBe('https://***@host/x?***');
  await expect(load('ftp://u:hunter2@host/x?key=hunter2')).rejects.toMatchObject({
    message: expect.stringMatching(/^(?![\s\S]*hunter2)[\s\S]*gzcp\.verifyUrl is "ftp:\/\/\*\*\*@host/),
  });
});
