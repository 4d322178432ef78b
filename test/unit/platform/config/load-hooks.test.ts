import { expect, test } from 'vitest';
import { loadHooks } from '../../../../src/platform/config/load-hooks.js';
import { silentLog } from '../../../../src/platform/log/log.js';
import { tempFolder } from '../../../support/temp-folder.js';

const TEXT = `
export const PUSHENV = 0;
export const tasks: unknown[] = [{ name: 'double', run: async ({ n }: { n: number }) => n * 2 }];
export const jobs = [{ name: 'Own', rule: '@hourly', task: 'double', args: { n: 4 } }];
`;
const load = (root: string, hasHooks = true) => loadHooks({ root, timeZone: null, hasHooks });

test('the functions of bootstrap.ts are read', async () => {
  const hooks = await load(tempFolder({ 'bootstrap.ts': TEXT }));
  const context = { signal: new AbortController().signal, log: silentLog };
  expect(await hooks.tasks[0]?.run(hooks.jobs[0]?.args, context)).toBe(8);
});

test('without the file there are none', async () => {
  expect(await load(tempFolder())).toEqual({ jobs: [], tasks: [] });
});

test('where there were none, the file is not read, whatever is in it by now', async () => {
  const root = tempFolder({ 'bootstrap.ts': 'throw new Error("read");' });
  expect(await load(root, false)).toEqual({ jobs: [], tasks: [] });
});

test('what is wrong is thrown, with exit code 78', async () => {
  const root = tempFolder({ 'bootstrap.ts': TEXT.replace('@hourly', '@hurly') });
  await expect(load(root)).rejects.toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
  const broken = tempFolder({ 'bootstrap.ts': 'export const jobs = [' });
  await expect(load(broken)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
