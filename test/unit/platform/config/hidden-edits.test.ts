import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { hiddenEdits } from '../../../../src/platform/config/hidden-edits.js';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { tempFolder } from '../../../support/temp-folder.js';

/** The files before and after an edit, read by a process with this environment and command line. */
async function edited(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  { env = {}, settings = {} }: { env?: NodeJS.ProcessEnv; settings?: Record<string, string> },
) {
  const cwd = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;', ...before });
  const load = () => loadConfig({ cwd, env, settings });
  const first = await load();
  for (const [file, text] of Object.entries(after)) writeFileSync(path.join(cwd, file), text);
  return hiddenEdits(first, await load());
}
const system = (text: string) => ({ 'conf/SystemConf.ts': `export default { ${text} };` });

test('an edit under a variable or an option of the command line is hidden', async () => {
  const found = await edited(
    system('MaxLinkNumber: 10, Port: 1, TaskWorkerNum: 2'),
    system('MaxLinkNumber: 20, Port: 2, TaskWorkerNum: 3'),
    {
      env: { SPUSH_MAX_LINK_NUMBER: '15' },
      settings: { Port: '9' },
    },
  );
  expect(found).toEqual([
    { key: 'Port', by: { kind: 'commandLine', option: 'command line' } },
    { key: 'MaxLinkNumber', by: { kind: 'environment', name: 'SPUSH_MAX_LINK_NUMBER' } },
  ]);
});

test('a key that was put into a file, or taken out, was edited too', async () => {
  const env = { SPUSH_MAX_LINK_NUMBER: '15' };
  expect(await edited(system(''), system('MaxLinkNumber: 20'), { env })).toHaveLength(1);
  expect(await edited(system('MaxLinkNumber: 20'), system(''), { env })).toHaveLength(1);
});

test('what was not edited, or says what counts anyway, is not hidden', async () => {
  const env = { SPUSH_MAX_LINK_NUMBER: '15' };
  const same = system('MaxLinkNumber: 10');
  expect(await edited(same, same, { env })).toEqual([]);
  expect(await edited(same, system('MaxLinkNumber: 15'), { env })).toEqual([]);
});

test('PUSHENV in bootstrap.ts under the variable of that name is hidden', async () => {
  const found = await edited({}, { 'bootstrap.ts': 'export const PUSHENV = 2;' }, { env: { PUSHENV: '0' } });
  expect(found).toEqual([{ key: 'PUSHENV', by: { kind: 'environment', name: 'PUSHENV' } }]);
});
