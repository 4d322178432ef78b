/**
 * What goes wrong in the middle of a reload: the new Worker fails, is killed, hangs; the old one is killed; clients vanish.
 * Whoever's process lives stays connected, nothing is doubled, and the next reload succeeds.
 *
 * SPUSH_TEST_HANDOFF_FAULTS_CONNECTIONS (1000) sets the size: enough that a hand-over can be met in its middle;
 * SPUSH_TEST_HANDOFF_LONG=1 adds what takes as long as a process may take to start.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { auditHolders, auditPosted, auditSockets, auditTcp, firstOf } from '../support/handoff-audit.js';
import {
  HandoffLoad,
  HandoffPoster,
  planSockets,
  type SocketReport,
  UID_FROM,
} from '../support/handoff-load.js';
import { countFreePlaces } from '../support/link-storm.js';
import { type ReloadRun, reload, watch, workerPids } from '../support/reload-run.js';
import { establishedTo, socketHolders, socketsOf, type TcpRow } from '../support/tcp-table.js';

const CONNECTIONS = Number(process.env['SPUSH_TEST_HANDOFF_FAULTS_CONNECTIONS'] ?? 1000);
const LONG = process.env['SPUSH_TEST_HANDOFF_LONG'] === '1';
const SEED = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
const PUSHES = 50;
/** Free places beside the connections. */
const FREE = 100;
/** So many connections in the new Worker's hands are the middle of a hand-over. */
const SOME = 50;
/** A new Worker that hangs is given up after this; with the time to start one, and slack for a slow machine. */
const HANG_MS = 10_000 + 8000;

let folder: string;
let orders: string;
let daemon: Daemon;
let load: HandoffLoad;
let poster: HandoffPoster;
let tcpBefore: ReadonlyMap<string, TcpRow>;
/** Which Worker held which connection before the test, by inode. */
let owners: ReadonlyMap<string, number>;
let round = 0;

beforeAll(async () => {
  console.log(`seed ${SEED}: ${CONNECTIONS} connections`);
  folder = mkdtempSync(path.join(tmpdir(), 'spush-faults-'));
  orders = path.join(folder, 'orders');
  daemon = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '2',
      SPUSH_TASK_WORKER_NUM: '1',
      SPUSH_MAX_LINK_NUMBER: String(CONNECTIONS + FREE),
      SPUSH_VISITOR_MAX: String(CONNECTIONS + FREE),
      SPUSH_RESEND_SECONDS: '1',
      SPUSH_TEST_FAIL_WORKER: orders,
      NODE_OPTIONS: `--import=${path.resolve(import.meta.dirname, '../support/fail-worker.mjs')}`,
    },
  });
  // With a second until it sends again, a run on schedule would double what slow clients have not acknowledged yet.
  await daemon.stopJobs('PushCommentMsg', 'PushSystemNoticeMsg', 'PushUserNoticeMsg');
});

