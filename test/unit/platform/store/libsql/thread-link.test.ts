import { EventEmitter, once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Log, silentLog } from '../../../../../src/platform/log/log.js';
import type { Call, FromThread, ToThread } from '../../../../../src/platform/store/libsql/store-calls.js';
import { startThread } from '../../../../../src/platform/store/libsql/thread-entry.js';
import {
  type StoreWorker,
  ThreadLink,
  WAITING_BYTES_MAX,
  WAITING_CALLS_MAX,
} from '../../../../../src/platform/store/libsql/thread-link.js';
import { LibsqlStores } from '../../../../support/libsql-stores.js';
import { newMessage } from './thread-store.js';

/** A thread that answers when the test says so. */
class FakeThread extends EventEmitter implements StoreWorker {
  readonly calls: Call[] = [];
  readonly batches: number[] = [];
  closed = false;

  postMessage(message: ToThread): void {
    if (message.type === 'close') {
      this.closed = true;
      this.emit('exit');
      return;
    }
    this.calls.push(...message.calls);
    this.batches.push(message.calls.length);
    this.emit('given');
  }

  tell(message: FromThread): void {
    this.emit('message', message);
  }

  answerAll(): void {
    this.tell({
      type: 'answers',
      answers: this.calls.splice(0).map(({ seq }) => ({ seq, ok: true, value: null })),
    });
  }
}

