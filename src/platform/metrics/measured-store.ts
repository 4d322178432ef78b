/** The message store, with the duration and success of every call told to the metrics. */
import { type Clock, msSince } from '../../shared/base/clock.js';
import type { MessageStore } from '../store/message-store.js';
import type { Metrics } from './metrics.js';

export function measuredStore(
  store: MessageStore,
  { metrics, clock }: { metrics: Pick<Metrics, 'storeCalled'>; clock: Pick<Clock, 'moment'> },
): MessageStore {
  async function timed<T>(call: string, work: () => Promise<T>): Promise<T> {
    const begun = clock.moment();
    let ok = false;
    try {
      const result = await work();
      ok = true;
      return result;
    } finally {
      metrics.storeCalled(call, msSince(clock, begun) / 1000, ok);
    }
  }
  return {
    accept: (messages) => timed('accept', () => store.accept(messages)),
    pending: (uid, query) => timed('pending', () => store.pending(uid, query)),
    pendingForMany: (uids, query) => timed('pendingForMany', () => store.pendingForMany(uids, query)),
    markSent: (marks, at) => timed('markSent', () => store.markSent(marks, at)),
    ack: (uid, ids, at) => timed('ack', () => store.ack(uid, ids, at)),
    read: (uid, mark, at) => timed('read', () => store.read(uid, mark, at)),
    list: (uid, query) => timed('list', () => store.list(uid, query)),
    unread: (uid) => timed('unread', () => store.unread(uid)),
    status: (id) => timed('status', () => store.status(id)),
    inspect: (id) => timed('inspect', () => store.inspect(id)),
    backlog: (uid) => timed('backlog', () => store.backlog(uid)),
    spilled: store.spilled,
    release: (kind, at) => timed('release', () => store.release(kind, at)),
    prune: (expiredBefore, limit) => timed('prune', () => store.prune(expiredBefore, limit)),
    pendingCount: () => timed('pendingCount', () => store.pendingCount()),
    probe: () => timed('probe', () => store.probe()),
    close: () => store.close(),
  };
}
