import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { fromPlainConfig, toPlainConfig } from '../../../../src/platform/config/plain-config.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { NODE } from './loading.js';

const TOKEN = 'export default { verifyUrl: "http://10.0.0.7/", token: (t, k, s) => t + k + s };';

async function loadTest(gzcp = TOKEN) {
  const cwd = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 1;', 'conf/Test/gzcp.ts': gzcp });
  return (await loadConfig({ cwd, env: { ...NODE, SPUSH_GZCP_SECRET: 'c' } })).config;
}

/** What an IPC channel does to a message. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a configuration sent to another process', () => {
  test('is the same there', async () => {
    const config = await loadTest('export default { verifyUrl: "http://10.0.0.7/" };');
    const received = await fromPlainConfig(sent(toPlainConfig(config)), { loadFunctions: false });
    expect(received).toEqual(config);
    expect(Object.isFrozen(received.system)).toBe(true);
  });

  test('has its function again where it is called', async () => {
    const config = await loadTest();
    const received = await fromPlainConfig(sent(toPlainConfig(config)), { loadFunctions: true });
    expect(received.gzcp.token?.('1', '2', '3')).toBe('123');
  });

  test('refuses to work without its function where it was not loaded', async () => {
    const config = await loadTest();
    const received = await fromPlainConfig(sent(toPlainConfig(config)), { loadFunctions: false });
    expect(() => received.gzcp.token?.('1', '2', '3')).toThrow('was not loaded in this process');
  });

  test('says so when the function is gone from its file', async () => {
    const config = await loadTest();
    writeFileSync(path.join(config.paths.root, 'conf/Test/gzcp.ts'), 'export default {};');
    const loading = fromPlainConfig(sent(toPlainConfig(config)), { loadFunctions: true });
    await expect(loading).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('is checked', async () => {
    await expect(fromPlainConfig({ mode: 'websocket' }, { loadFunctions: false })).rejects.toThrow();
  });
});
