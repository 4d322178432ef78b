/**
 * A process of its own that writes to the embedded store until it is killed: node store-writer.mjs FILE GENERATOR [LINES].
 * For every number it accepts a message of its own, and one that all writers send; it tells what was answered, a line each.
 * With LINES it ends itself after so many, in the middle of its work, with exit code 3.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/platform/clock/system-clock.ts';
import { silentLog } from '../../src/platform/log/log.ts';
import { openLibsqlStore } from '../../src/platform/store/libsql/libsql-store.ts';
import { createMessageIdSource } from '../../src/shared/domain/message-id.ts';

const [file, generator, linesMax = Number.POSITIVE_INFINITY] = process.argv.slice(2);
let lines = 0;
const store = await openLibsqlStore({
  file,
  ids: createMessageIdSource(Number(generator), systemClock),
  clock: systemClock,
  log: silentLog,
});

const message = (uid, callerId) => ({
  kind: 'comment',
  uid,
  title: callerId,
  content: '',
  url: null,
  data: null,
  callerId,
  collapse: null,
  deliver: 'now',
  createdAt: Date.now(),
  expiresAt: Date.now() + 3_600_000,
});

async function write(lane) {
  for (let n = lane; ; n += 8) {
    const own = `${generator}-${n}`;
    const answers = await store.accept([message(100 + Number(generator), own), message(1, `all-${n}`)]);
    writeSync(1, `${own} ${answers[0].id}\nall-${n} ${answers[1].id}\n`);
    lines += 2;
    if (lines >= linesMax) process.exit(3);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => write(lane)));