describe('the link to the store thread', () => {
  let threads: FakeThread[];
  let link: ThreadLink;
  let events: string[];
  const thread = (): FakeThread => threads.at(-1) ?? new FakeThread();
  const probe = (bytes = 1) => link.call('probe', { args: { at: 0 } }, { rows: 1, bytes });

  beforeEach(async () => {
    threads = [];
    events = [];
    const record = (event: string) => events.push(event);
    const log: Log = { ...silentLog, info: record, warn: record, error: record };
    link = new ThreadLink({
      file: '/data/store.db',
      log,
      start() {
        threads.push(new FakeThread());
        return thread();
      },
      onOpened() {},
    });
    const opening = link.open({ create: true });
    thread().tell({ type: 'opened', highest: 0n });
    await opening;
  });

  test('gives what was called in one turn in one message, in order', async () => {
    const calls = [probe(), probe(), probe()];
    await once(thread(), 'given');
    expect(thread().batches).toEqual([3]);
    expect(thread().calls.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    thread().answerAll();
    await Promise.all(calls);
  });

  test('refuses with STORE_BUSY above its limits, and takes calls again when some are answered', async () => {
    const huge = probe(WAITING_BYTES_MAX * 3);
    await expect(probe()).rejects.toMatchObject({ code: 'STORE_BUSY' });
    await once(thread(), 'given');
    await expect(probe()).rejects.toThrow(/1 calls of \d+ bytes waiting; try again/);
    thread().answerAll();
    await huge;
    const many = Array.from({ length: WAITING_CALLS_MAX }, () => probe());
    await expect(probe()).rejects.toMatchObject({ code: 'STORE_BUSY' });
    await once(thread(), 'given');
    thread().answerAll();
    await Promise.all(many);
    const next = probe();
    await once(thread(), 'given');
    thread().answerAll();
    await next;
  });

  test('encodes a big call in steps, turn by turn, and keeps later calls behind it', async () => {
    let steps = 0;
    function* slowly(): Generator<void, { at: number }> {
      for (; steps < 5; steps += 1) yield;
      return { at: 7 };
    }
    const calls = [probe(), link.call('probe', { steps: slowly() }, { rows: 1, bytes: 1 }), probe()];
    await once(thread(), 'given');
    expect([thread().batches, steps]).toEqual([[1], 0]);
    await once(thread(), 'given');
    expect([thread().batches, steps]).toEqual([[1, 2], 5]);
    expect(thread().calls.map(({ args }) => args)).toEqual([{ at: 0 }, { at: 7 }, { at: 0 }]);
    thread().answerAll();
    await Promise.all(calls);
  });

  test('fails a call that cannot be encoded, and no other', async () => {
    function* faulty(): Generator<void, { at: number }> {
      yield;
      throw new TypeError('not a message');
    }
    const bad = link.call('probe', { steps: faulty() }, { rows: 1, bytes: 1 });
    const good = probe();
    await Promise.all([expect(bad).rejects.toThrow('not a message'), once(thread(), 'given')]);
    thread().answerAll();
    await good;
  });

  test('fails what a thread that died was given, and starts another for the next call', async () => {
    const lost = probe();
    await once(thread(), 'given');
    thread().emit('error', new Error('out of memory'));
    thread().emit('exit');
    await expect(lost).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(lost).rejects.toThrow(/\/data\/store\.db lost its thread \(out of memory\)/);
    const next = probe();
    await expect.poll(() => threads.length).toBe(2);
    await expect.poll(() => thread().calls.length).toBe(1);
    thread().answerAll();
    await next;
    expect(events).toEqual(['store.opened', 'store.unavailable', 'store.available']);
  });

  test('gives what a retired thread has not begun to the next one, in order, once', async () => {
    const calls = [probe(), probe()];
    await once(thread(), 'given');
    const [first] = thread().calls;
    thread().tell({ type: 'answers', answers: [{ seq: first?.seq ?? 0, ok: true, value: null }] });
    thread().tell({ type: 'retired', reason: 'replaced' });
    const late = probe();
    expect(threads.length).toBe(1);
    thread().emit('exit');
    await expect.poll(() => threads.length).toBe(2);
    await expect.poll(() => thread().calls.map(({ seq }) => seq)).toEqual([2, 3]);
    thread().tell({ type: 'retired', reason: 'replaced again' });
    thread().emit('exit');
    await expect(calls[1]).rejects.toThrow(/replaced again/);
    await expect.poll(() => threads.length).toBe(3);
    await expect.poll(() => thread().calls.map(({ seq }) => seq)).toEqual([3]);
    thread().answerAll();
    await Promise.all([calls[0], late]);
  });

  test('fails everything that waits when the file cannot be opened again', async () => {
    thread().tell({ type: 'retired', reason: 'replaced' });
    thread().emit('exit');
    const calls = [probe(), probe()];
    await expect.poll(() => threads.length).toBe(2);
    thread().tell({ type: 'refused', failure: { code: 'STORE_UNAVAILABLE', text: 'no such file' } });
    thread().emit('exit');
    for (const call of calls) await expect(call).rejects.toThrow('no such file');
  });

  test('closes after everything was answered, once', async () => {
    const call = probe();
    const closing = link.close();
    expect(link.close()).toBe(closing);
    await expect(probe()).rejects.toThrow(/is closed/);
    await once(thread(), 'given');
    expect(thread().closed).toBe(false);
    thread().answerAll();
    await Promise.all([call, closing]);
    expect(thread().closed).toBe(true);
  });
});

describe('a store whose thread is killed', () => {
  let stores: LibsqlStores;
  beforeEach(async () => {
    stores = await LibsqlStores.make();
  });
  afterEach(() => stores.dispose());

  test('fails what was under way, has what was accepted, and goes on with another thread', async () => {
    const workers: Worker[] = [];
    const start = (data: Parameters<typeof startThread>[0]) => {
      const worker = startThread(data);
      workers.push(worker);
      return worker;
    };
    const store = await stores.open({ startThread: start });
    const message = { ...newMessage(1), expiresAt: Date.now() + 60_000 };
    const kept = await store.accept([message]);
    const calls = Array.from({ length: 50 }, (_, i) =>
      store.accept(Array.from({ length: 400 }, () => ({ ...message, uid: 10 + i }))),
    );
    const settled = Promise.allSettled(calls);
    await calls[0];
    // What cannot happen: a message that is none. The thread dies of it as of any bug of its own.
    workers[0]?.postMessage(null);
    const results = await settled;
    expect(results.some(({ status }) => status === 'rejected')).toBe(true);
    for (const [i, result] of results.entries()) {
      const { total } = await store.unread(10 + i);
      // A call under way when its thread died may be there or not, but never in part.
      if (result.status === 'fulfilled') expect(total).toBe(400);
      else expect([0, 400]).toContain(total);
    }
    expect((await store.list(1, { limit: 5 })).items.map(({ id }) => id)).toEqual(kept.map(({ id }) => id));
    await store.accept([message]);
    expect(workers.length).toBe(2);
  });
});