afterAll(async () => {
  await load?.end();
  await poster?.end();
  await daemon?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Each test has connections and users of its own: what one did to them, or left pending, is no matter of the next. */
beforeEach(async () => {
  await load?.end();
  await poster?.end();
  round += 1;
  await expect.poll(connectionNum, { timeout: 20_000, message: 'the connections before' }).toBe(0);
  load = await HandoffLoad.open(daemon.port, planSockets(CONNECTIONS, SEED + round, round * UID_FROM));
  poster = new HandoffPoster(daemon.port);
  tcpBefore = establishedTo(daemon.port);
  const holders = socketHolders([...workerPids(daemon).keys()]);
  owners = new Map([...holders].map(([inode, [pid = 0]]) => [inode, pid]));
  await load.startPings(500);
  await poster.start(load.uids, PUSHES, `s${SEED}-${round}`);
});

async function connectionNum(): Promise<number> {
  const { exitCode, stdout, stderr } = await daemon.run('server', 'status', '--json');
  if (exitCode !== 0) throw new Error(`server status: ${stdout}${stderr}`);
  return JSON.parse(stdout).connectionNum;
}

/** The inode of the server's side. */
function inodeOf(report: SocketReport): string {
  return tcpBefore.get(report.local)?.inode ?? '';
}

/** Those of our connections that this process holds now, by inode. */
function held(pid: number): Set<string> {
  const ours = new Set([...tcpBefore.values()].map(({ inode }) => inode));
  return new Set(socketsOf(pid).filter((inode) => ours.has(inode)));
}

interface HandOver {
  /** The end of the reload. */
  readonly done: Promise<ReloadRun>;
  /** Old and new Worker of the hand-over that is under way. */
  readonly from: number;
  readonly to: number;
}

/** Begins a reload; resolves in the middle of the first hand-over. */
async function reloadUntilAdopting(): Promise<HandOver> {
  const before = workerPids(daemon);
  let ended: ReloadRun | null = null;
  const done = reload(daemon).then((run) => {
    ended = run;
    return run;
  });
  const assertGoesOn = (): void => {
    if (ended)
      throw new Error(`the reload ended before a new Worker held ${SOME} of ours: ${JSON.stringify(ended)}`);
  };
  const to = await watch('a new Worker', () => {
    assertGoesOn();
    for (const pid of workerPids(daemon).keys()) if (!before.has(pid)) return pid;
    return undefined;
  });
  // Many may go by within a few milliseconds.
  await watch(`${SOME} connections in the new Worker`, () => {
    assertGoesOn();
    return held(to).size >= SOME || undefined;
  });
  const name = workerPids(daemon).get(to);
  const [from] = [...before].find(([, old]) => old === name) ?? [];
  if (from === undefined) throw new Error(`nobody had the place of ${name}, ${to}`);
  return { done, from, to };
}

/** Stops a process and kills it; answers what it held of ours in that moment. */
function killHolding(pid: number): Set<string> {
  process.kill(pid, 'SIGSTOP');
  const holding = held(pid);
  process.kill(pid, 'SIGKILL');
  return holding;
}

async function untilEnded(pid: number): Promise<void> {
  await expect
    .poll(() => daemon.tree().includes(pid), { timeout: 20_000, message: `${pid} lives` })
    .toBe(false);
}

interface Judged {
  readonly kept: SocketReport[];
  readonly closed: SocketReport[];
}

interface JudgeOptions {
  /** These may have been closed: their process was killed. */
  readonly mayClose: (report: SocketReport) => boolean;
  /** What a killed process had stored and not yet told comes with its crontab job. */
  readonly sweep: boolean;
}

/** Ends the streams and judges what everybody saw. */
async function judge(options: Partial<JudgeOptions> = {}): Promise<Judged> {
  const { mayClose = () => false, sweep = false } = options;
  const posted = await poster.stop();
  const { accepted } = posted;
  await untilSettled();
  if (sweep) {
    const { exitCode, stderr } = await daemon.run('crontab', 'run', '--name=PushCommentMsg');
    expect(exitCode, stderr).toBe(0);
    await untilSettled();
  }
  await load.stopPings();
  const reports = await load.report();
  const closed = reports.filter((report) => report.closed);
  const kept = reports.filter((report) => !report.closed);
  expect.soft(firstOf(auditPosted(posted))).toEqual([]);
  expect.soft(firstOf(auditSockets(reports, accepted, { mayClose }))).toEqual([]);
  const tcpAfter = establishedTo(daemon.port);
  expect.soft(firstOf(auditTcp(kept, tcpBefore, tcpAfter))).toEqual([]);
  const holders = () => firstOf(auditHolders(kept, tcpAfter, socketHolders(daemon.tree())));
  await expect.poll(holders, { timeout: 10_000 }).toEqual([]);
  expect(await load.pingAll(), 'connections that answer').toBe(kept.length);
  await expect.poll(connectionNum, { timeout: 10_000, message: 'connectionNum' }).toBe(kept.length);
  return { kept, closed };
}

/** Until nothing new comes for a second. */
async function untilSettled(): Promise<void> {
  let seen = -1;
  for (let still = 0; still < 10; still += 1) {
    const now = await load.itemCount();
    if (now !== seen) still = 0;
    seen = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function expectReloadWorks(connections = CONNECTIONS): Promise<void> {
  const { exitCode, failure, result } = await reload(daemon);
  expect(exitCode, failure).toBe(0);
  expect(result).toMatchObject({ workers: 2, kept: connections, closed: 0 });
}

async function whileWorkersAreTold<T>(order: 'throw' | 'stop', work: () => Promise<T>): Promise<T> {
  writeFileSync(orders, order);
  try {
    return await work();
  } finally {
    rmSync(orders, { force: true });
  }
}

test('a new Worker that fails at its start: exit 1, nobody is closed, and the next reload succeeds', async () => {
  const before = workerPids(daemon);
  const { exitCode, failure } = await whileWorkersAreTold('throw', () => reload(daemon));
  expect(exitCode).toBe(1);
  expect(failure).toContain('did not come up');
  expect(workerPids(daemon)).toEqual(before);
  expect(await load.closedCount()).toBe(0);
  await expectReloadWorks();
  expect((await judge()).kept).toHaveLength(CONNECTIONS);
});

test('the new Worker killed while it adopts: those not moved stay open, and the next reload succeeds', async () => {
  const { done, from, to } = await reloadUntilAdopting();
  const holding = killHolding(to);
  const { exitCode, failure } = await done;
  expect(exitCode, 'a reload that lost connections does not say that it is done').toBe(1);
  expect(failure).not.toBe('');
  await untilEnded(to);
  const lost = await load.closedCount();
  const whole = [...owners.values()].filter((pid) => pid === from).length;
  console.log(
    `the killed Worker held ${holding.size} of ${whole} connections; ${lost} were closed: ${failure.trim()}`,
  );
  expect(holding.size, 'it was killed too late for this test').toBeLessThan(whole);
  await expectReloadWorks(CONNECTIONS - lost);
  const { closed } = await judge({ mayClose: (report) => holding.has(inodeOf(report)), sweep: true });
  expect(closed).toHaveLength(lost);
});

test('the new Worker stopped while it adopts: exit 1 in time, nobody is closed, all answer', async () => {
  const { done, to } = await reloadUntilAdopting();
  process.kill(to, 'SIGSTOP');
  const stoppedAt = performance.now();
  const { exitCode, failure } = await done;
  const waited = performance.now() - stoppedAt;
  console.log(`exit ${exitCode} after ${(waited / 1000).toFixed(1)} s: ${failure.trim()}`);
  expect(exitCode).toBe(1);
  expect(waited).toBeLessThan(HANG_MS);
  await untilEnded(to);
  expect(await load.closedCount()).toBe(0);
  expect(await load.pingAll()).toBe(CONNECTIONS);
  await expectReloadWorks();
  await judge();
});

test.runIf(LONG)(
  'a new Worker stopped at its start: exit 1 after its deadline, nobody is closed',
  {
    timeout: 180_000,
  },
  async () => {
    const before = workerPids(daemon);
    const { exitCode, seconds } = await whileWorkersAreTold('stop', () => reload(daemon));
    expect(exitCode).toBe(1);
    expect(seconds).toBeGreaterThan(25);
    expect(seconds).toBeLessThan(50);
    expect(workerPids(daemon)).toEqual(before);
    expect(await load.closedCount()).toBe(0);
    await expectReloadWorks();
    await judge();
  },
);

test('the old Worker killed while it leaves: those that moved stay, and the reload goes on', async () => {
  const before = workerPids(daemon);
  const { done, from } = await reloadUntilAdopting();
  // What it does not hold any more is the new one's.
  const holding = killHolding(from);
  const { exitCode, failure, result } = await done;
  const { kept, closed } = await judge({ mayClose: (report) => holding.has(inodeOf(report)), sweep: true });
  const moved = kept.filter((report) => owners.get(inodeOf(report)) === from).length;
  console.log(
    `the killed Worker held ${holding.size}, ${closed.length} were closed, ${moved} of its had moved`,
    result,
  );
  expect(exitCode, failure).toBe(0);
  expect(result).toMatchObject({ workers: 2, kept: kept.length, closed: closed.length });
  for (const pid of before.keys()) expect(workerPids(daemon).has(pid)).toBe(false);
  expect(workerPids(daemon).size).toBe(2);
  expect(moved).toBeGreaterThan(0);
  expect(closed.length).toBeGreaterThan(0);
  await expectReloadWorks(kept.length);
});

test('clients that go in the middle of the hand-over leave no descriptor and no place behind', async () => {
  // The descriptors of sockets that are none of our connections: listening ones, channels, and what was forgotten.
  const others = (): number =>
    [daemon.masterPid, ...workerPids(daemon).keys()].reduce(
      (sum, pid) => sum + socketsOf(pid).length - held(pid).size,
      0,
    );
  const leaving = load.specs.filter(({ n }) => n % 2 === 0).map(({ n }) => n);
  await poster.stop();
  const othersBefore = others();
  const { done } = await reloadUntilAdopting();
  const half = leaving.length / 2;
  await load.leave(leaving.slice(0, half), 'vanish');
  await load.leave(leaving.slice(half), 'close');
  const { exitCode, failure, result } = await done;
  expect(exitCode, failure).toBe(0);
  expect(result).toMatchObject({ closed: 0 });
  const { kept } = await judge();
  expect(kept).toHaveLength(CONNECTIONS - leaving.length);
  await expect
    .poll(others, { timeout: 10_000, message: 'sockets of master and Workers beside the connections' })
    .toBeLessThanOrEqual(othersBefore);
  const heldNow = () => [...workerPids(daemon).keys()].reduce((sum, pid) => sum + held(pid).size, 0);
  await expect.poll(heldNow, { timeout: 10_000, message: 'connections held' }).toBe(kept.length);
  const free = FREE + leaving.length;
  expect(await countFreePlaces(daemon.wsUrl, free + 50), 'places that are free again').toBe(free);
  await expectReloadWorks(kept.length);
});
