/**
 * What growth costs the MySQL store: each call timed with 500,000 rows and with 5,000,000, and how the server finds its rows.
 *
 *   npm run build && node --import tsx bench/mysql-scale.mjs [--rows=500000,5000000] [--pool=6G]
 *
 * Starts a mariadbd of its own in a temporary folder. Users grow with the rows, ten messages each, in the three states;
 * texts of 150 bytes; ten notices for everybody with 5,000 receipts each.
 *
 * Timed are users by chance, first among those who were there when the store was small: what others have stored since must not
 * cost them more; then among all. Everything is read once before, so with the default --pool what is asked for is in the
 * server's memory at either size, and it exits with 1 when a median grew by more than half. A --pool that does not hold all
 * rows shows what the server's disk costs.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { systemClock } from '../src/platform/clock/system-clock.ts';
import { silentLog } from '../src/platform/log/log.ts';
import { openMysqlStore } from '../src/platform/store/mysql/mysql-store.ts';
import { createMessageIdSource, firstIdOf } from '../src/shared/domain/message-id.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '500000,5000000' },
    pool: { type: 'string', default: '6G' },
  },
});
const SIZES = values.rows.split(',').map(Number);
const ROWS_OF_USER = 10;
const STEP_ROWS = 100_000;
const EXPIRED_ROWS = 30_000;
const RATIO_MAX = 1.5;
const DAY_MS = 86_400_000;
/** Makes the callers' keys of each measuring differ. */
let runs = 0;

