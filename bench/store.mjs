/**
 * How fast the embedded store is. Run by hand, after `npm run build`:
 *
 *   node --import tsx bench/store.mjs [--rows=1000000] [--processes=4] [--dir=/tmp]
 *
 * Prints one line for each figure; percentiles are of single calls. `--processes` writers share one file.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/platform/clock/system-clock.ts';
import { silentLog } from '../src/platform/log/log.ts';
import { openLibsqlStore } from '../src/platform/store/libsql/libsql-store.ts';
import { createMessageIdSource } from '../src/shared/domain/message-id.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    processes: { type: 'string', default: '4' },
    dir: { type: 'string', default: '/tmp' },
    file: { type: 'string' },
    generator: { type: 'string', default: '1' },
  },
});
const WEEK_MS = 7 * 86_400_000;
const TEXT = 'Somebody answered your comment on chapter 1024: '.repeat(3);

function message(uid, more = {}) {
  const now = Date.now();
  return {
    kind: 'comment',
    uid,
    title: 'New answer',
    content: TEXT,
    url: '/book/1/chapter/1024',
    data: null,
    callerId: null,
    collapse: null,
    deliver: 'now',
    createdAt: now,
    expiresAt: now + WEEK_MS,
    ...more,
  };
}

const open = (file, generator) =>
  openLibsqlStore({
    file,
    ids: createMessageIdSource(generator, systemClock),
    clock: systemClock,
    log: silentLog,
  });

function percentile(sorted, part) {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2);
}

/** `calls` calls, `callers` at a time. */
async function measure(name, { calls, callers, unit = 1 }, work) {
  const tookMs = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let next = 0;
  const startMs = performance.now();
  delay.enable();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < calls) {
        const index = next++;
        const calledMs = performance.now();
        await work(index);
        tookMs.push(performance.now() - calledMs);
      }
    }),
  );
  delay.disable();
  const seconds = (performance.now() - startMs) / 1000;
  tookMs.sort((a, b) => a - b);
  console.log(
    `${name.padEnd(52)} ${String(Math.round((calls * unit) / seconds)).padStart(8)}/s   ` +
      `p50 ${percentile(tookMs, 0.5)} p99 ${percentile(tookMs, 0.99)} max ${percentile(tookMs, 1)} ms   ` +
      `loop max ${(delay.max / 1e6).toFixed(1)} ms`,
  );
}

/** One of several writers: many callers with single messages. */
async function writer() {
  const store = await open(values.file, Number(values.generator));
  await measure(
    `  process ${values.generator}: accept 1, 64 callers`,
    { calls: 20_000, callers: 64 },
    (index) => store.accept([message(1 + (index % 5000))]),
  );
  await store.close();
}

