/** The thread is the built program: `npm run build` comes first. */
import { expect, test } from 'vitest';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { loadApart, READ_AGAIN_MS, readAgain } from '../../../../src/platform/config/read-again.js';
import { READING_MS } from '../../../../src/platform/config/reading-time.js';
import { tempFolder } from '../../../support/temp-folder.js';

const PUSHENV = 'export const PUSHENV = 0;';
const files = (system: string, bootstrap = PUSHENV) =>
  tempFolder({ 'bootstrap.ts': bootstrap, 'conf/SystemConf.ts': system });

test('what a reload would read, with the environment and the command line of this process', async () => {
  const cwd = files('export default { MaxLinkNumber: 7, Port: 1, LogLevel: process.env.MY_LEVEL };');
  const options = { cwd, env: { SPUSH_PORT: '2', MY_LEVEL: 'warn' }, settings: { StopSeconds: '3' } };
  const { config, sources, inFiles } = await loadApart(options);
  expect([config.system.Port, inFiles.config.system.Port]).toEqual([2, 1]);
  expect(config.system).toMatchObject({ StopSeconds: 3, LogLevel: 'warn', MaxLinkNumber: 7 });
  expect(sources.get('StopSeconds')).toMatchObject({ kind: 'commandLine' });
  expect(sources.get('MaxLinkNumber')).toMatchObject({ kind: 'file' });
});

test('is what this process itself would load; of functions it has the text', async () => {
  const hooks = "export const jobs = [{ name: 'Night', rule: '@daily', args: { a: [1] }, run: () => 42 }];";
  const cwd = tempFolder({
    'bootstrap.ts': `export const PUSHENV = 1; ${hooks}`,
    'conf/Test/gzcp.ts': "export default { verifyUrl: 'http://site:1/', token: (t, k, s) => t + k + s };",
  });
  const env = {
    SPUSH_DB_HOST: 'db',
    SPUSH_DB_DATABASE: 'spush_test',
    SPUSH_REDIS_HOST: 'redis',
    SPUSH_REDIS_BUS_KEYS: JSON.stringify([{ id: 'a', secret: '5'.repeat(32) }]),
    SPUSH_API_KEYS: JSON.stringify({ site: '6'.repeat(32) }),
  };
  const [apart, here] = [await loadApart({ cwd, env }), await loadConfig({ cwd, env })];
  const asText = (value: unknown) =>
    JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'function' ? String(part) : part)));
  expect(asText(apart)).toEqual(asText(here));
  expect(apart.sources).toEqual(here.sources);
  expect(String(apart.config.gzcp.token)).toContain('t + k + s');
  expect(String(apart.hooks.tasks[0]?.run)).toContain('42');
  expect(Object.isFrozen(apart.config.system)).toBe(true);
});

test.each([
  ['export default { Port: "x" };', 'refused', /Port is "x"/],
  ['for (;;);', 'refused', /SystemConf\.ts: was not read within 2000 ms/, 2000],
  ['await 0; for (;;);', 'refused', /SystemConf\.ts: was not read within 2000 ms/, 2000],
  ['process.exit(0);', 'refused', /SystemConf\.ts: calls process\.exit\(\) while it is read/],
  ['await 0; process.exit(3);', 'refused', /SystemConf\.ts: calls process\.exit\(\) while it is read/],
  [
    'const a = []; for (;;) a.push(new Array(1e6).fill(a.length));',
    'refused',
    /SystemConf\.ts: cannot be read: .*memory/,
  ],
  [
    'setTimeout(() => { throw new Error("late"); }); await new Promise(() => {});',
    'refused',
    /SystemConf\.ts:1: cannot be read: late/,
  ],
] as const)('files that say %s harm nobody', async (system, kind, text, deadlineMs: number = READ_AGAIN_MS) => {
  const read = await readAgain({ cwd: files(system), env: {} }, deadlineMs);
  expect(read).toMatchObject({ ok: false, fault: { kind, text: expect.stringMatching(text) } });
});

test('whatever a start has the time to read a reload has it too', () => {
  expect(READ_AGAIN_MS).toBeGreaterThan(READING_MS);
});

test('what keeps the thread from being started is an answer too', async () => {
  const settings = { Port: (() => 1) as unknown as string };
  const read = await readAgain({ cwd: files('export default {};'), env: {}, settings });
  expect(read).toMatchObject({
    ok: false,
    fault: { kind: 'notRead', text: expect.stringMatching(/could not be cloned/) },
  });
});

test('what a file throws later is told of that file', async () => {
  const late = `setTimeout(() => { throw new Error('late'); }, 1); ${PUSHENV}`;
  const read = await readAgain({ cwd: files('await new Promise(() => {});', late), env: {} });
  expect(read).toMatchObject({
    fault: { text: expect.stringContaining('bootstrap.ts:1: cannot be read: late') },
  });
});

test('what a thread may not change, and the process of a start may, is no fault', async () => {
  const cwd = files('export default {};', `process.chdir('/'); process.umask(0o77); ${PUSHENV}`);
  const before = [process.cwd(), process.umask()];
  await loadApart({ cwd, env: { SPUSH_ROOT: cwd } }).catch((error) => expect.fail(String(error)));
  expect([process.cwd(), process.umask()]).toEqual(before);
});

test('a reload is told of faults with all of them', async () => {
  const cwd = files('export default { Port: "x", MaxLinkNumber: -1 };');
  await expect(loadApart({ cwd, env: {} })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/2 faults:\n.*Port is "x".*\n.*MaxLinkNumber is -1/),
    detail: { faults: [{ key: 'Port' }, { key: 'MaxLinkNumber' }] },
  });
});
