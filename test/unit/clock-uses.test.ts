/**
 * Which clock the code reads, and what for. Durations and deadlines are measured by `clock.moment()`; the wall clock, which
 * people and NTP set, only stamps. A failure names the file and the line, and what to do about it.
 *
 * To read the wall clock in a new place: when the reading is kept, sent or shown, add the file to STAMPS with what is stamped.
 * When it is compared or calculated with, the other side must be a stamp or a time of another machine, never an earlier
 * reading of one's own: add the function to COMPARISONS with what it is compared with, and say what a step of the clock does.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClockUse, clockUses } from '../support/clock-uses.js';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** What is stamped with the wall clock, by file. */
const STAMPS: Readonly<Record<string, string>> = {
  'src/cli/commands/process-show.ts': 'the time above the table, and the ages in it',
  'src/cli/commands/server-stop.ts': 'when the server had stopped, for people',
  'src/cli/commands/task-reboot.ts': 'how old the times in the table are',
  'src/cli/commands/task-status.ts': 'how old the times in the table are',
  'src/cli/commands/user-show.ts': 'how old the times in the table are',
  'src/cli/crontab-table.ts': 'how old the times in the table are',
  'src/crontab/scheduler.ts': 'when a job started and ended, for people',
  'src/crontab/timetable.ts': 'the time by which rules come',
  'src/crontab/state-file.ts': 'the name of a file that is set aside',
  'src/master/log-rotation.ts': 'the day of the log file',
  'src/master/master.ts': 'when the server was started, for people',
  'src/master/supervisor/end-process.ts': 'when a process was told to go, for people',
  'src/master/supervisor/replace.ts': 'when a process was told to go, for people',
  'src/master/supervisor/supervisor.ts': 'when a process was started, for people',
  'src/platform/auth/call-verifier.ts': 'the time of this server, given to those who compare',
  'src/platform/auth/gzcp-verifier.ts': 'the time in the call to the main site',
  'src/platform/bus/redis/members.ts': 'when a process was heard of last, to look up what was stored since',
  'src/platform/bus/redis/redis-bus.ts':
    'the time in an envelope; since when news is missing, to look it up in the store',
  'src/platform/bus/redis/redis-shard.ts':
    'until when everything came through, to look up what was stored since',
  'src/platform/bus/redis/shard-map.ts': 'the same of all servers',
  'src/platform/store/libsql/libsql-spill.ts': 'the time of a call, by which messages expire',
  'src/platform/store/libsql/libsql-store.ts': 'the time of a call, by which messages expire',
  'src/platform/store/mysql/group-commit.ts': 'when a process wrote last',
  'src/platform/store/mysql/mysql-store.ts': 'the time of a call, by which messages expire',
  'src/platform/health/troubles.ts': 'since when something is wrong, for people',
  'src/platform/instance/instance-file.ts': 'the name of a file that is set aside',
  'src/platform/log/log-file.ts': 'the time of a line',
  'src/shared/base/clock.ts': 'a moment with its stamp',
  'src/task/tasks/sweep.ts': 'when a job released its messages',
  'src/worker/api/push-routes.ts': 'when a message was made, and when it expires',
  'src/worker/delivery/canary.ts': 'the message and the login of the canary',
  'src/worker/delivery/delivery.ts': 'ts of frames',
  'src/worker/delivery/sent-marks.ts': 'when messages were sent',
  'src/worker/gateway/commands/ack.ts': 'when messages were acknowledged',
  'src/worker/gateway/commands/read.ts': 'when messages were read',
  'src/worker/gateway/gateway.ts': 'ts of frames',
  'src/worker/gateway/message-loop.ts': 'ts of frames',
  'src/worker/gateway/ws-connection.ts': 'ts of frames',
  'src/worker/sessions/login-desk.ts':
    'when a user logged in, for people and as the beginning of what is looked up',
  'src/worker/sessions/session.ts': 'when a client connected',
  'src/worker/worker.ts': 'since when a broadcast is missing, to look it up in the store',
};

const EXPIRY =
  'when a message expires is a promise to callers and readers, who have calendars; a step moves it as it moves them';