async function main() {
  const folder = mkdtempSync(join(values.dir, 'spush-store-'));
  const file = join(folder, 'store.db');
  const store = await open(file, 0);
  const ids = new Map();
  const keep = (uid, accepted) => {
    for (const { id } of accepted) ids.set(uid, [...(ids.get(uid) ?? []), id]);
  };

  await measure('accept 1, 1 caller', { calls: 2_000, callers: 1 }, (i) => store.accept([message(1 + i)]));
  for (const callers of [16, 256, 1024])
    await measure(`accept 1, ${callers} callers`, { calls: 50_000, callers }, (i) =>
      store.accept([message(1 + i)]),
    );
  await measure('accept 1 with id and collapse, 256 callers', { calls: 30_000, callers: 256 }, (i) =>
    store.accept([message(1 + i, { callerId: `c${i}`, collapse: 'x' })]),
  );
  await measure('accept 1,000, 1 caller (messages)', { calls: 50, callers: 1, unit: 1000 }, (i) =>
    store.accept(Array.from({ length: 1000 }, (_, j) => message(1 + j, { content: `${TEXT} ${i} ${j}` }))),
  );
  const everywhere = message(1);
  await measure('accept 300,000 (300 messages to 1,000 users)', { calls: 1, callers: 1, unit: 300_000 }, () =>
    store.accept(
      Array.from({ length: 300_000 }, (_, j) => ({
        ...everywhere,
        uid: 1 + (j % 1000),
        title: `t${Math.floor(j / 1000)}`,
      })),
    ),
  );

  const rows = Number(values.rows);
  await measure(
    `filling up: ${rows} pending of 100,000 users`,
    { calls: rows / 1000, callers: 2, unit: 1000 },
    (i) =>
      store.accept(
        Array.from({ length: 1000 }, (_, j) =>
          message(1_000_000 + ((i * 1000 + j) % 100_000), { title: `n ${i} ${j}` }),
        ),
      ),
  );
  for (let user = 0; user < 100; user += 1) {
    const uid = 5_000_000 + user;
    keep(uid, await store.accept(Array.from({ length: 500 }, (_, j) => message(uid, { title: `m ${j}` }))));
  }
  for (let n = 0; n < 20; n += 1)
    await store.accept([message(null, { kind: 'systemNotice', title: `notice ${n}` })]);
  console.log(`file: ${(statSync(file).size / 1e6).toFixed(0)} MB`);

  const users = [...ids.keys()];
  const offline = Array.from({ length: 100 }, (_, i) => 1_000_000 + i * 977);
  const nobody = Array.from({ length: 100 }, (_, i) => 9_000_000 + i);
  const user = (i) => users[i % users.length];
  await measure('pendingForMany 100 users with 500 each, limit 50', { calls: 50, callers: 1 }, () =>
    store.pendingForMany(users, { limit: 50 }),
  );
  await measure('pendingForMany 100 users with 10 each, limit 50', { calls: 50, callers: 1 }, () =>
    store.pendingForMany(offline, { limit: 50, kind: 'comment' }),
  );
  await measure('pendingForMany 100 users with nothing', { calls: 200, callers: 1 }, () =>
    store.pendingForMany(nobody, { limit: 50, kind: 'comment' }),
  );
  await measure('pendingForMany 100 users, 20 notices', { calls: 50, callers: 1 }, () =>
    store.pendingForMany(nobody, { limit: 50 }),
  );
  await measure('list 20', { calls: 2_000, callers: 1 }, (i) => store.list(user(i), { limit: 20 }));
  await measure('list 20 unread, all kinds', { calls: 2_000, callers: 1 }, (i) =>
    store.list(user(i), { limit: 20, unread: true }),
  );
  await measure('unread', { calls: 2_000, callers: 1 }, (i) => store.unread(user(i)));
  await measure('pendingCount', { calls: 5, callers: 1 }, () => store.pendingCount());
  await measure('markSent 50, 16 callers (marks)', { calls: 500, callers: 16, unit: 50 }, (i) => {
    const marks = (ids.get(user(i)) ?? []).slice(0, 50).map((id) => ({ uid: user(i), id, settled: false }));
    return store.markSent(marks, Date.now());
  });
  await measure('ack 500 of one user (messages)', { calls: 50, callers: 1, unit: 500 }, (i) =>
    store.ack(user(i), ids.get(user(i)) ?? [], Date.now()),
  );
  await measure('ack 1, 256 callers', { calls: 25_000, callers: 256 }, (i) => {
    const uid = user(50 + (i % 50));
    return store.ack(uid, [(ids.get(uid) ?? [])[Math.floor(i / 50)]], Date.now());
  });
  const [notice] = await store.accept([message(null, { kind: 'systemNotice' })]);
  await measure('markSent of one notice to 100,000 users', { calls: 100, callers: 4, unit: 1000 }, (i) =>
    store.markSent(
      Array.from({ length: 1000 }, (_, j) => ({ uid: 1 + i * 1000 + j, id: notice.id, settled: false })),
      Date.now(),
    ),
  );
  await measure('status of that notice', { calls: 20, callers: 1 }, () => store.status(notice.id));
  await measure('probe', { calls: 500, callers: 1 }, () => store.probe());
  await measure('prune 1,000 (messages)', { calls: 50, callers: 1, unit: 1000 }, () =>
    store.prune(Date.now() + 2 * WEEK_MS, 1000),
  );

  console.log(`${values.processes} processes on one file:`);
  await Promise.all(
    Array.from(
      { length: Number(values.processes) },
      (_, i) =>
        new Promise((resolve) => {
          fork(new URL(import.meta.url), [`--file=${file}`, `--generator=${i + 1}`]).on('exit', resolve);
        }),
    ),
  );
  await store.close();
  rmSync(folder, { recursive: true });
}

await (values.file === undefined ? main() : writer());
