/**
 * Judges what connections have seen against what was sent. Answers faults in words, each with the socket, the number, what
 * was expected and what was seen; none when all is well.
 */
import type { Accepted, Posted, SocketReport } from './handoff-load.js';
import type { TcpRow } from './tcp-table.js';

export interface AuditOptions {
  /** Connections that may be closed; all others must not. */
  readonly mayClose?: (report: SocketReport) => boolean;
  /** Pings and messages are under way: what has no answer yet, or is not posted by us, is no fault. */
  readonly running?: boolean;
}

/** Every ping answered once, every message seen exactly once on each socket of its user, nobody closed. */
export function auditSockets(
  reports: readonly SocketReport[],
  accepted: readonly Accepted[],
  { mayClose = () => false, running = false }: AuditOptions = {},
): string[] {
  const faults: string[] = [];
  const byUid = new Map<number, Accepted[]>();
  const byId = new Map<string, Accepted>();
  for (const message of accepted) {
    const twin = byId.get(message.id);
    if (twin) faults.push(`${twin.title} and ${message.title} were answered with the same id ${message.id}`);
    byId.set(message.id, message);
    const ofUser = byUid.get(message.uid);
    if (ofUser) ofUser.push(message);
    else byUid.set(message.uid, [message]);
  }
  for (const report of reports) {
    const name = socketName(report);
    for (const fault of report.faults) faults.push(`${name}: ${fault}`);
    const untold = report.faultCount - report.faults.length;
    if (untold > 0) faults.push(`${name}: and ${untold} faults more`);
    if (report.closed && !report.closed.byUs) {
      const { code, how, bye } = report.closed;
      if (mayClose(report)) continue;
      faults.push(`${name}: was closed with ${code ?? 'no close frame'} (${how}; bye: ${bye ?? 'none'})`);
      continue;
    }
    if (report.closed || running) continue;
    const { outstanding, pingsSent, pingsAnswered } = report;
    if (outstanding.length > 0)
      faults.push(`${name}: ${outstanding.length} pings without answer: ${few(outstanding)}`);
    if (pingsAnswered + outstanding.length !== pingsSent)
      faults.push(
        `${name}: ${pingsSent} pings sent, ${pingsAnswered} answered, ${outstanding.length} open, ${report.unsent} pieces not sent`,
      );
    if (report.unansweredAcks > 0) faults.push(`${name}: ${report.unansweredAcks} acks without answer`);
    if (report.pongsMissing > 0) faults.push(`${name}: ${report.pongsMissing} pongs are missing`);
    const seen = new Map(report.items);
    const lost = (byUid.get(report.uid) ?? []).filter(({ id }) => !seen.has(id));
    if (lost.length > 0) {
      const which = few(lost.map(({ id, title }) => `${title} (${id})`));
      const dropped = report.more > 0 ? `; ${report.more} frames said that copies were dropped` : '';
      faults.push(`${name}: ${lost.length} accepted messages never came: ${which}${dropped}`);
    }
    for (const [id, times] of seen) {
      const message = byId.get(id);
      if (!message) faults.push(`${name}: message ${id} came, which nobody was told to be accepted`);
      else if (message.uid !== report.uid)
        faults.push(`${name}: ${message.title} (${id}) of user ${message.uid} came`);
      else if (times !== 1)
        faults.push(`${name}: ${message.title} (${id}) came ${times} times, expected once`);
    }
  }
  return faults;
}

export function auditPosted(posted: Posted): string[] {
  const answered = posted.accepted.length;
  const given = posted.failures.map((failure) => `a call was given up: ${failure}`);
  return given.length > 0 || answered === posted.sent
    ? given
    : [`${posted.sent} messages were sent and ${answered} answered 200`];
}

/** The very same sockets of the kernel: each four-tuple established, with the inode that it had. */
export function auditTcp(
  reports: readonly SocketReport[],
  before: ReadonlyMap<string, TcpRow>,
  after: ReadonlyMap<string, TcpRow>,
): string[] {
  return reports.flatMap((report) => {
    const was = before.get(report.local);
    const is = after.get(report.local);
    const name = socketName(report);
    if (!was) return [`${name}: was not among the server's established connections before`];
    if (!is) return [`${name}: is not among the server's established connections any more`];
    return was.inode === is.inode
      ? []
      : [`${name}: the server's socket is another one (inode ${is.inode}, was ${was.inode})`];
  });
}

/** Every connection is held by exactly one process, by one descriptor. */
export function auditHolders(
  reports: readonly SocketReport[],
  rows: ReadonlyMap<string, TcpRow>,
  holders: ReadonlyMap<string, readonly number[]>,
): string[] {
  return reports.flatMap((report) => {
    const inode = rows.get(report.local)?.inode ?? '';
    const pids = holders.get(inode) ?? [];
    if (pids.length === 1) return [];
    return [
      `${socketName(report)}: expected one descriptor of it on the server, found ${pids.length} (${pids})`,
    ];
  });
}

export function socketName({ n, uid, kind, device, local }: SocketReport): string {
  return `socket ${n} (${kind}, user ${uid}, ${device}, ${local})`;
}

/** A failing expectation shows this: enough to begin with, not thousands of lines. */
export function firstOf(faults: readonly string[], max = 15): string[] {
  return faults.length <= max ? [...faults] : [...faults.slice(0, max), `… and ${faults.length - max} more`];
}

function few(values: readonly (string | number)[]): string {
  const shown = values.slice(0, 5).join(', ');
  return values.length > 5 ? `${shown}, …` : shown;
}

/** p: 0 … 1 */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}