/** With what the wall clock is compared, by file and function. */
const COMPARISONS: Readonly<Record<string, string>> = {
  'src/cli/figures.ts age': 'stamps that the server sent, shown as an age; a step makes it wrong by as much',
  'src/cli/figures.ts shortTime': 'the same, to leave out the day of what is of today',
  'src/crontab/timetable.ts #arm': 'the times of rules, which are those of the wall',
  'src/crontab/timetable.ts #runDue': 'the times of rules; the clock of before, to find out that it was set',
  'src/crontab/timetable.ts #tellLate': 'the time of a rule, to say how late it runs',
  'src/crontab/timetable.ts noteTime':
    'the latest time that was shown, so that a clock set back brings no time of day twice',
  'src/master/log-rotation.ts #forget':
    'days in the names of files; a step of days forward deletes old logs early',
  'src/platform/auth/signature.ts parseTimestamp':
    'the time of the caller; a step refuses calls until clocks agree again',
  'src/platform/bus/redis/envelope.ts open':
    'the time of another node; a step refuses its news until clocks agree again',
  'src/platform/bus/redis/redis-bus.ts #onHealth':
    'stamps of messages: the beginning of a gap is never in the future',
  'src/platform/bus/redis/redis-bus.ts #take':
    'the time of another node: the beginning of a gap is never in the future',
  'src/platform/bus/redis/redis-bus.ts siblingDied':
    'stamps of messages of the last seconds, looked up in the store',
  'src/platform/bus/redis/sender-numbers.ts #forget':
    'times of other nodes: what the envelope lets in must be remembered',
  'src/platform/store/call-arguments.ts pendingArgs':
    'stamps of sent messages: those ahead of the clock are of one that was set back',
  'src/platform/store/libsql/thread/upkeep.ts upkeepOperations': EXPIRY,
  'src/platform/store/mysql/accept.ts #add': EXPIRY,
  'src/platform/store/mysql/accept.ts take': EXPIRY,
  'src/platform/store/mysql/inbox.ts listOf': EXPIRY,
  'src/platform/store/mysql/inbox.ts unreadOf': EXPIRY,
  'src/platform/store/mysql/inspect.ts pendingCountsOf': EXPIRY,
  'src/platform/store/mysql/marks.ts findUnread': EXPIRY,
  'src/platform/store/mysql/marks.ts readKinds': EXPIRY,
  'src/platform/store/mysql/older.ts settleOlder': EXPIRY,
  'src/platform/store/mysql/pending.ts addNotices': EXPIRY,
  'src/platform/store/mysql/pending.ts personalRows': EXPIRY,
  'src/platform/store/mysql/take-in.ts takeIn': EXPIRY,
  'src/platform/store/mysql/upkeep.ts pruneSlices':
    'rows of processes of all nodes that wrote nothing for a day; one that is forgotten too early writes its row anew',
  'src/platform/store/mysql/upkeep.ts statusOf': EXPIRY,
  'src/shared/base/clock.ts earliestStamp':
    'the stamp of before, to have the earlier of the two that a step leaves',
  'src/shared/base/clock.ts nowSeconds': 'nothing: milliseconds become seconds',
  'src/shared/domain/message-id.ts createMessageIdSource':
    'the time in the id before; set back, ids go on from there',
  'src/task/tasks/prune.ts pruneTask': EXPIRY,
  'src/task/tasks/sweep.ts sweepTask':
    'stamps of sent messages; the store leaves out those that are ahead of the clock',
  'src/worker/api/new-messages.ts templateOf': EXPIRY,
  'src/worker/delivery/gap.ts recentGap': 'stamps of messages of the last minute, looked up in the store',
  'src/worker/delivery/replay.ts #afterGap':
    'stamps of messages; what may be missed is told to the reader, who can look',
};

/** Where moments become numbers, or numbers moments, by file: everywhere else they stay opaque. */
const NUMBERS: Readonly<Record<string, string>> = {
  'src/master/relay/nonce-file.ts':
    'a file for the next master of this machine, which says of which start it is',
  'src/platform/clock/system-clock.ts': 'makes them',
  'src/shared/base/clock.ts': 'calculates with them',
  'src/platform/notify/systemd-notifier.ts': 'systemd wants CLOCK_MONOTONIC in microseconds',
  'src/platform/store/spill/mover.ts': 'a lease in a file that the processes of a node share',
  'src/task/watchdog.ts': 'memory shared with a thread',
  'src/task/watchdog-thread.ts': 'memory shared with a process',
  'src/worker/handoff/arrivals.ts': 'a session that travels between processes',
  'src/worker/handoff/travelling.ts': 'a session that travels between processes',
};

/** Files that read a clock themselves. */
const DIRECT: Readonly<Record<string, string>> = {
  'src/platform/clock/system-clock.ts': 'is the clock',
};

const uses = filesOf('src', 'bin', 'conf', 'bootstrap.ts').flatMap((file) =>
  clockUses(file, readFileSync(path.join(ROOT, file), 'utf8')),
);

