/**
 * A process of its own that writes to the MySQL store until it is killed: node mysql-writer.mjs ACCESS-JSON NAME GENERATOR.
 * Every message has a text of its own. One with a caller's id is repeated until it is answered; one without is tried once.
 * What was answered is told, a line each: text, id.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/platform/clock/system-clock.ts';
import { silentLog } from '../../src/platform/log/log.ts';
import { openMysqlStore } from '../../src/platform/store/mysql/mysql-store.ts';
import { createMessageIdSource } from '../../src/shared/domain/message-id.ts';

const [access, name, generator] = process.argv.slice(2);
const store = await openMysqlStore({
  ...JSON.parse(access),
  poolSize: 4,
  connectMs: 1000,
  queryMs: 2000,
  ids: createMessageIdSource(Number(generator), systemClock),
  clock: systemClock,
  log: silentLog,
});

const message = (uid, title, callerId) => ({
  kind: 'comment',
  uid,
  title,
  content: '',
  url: null,
  data: null,
  callerId,
  collapse: null,
  deliver: 'now',
  createdAt: Date.now(),
  expiresAt: Date.now() + 3_600_000,
});

async function once(one) {
  try {
    const [answer] = await store.accept([one]);
    writeSync(1, `${one.title} ${answer.id}\n`);
    return true;
  } catch (error) {
    if (error.code !== 'STORE_UNAVAILABLE') throw error;
    await sleep(20);
    return false;
  }
}

async function write(lane) {
  for (let n = lane; ; n += 8) {
    const repeated = message(1 + (n % 5), `${name}-r${n}`, `${name}-${n}`);
    await once(message(1 + (n % 5), `${name}-o${n}`, null));
    while (!(await once(repeated)));
  }
}

writeSync(1, 'here\n');
await Promise.all(Array.from({ length: 8 }, (_, lane) => write(lane)));
