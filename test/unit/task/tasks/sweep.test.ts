import { describe, expect, it } from 'vitest';
import type { PendingQuery } from '../../../../src/platform/store/message-store.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { Kind } from '../../../../src/shared/domain/kind.js';
import type { MessageItem } from '../../../../src/shared/domain/message.js';
import { messageIdFrom } from '../../../../src/shared/domain/message-id.js';
import { type BusEvent, busEventText, parseBusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { MESSAGES_PER_USER_MAX, sweepTask } from '../../../../src/task/tasks/sweep.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { recordedLog } from '../../../support/recorded-log.js';

let lastId = 1_900_000_000_000_000_000n;
function items(uid: number, count: number, kind: Kind = 'comment'): MessageItem[] {
  return Array.from({ length: count }, () => {
    lastId += 1n;
    return { id: messageIdFrom(lastId), kind, uid, title: 't', content: 'c', createdAt: 1 };
  });
}

function setUp(options: { online: number[]; pending: Map<number, MessageItem[]>; silent?: string[] }) {
  const clock = new FakeClock();
  const steps: string[] = [];
  const queries: PendingQuery[] = [];
  const events: BusEvent[] = [];
  const reads: number[] = [];
  let paced = 0;
  let onPaced: () => void = () => {};
  const read = (uid: number, { after, limit }: PendingQuery): MessageItem[] =>
    (options.pending.get(uid) ?? []).filter(({ id }) => after === undefined || id > after).slice(0, limit);
  const log = recordedLog();
  const task = sweepTask({
    store: {
      release: async (kind, at) => {
        steps.push(`release ${kind} ${at === clock.now()}`);
      },
      pendingForMany: async (uids, query) => {
        steps.push('read');
        queries.push(query);
        reads.push(uids.length);
        return new Map(
          uids.map((uid) => [uid, read(uid, query)] as const).filter(([, found]) => found.length > 0),
        );
      },
      pending: async (uid, query) => read(uid, query),
    },
    askForUids: async ({ after, limit }) => {
      steps.push('ask');
      const rest = options.online.filter((uid) => uid > after);
      const uids = rest.slice(0, limit);
      const next = rest.length > limit ? uids.at(-1) : null;
      return { answers: [{ from: 'w', result: { uids, next } }], silent: options.silent ?? [] };
    },
    bus: {
      publish: (event) => events.push(event),
      probe: async ({ deadlineMs }) => {
        expect(deadlineMs).toBe(10_000);
        paced += 1;
        onPaced();
        return { complete: true };
      },
    },
    clock,
    resendMs: () => 30_000,
    log,
  });
  const abort = new AbortController();
  const run = (kind: string) => task.run({ kind }, { signal: abort.signal });
  return {
    run,
    steps,
    queries,
    events,
    reads,
    log,
    clock,
    abort,
    paced: () => paced,
    whenPaced: (listener: () => void) => {
      onPaced = listener;
    },
  };
}

describe('sweep', () => {
  it('releases the kind first, then pushes what is pending to who is online', async () => {
    const [mine, yours] = [items(7, 3), items(9, 1)];
    const { run, steps, events, queries, clock } = setUp({
      online: [7, 8],
      pending: new Map([
        [7, mine],
        [9, yours],
      ]),
    });
    expect(await run('comment')).toEqual({ users: 1, messages: 3, online: 2 });
    expect(steps).toEqual(['release comment true', 'ask', 'read']);
    expect(events).toEqual([{ t: 'push', uid: 7, items: mine, again: true }]);
    expect(queries).toEqual([{ kind: 'comment', notSentSince: clock.now() - 30_000, limit: 50 }]);
  });

  it('sends many messages in frames of at most 50, each once, in order', async () => {
    const many = items(7, 120);
    const { run, events } = setUp({ online: [7], pending: new Map([[7, many]]) });
    expect(await run('comment')).toEqual({ users: 1, messages: 120, online: 1 });
    const sizes = events.map((event) => (event.t === 'push' ? event.items.length : 0));
    expect(sizes).toEqual([50, 50, 20]);
    expect(events.flatMap((event) => (event.t === 'push' ? event.items : []))).toEqual(many);
    for (const event of events) {
      const text = busEventText(event);
      expect(parseBusEvent(JSON.parse(text), text)).toEqual(event);
    }
  });

  it('leaves what one user has too much to the next run', async () => {
    const { run } = setUp({ online: [7], pending: new Map([[7, items(7, MESSAGES_PER_USER_MAX + 200)]]) });
    expect(await run('comment')).toMatchObject({ messages: MESSAGES_PER_USER_MAX });
  });

  it('reads few users at a time, and is never faster than the bus', async () => {
    const online = Array.from({ length: 2500 }, (_, i) => i + 1);
    const { run, steps, reads, paced } = setUp({ online, pending: new Map() });
    expect(await run('userNotice')).toEqual({ users: 0, messages: 0, online: 2500 });
    expect(steps.filter((step) => step === 'ask')).toHaveLength(3);
    expect(Math.max(...reads)).toBe(100);
    expect(reads.reduce((a, b) => a + b, 0)).toBe(2500);
    expect(paced()).toBe(25);
  });

  it('fails when the bus takes nothing, and pushes no more', async () => {
    const online = Array.from({ length: 200 }, (_, i) => i + 1);
    const sweep = setUp({ online, pending: new Map(online.map((uid) => [uid, items(uid, 1)])) });
    sweep.whenPaced(() => {
      throw new SpushError('RPC_TIMEOUT', 'no answer of the bus');
    });
    await expect(sweep.run('comment')).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
    expect(sweep.events).toHaveLength(100);
  });

  it('stops in the middle when its signal is raised', async () => {
    const online = Array.from({ length: 1000 }, (_, i) => i + 1);
    const { run, abort, whenPaced, reads } = setUp({ online, pending: new Map() });
    whenPaced(() => abort.abort(new SpushError('TASK_TIMEOUT', 'too slow')));
    await expect(run('comment')).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    expect(reads).toEqual([100]);
  });

  it('names the Workers that did not answer', async () => {
    const { run, log } = setUp({ online: [], pending: new Map(), silent: ['w1', 'w2'] });
    await run('comment');
    expect(log.lines[0]).toMatchObject({ event: 'sweep.silentWorkers', fields: { workers: 'w1, w2' } });
  });

  it('refuses a kind that does not exist', async () => {
    const { run, steps } = setUp({ online: [], pending: new Map() });
    await expect(run('coment')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(steps).toEqual([]);
  });

  it('waits for the bus more often when messages are large', async () => {
    const online = Array.from({ length: 100 }, (_, n) => n + 1);
    const large = (uid: number) => items(uid, 49).map((item) => ({ ...item, content: 'x'.repeat(8000) }));
    const sweep = setUp({ online, pending: new Map(online.map((uid) => [uid, large(uid)])) });
    await sweep.run('comment');
    // 400 KB a user, half a MiB before it waits.
    expect(sweep.paced()).toBe(51);
  });
});