function filesOf(...names: string[]): string[] {
  return names.flatMap((name) => {
    if (/\.[jt]s$/.test(name)) return [name];
    const inside = readdirSync(path.join(ROOT, name), { recursive: true, encoding: 'utf8' });
    return inside.filter((file) => /\.[jt]s$/.test(file)).map((file) => path.posix.join(name, file));
  });
}

const ofKind = (is: ClockUse['is']): ClockUse[] => uses.filter((use) => use.is === is);
const place = ({ file, line }: ClockUse): string => `${file}:${line}`;
const functionOf = ({ file, member }: ClockUse): string => `${file} ${member}`;

function unlisted(
  kind: ClockUse['is'],
  list: Readonly<Record<string, string>>,
  key: (use: ClockUse) => string,
) {
  return ofKind(kind).filter((use) => !Object.hasOwn(list, key(use)));
}

/** Entries that nothing in the tree answers to any more. */
function idle(kind: ClockUse['is'], list: Readonly<Record<string, string>>, key: (use: ClockUse) => string) {
  const used = new Set(ofKind(kind).map(key));
  return Object.keys(list).filter((entry) => !used.has(entry));
}

describe('the code', () => {
  test('reads no clock past the Clock it is given', () => {
    const found = unlisted('direct', DIRECT, ({ file }) => file).map(place);
    expect(found, 'take a Clock: clock.moment() for durations and deadlines, clock.now() for stamps').toEqual(
      [],
    );
  });

  test('measures nothing by the wall clock', () => {
    const found = unlisted('compared', COMPARISONS, functionOf).map(
      (use) => `${place(use)} in ${use.member}`,
    );
    const advice =
      'a duration or deadline: use clock.moment() with msSince, msBetween or msLater. Compared with a stamp or another machine: add it to COMPARISONS with the reason';
    expect(found, advice).toEqual([]);
  });

  test('stamps with the wall clock where it is said what for', () => {
    const found = unlisted('stamp', STAMPS, ({ file }) => file).map(place);
    expect(found, 'a stamp: add the file to STAMPS with what is stamped').toEqual([]);
  });

  test('keeps moments opaque, except where they travel', () => {
    const found = unlisted('number', NUMBERS, ({ file }) => file).map(place);
    expect(
      found,
      'msSince, msBetween and msLater do without; else add the file to NUMBERS with the reason',
    ).toEqual([]);
  });

  test('has a use for each entry of these lists', () => {
    const fileOf = ({ file }: ClockUse): string => file;
    expect([
      ...idle('direct', DIRECT, fileOf),
      ...idle('compared', COMPARISONS, functionOf),
      ...idle('stamp', STAMPS, fileOf),
      ...idle('number', NUMBERS, fileOf),
    ]).toEqual([]);
  });
});

describe('what is found in a file', () => {
  test.each([
    ['Date.now()', 'direct'],
    ['new Date()', 'direct'],
    ['performance.now()', 'direct'],
    ['process.hrtime.bigint()', 'direct'],
    ["import { performance } from 'node:perf_hooks';", 'direct'],
    ['send({ at: clock.now() });', 'stamp'],
    ['send(nowSeconds(clock));', 'stamp'],
    ['const read = deps.clock.now;', 'stamp'],
    ['const ms = clock.now() - before;', 'compared'],
    ['const begun = this.#deps.clock.now(); work(); log(clock.moment(), end - begun);', 'compared'],
    ['this.#until = anything.now() + keepMs;', 'compared'],
    ['if (until > clock.now()) return;', 'compared'],
    ['const [at, moment] = [clock.now(), clock.moment()]; return at < last;', 'compared'],
    ['function late(nowMs: number) { return nowMs >= due; }', 'compared'],
    ['const left = Math.max(0, clock.now());', 'compared'],
    [`sql\`DELETE FROM t WHERE at < \${now}\``, 'compared'],
    ['const seconds = (now.getTime() - then) / 1000;', 'compared'],
    ['const ms = momentMs(moment);', 'number'],
  ])('%s: %s', (text, is) => {
    expect(clockUses('some.ts', text).map((use) => use.is)).toContain(is);
  });

  test.each([
    'new Date(unixMs)',
    'msSince(clock, begun)',
    'clock.moment()',
    'stats.now()',
    'if (workerCount.now < 3) {}',
  ])('%s: nothing', (text) => {
    expect(clockUses('some.ts', text)).toEqual([]);
  });
});
