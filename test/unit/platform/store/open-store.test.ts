import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import { silentLog } from '../../../../src/platform/log/log.js';
import { openStore } from '../../../../src/platform/store/open-store.js';
import { createMessageIdSource } from '../../../../src/shared/domain/message-id.js';
import { freePort } from '../../../support/daemon.js';
import { testConfig } from '../../../support/test-config.js';

test.each([1, 2] as const)('PUSHENV %i asks for the database server of db.ts', async (env) => {
  const config = await testConfig();
  const port = await freePort();
  const db = {
    ...config.db,
    host: '127.0.0.1',
    port,
    user: 'me',
    password: 'never-shown',
    database: 'there',
  };
  const opening = openStore(
    { ...config, env, db },
    { ids: createMessageIdSource(1, systemClock), clock: systemClock, log: silentLog, create: true },
  );
  const error: unknown = await opening.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'START_FAILED' });
  expect(String(error)).toContain(`"there" at 127.0.0.1:${port} (user "me")`);
  expect(String(error)).not.toContain('never-shown');
});

test('a store whose server did not answer in its time is refused for that, not for being closed while it connects', async () => {
  const config = await testConfig();
  const db = { ...config.db, host: '127.0.0.1', port: await freePort(), connectMs: 0 };
  const opening = openStore(
    { ...config, env: 1, db },
    { ids: createMessageIdSource(1, systemClock), clock: systemClock, log: silentLog, create: true },
  );
  await expect(opening).rejects.toMatchObject({ code: 'START_FAILED' });
});