const folder = mkdtempSync(path.join(tmpdir(), 'spush-scale-'));
const socketPath = path.join(folder, 's');
const port = await freePort();
const server = await startServer();
const root = await createConnection({
  socketPath,
  user: 'root',
  supportBigNumbers: true,
  bigNumberStrings: true,
});
try {
  await root.query('CREATE DATABASE scale');
  await root.query("CREATE USER 'spush'@'%' IDENTIFIED BY 'scale'");
  await root.query("GRANT ALL ON scale.* TO 'spush'@'%'");
  await root.query('USE scale');
  const columns = [];
  let filled = 0;
  for (const size of SIZES) {
    await (await openStore()).close();
    const startedMs = performance.now();
    await fill(filled, size);
    filled = size;
    console.log(`${size} rows after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    const store = await openStore();
    await readAll();
    columns.push(await measure(store, SIZES[0] / ROWS_OF_USER));
    if (size === SIZES.at(-1)) {
      columns.push(await measure(store, size / ROWS_OF_USER));
      await explain(store, size / ROWS_OF_USER);
    }
    await store.close();
  }
  report(columns);
} finally {
  await root.end();
  server.kill('SIGKILL');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

function openStore() {
  return openMysqlStore({
    host: '127.0.0.1',
    port,
    user: 'spush',
    password: 'scale',
    database: 'scale',
    poolSize: 4,
    connectMs: 1000,
    queryMs: 10_000,
    ids: createMessageIdSource(1, systemClock),
    clock: systemClock,
    log: silentLog,
  });
}

/** Rows in the order of their ids, users by chance, as they come in. The first ones have expired. */
async function fill(from, to) {
  const now = Date.now();
  const firstId = BigInt(firstIdOf(now - 8 * DAY_MS));
  await root.query('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
  for (let done = from; done < to; done += STEP_ROWS) {
    const seq = `seq_${done + 1}_to_${done + STEP_ROWS}`;
    const id = `${firstId} + seq * 4194304`;
    await root.query(
      `INSERT INTO spush_body SELECT ${id}, 1, JSON_OBJECT('title', CONCAT('title ', seq), 'content', REPEAT('x', 110)) FROM ${seq}`,
    );
    await root.query(
      `INSERT INTO spush_message SELECT ${id},
         ${Math.floor(done / ROWS_OF_USER)} + 1 + CRC32(seq) % ${STEP_ROWS / ROWS_OF_USER}, 1 + CRC32(seq + 1) % 2,
         s.state, ${id}, 0, ${now}, ${now} + IF(seq <= ${from + EXPIRED_ROWS}, -1000, ${DAY_MS} + seq),
         IF(s.state > 0, ${now}, NULL), IF(s.state > 1, ${now}, NULL), IF(s.state > 1, ${now}, NULL),
         CONCAT('comment-', seq), IF(seq % 10 = 0, CONCAT('thread-', CRC32(seq)), NULL)
       FROM (SELECT seq, CRC32(seq + 2) % 3 AS state FROM ${seq}) s`,
    );
  }
  if (from === 0) {
    const notices = `${firstId} - seq`;
    await root.query(
      `INSERT INTO spush_body SELECT ${notices}, 1, '{"title":"notice","content":"all"}' FROM seq_1_to_10`,
    );
    await root.query(
      `INSERT INTO spush_message (id, uid, kind, state, body_id, due, created_at, expires_at)
       SELECT ${notices}, 0, 3, 0, ${notices}, 0, ${now}, ${now + DAY_MS} FROM seq_1_to_10`,
    );
    await root.query(
      `INSERT INTO spush_receipt (message_id, uid, settled, sent_at)
       SELECT ${firstId} - n.seq, u.seq, 1, ${now} FROM seq_1_to_10 n, seq_1_to_5000 u`,
    );
  }
  await root.query('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
  await root.query('ANALYZE TABLE spush_message, spush_receipt, spush_body');
  // What the fill left unwritten must not be written while the calls are timed.
  await root.query('SET GLOBAL innodb_max_dirty_pages_pct = 0');
  for (let tries = 0; tries < 300; tries += 1) {
    const [[row]] = await root.query("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'");
    if (Number(row.Value) < 200) break;
    await sleep(200);
  }
  await root.query('SET GLOBAL innodb_max_dirty_pages_pct = 90');
}

/** Reads every page once. */
async function readAll() {
  await root.query('SELECT SUM(LENGTH(text)) FROM spush_body');
  await root.query('SELECT SUM(LENGTH(collapse_key)) FROM spush_message FORCE INDEX (PRIMARY)');
  await root.query('SELECT SUM(acked_at) FROM spush_receipt');
  const counted = { state: 'body_id', expires: 'expires_at', caller: 'uid', collapse: 'state' };
  for (const [index, column] of Object.entries(counted))
    await root.query(`SELECT SUM(${column}) FROM spush_message FORCE INDEX (spush_message_${index})`);
}

function calls(store, users) {
  const user = () => 1 + Math.floor(Math.random() * users);
  const page = Array.from({ length: 500 }, user);
  runs += 1;
  const run = runs;
  let serial = 0;
  const message = (more = {}) => ({
    kind: 'comment',
    uid: user(),
    title: 'title',
    content: 'x'.repeat(110),
    url: null,
    data: null,
    callerId: `bench-${run}-${serial++}`,
    collapse: null,
    deliver: 'now',
    createdAt: Date.now(),
    expiresAt: Date.now() + 7 * DAY_MS,
    ...more,
  });
  const now = Date.now();
  return {
    'accept, one': [300, () => store.accept([message()])],
    'accept, one with collapse': [300, () => store.accept([message({ collapse: `thread-${serial}` })])],
    'accept, 1000 users': [40, () => store.accept(Array.from({ length: 1000 }, () => message()))],
    'login replay': [500, () => store.pending(user(), { limit: 50 })],
    'replay after a gap': [
      500,
      () => store.pending(user(), { limit: 50, settledSince: firstIdOf(now - 110_000) }),
    ],
    list: [500, () => store.list(user(), { limit: 20 })],
    'list, unread': [500, () => store.list(user(), { limit: 20, unread: true })],
    unread: [500, () => store.unread(user())],
    'sweep, 500 users': [
      20,
      () => {
        for (let i = 0; i < page.length; i += 1) page[i] = user();
        return store.pendingForMany(page, { kind: 'comment', limit: 50, notSentSince: now });
      },
    ],
    'replay and ack': [
      200,
      async () => {
        const uid = user();
        const items = await store.pending(uid, { limit: 50 });
        await store.ack(
          uid,
          items.map(({ id }) => id),
          Date.now(),
        );
      },
    ],
    'read all': [200, () => store.read(user(), { all: true }, Date.now())],
    'prune, 500': [12, () => store.prune(Date.now() - 500, 500)],
    'pending count (costs what is pending)': [3, () => store.pendingCount()],
  };
}

async function measure(store, users) {
  const medians = new Map();
  for (const [name, [times, call]] of Object.entries(calls(store, users))) {
    for (let i = 0; i < Math.max(3, times / 10); i += 1) await call();
    const taken = [];
    for (let i = 0; i < times; i += 1) {
      const startedMs = performance.now();
      await call();
      taken.push(performance.now() - startedMs);
    }
    taken.sort((a, b) => a - b);
    medians.set(name, taken[Math.floor(taken.length / 2)]);
  }
  return medians;
}

/** The statements of each call, as the server saw them, and its plan for each. */
async function explain(store, users) {
  await root.query("SET GLOBAL log_output = 'TABLE'");
  for (const [name, [, call]] of Object.entries(calls(store, users))) {
    await root.query('TRUNCATE mysql.general_log');
    await root.query('SET GLOBAL general_log = 1');
    await call();
    await root.query('SET GLOBAL general_log = 0');
    const [seen] = await root.query(
      "SELECT CONVERT(argument USING utf8mb4) AS text FROM mysql.general_log WHERE command_type = 'Query' AND user_host LIKE 'spush%'",
    );
    console.log(`\n${name}`);
    const shown = new Set();
    for (const { text } of seen) {
      const words = text.trim().replace(/\s+/g, ' ');
      if (!/^\(?(SELECT|UPDATE|DELETE)/.test(words) || /GET_LOCK|RELEASE_LOCK/.test(words)) continue;
      const [plan] = await root.query(`EXPLAIN ${text}`);
      const lines = plan.map((row) => `${row.table} ${row.type} ${row.key} rows=${row.rows} ${row.Extra}`);
      const shape = [...new Set(lines)].slice(0, 6).join('\n    ');
      const line = `  ${words.slice(0, 110)}\n    ${shape}`;
      if (!shown.has(words.slice(0, 60))) console.log(line);
      shown.add(words.slice(0, 60));
    }
  }
}

function report([small, same, all]) {
  console.log(
    '\n| call, median ms | few rows | many rows, the first users | ratio | many rows, any user | ratio |\n|---|---|---|---|---|---|',
  );
  let worst = 0;
  for (const [name, ms] of small) {
    const [grown, any] = [same.get(name), all.get(name)];
    if (!name.includes('costs what')) worst = Math.max(worst, grown / ms, any / ms);
    const cells = [ms, grown, grown / ms, any, any / ms].map((value) => value.toFixed(2));
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
  console.log(`worst ratio ${worst.toFixed(2)}, allowed ${RATIO_MAX}`);
  if (worst > RATIO_MAX) process.exitCode = 1;
}

async function startServer() {
  const { username } = userInfo();
  const datadir = path.join(folder, 'data');
  execFileSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${datadir}`,
      `--user=${username}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const child = spawn(
    process.env.MARIADBD ?? '/usr/sbin/mariadbd',
    [
      '--no-defaults',
      `--user=${username}`,
      `--datadir=${datadir}`,
      `--socket=${socketPath}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      `--innodb-buffer-pool-size=${values.pool}`,
      '--innodb-log-file-size=512M',
      '--innodb-io-capacity=20000',
      '--innodb-io-capacity-max=40000',
      `--log-error=${path.join(folder, 'error.log')}`,
    ],
    { stdio: 'ignore' },
  );
  for (let tries = 0; tries < 300; tries += 1) {
    const ready = await createConnection({ socketPath, user: 'root' }).catch(() => null);
    if (ready !== null) {
      await ready.end();
      return child;
    }
    await sleep(100);
  }
  throw new Error('mariadbd does not answer');
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
}
