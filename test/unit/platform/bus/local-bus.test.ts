import { describe, expect, it, vi } from 'vitest';
import { BUS_UNSENT_CHARS_MAX, LocalBus } from '../../../../src/platform/bus/local-bus.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import type { BusParcel, ToMaster } from '../../../../src/shared/protocol/ipc.js';
import { turns } from '../../../support/deferred.js';
import { recordedLog } from '../../../support/recorded-log.js';

const ID = '1900000000000000001' as MessageId;

function push(uid: number, count = 1, content = ''): BusEvent {
  const item = { id: ID, kind: 'comment', uid, title: 't', content, createdAt: 1 } as const;
  return { t: 'push', uid, items: Array.from({ length: count }, () => item) };
}

function setUp(options: { call?: (name: string) => Promise<unknown>; takes?: boolean } = {}) {
  const notes: { name: string; args: ToMaster['notes'][keyof ToMaster['notes']] }[] = [];
  const calls: { name: string; args: unknown }[] = [];
  const events: BusEvent[] = [];
  const onGap = vi.fn();
  const flushes: (() => void)[] = [];
  const log = recordedLog();
  const bus = new LocalBus({
    peer: {
      call: async (name: string, args: unknown): Promise<never> => {
        calls.push({ name, args });
        return (await (options.call?.(name) ?? Promise.resolve({}))) as never;
      },
      note: (name, args, flushed) => {
        notes.push({ name, args });
        if (!flushed) return;
        if (options.takes === false) flushes.push(() => flushed(null));
        else setImmediate(flushed, null);
      },
    },
    listener: { onEvent: (event) => events.push(event), onGap },
    log,
  });
  const parcels = (): BusParcel[] =>
    notes.flatMap(({ name, args }) => (name === 'bus' ? (args as { parcels: BusParcel[] }).parcels : []));
  return { bus, notes, calls, events, onGap, flushes, log, parcels };
}

describe('LocalBus', () => {
  it('sends the events of one turn together, in order, each addressed to whom it concerns', async () => {
    const { bus, notes, parcels } = setUp();
    bus.publish(push(7));
    bus.publish({
      t: 'notice',
      item: { id: ID, kind: 'systemNotice', title: 't', content: 'c', createdAt: 1 },
    });
    bus.publish(push(9));
    expect(notes).toEqual([]);
    await turns();
    expect(notes).toHaveLength(1);
    expect(parcels().map(({ to }) => to)).toEqual([7, null, 9]);
    expect(JSON.parse(parcels()[0]?.text ?? '')).toEqual(push(7));
  });

  it('gives its own listener what it follows and what is for all, without the detour, but not within the call', async () => {
    const { bus, events } = setUp();
    await bus.follow(7);
    bus.publish(push(7));
    bus.publish(push(8));
    bus.publish({
      t: 'notice',
      item: { id: ID, kind: 'systemNotice', title: 't', content: 'c', createdAt: 1 },
    });
    expect(events).toEqual([]);
    await Promise.resolve();
    expect(events.map(({ t }) => t)).toEqual(['push', 'notice']);
  });

  it('follows once the master knows; what to do when that fails is the caller’s to say', async () => {
    let answer: Promise<unknown> = Promise.resolve({});
    const { bus, calls, notes } = setUp({ call: () => answer });
    await bus.follow(7);
    expect(calls).toEqual([{ name: 'bus.follow', args: { uid: 7 } }]);
    bus.unfollow(7);
    bus.unfollow(7);
    expect(notes).toEqual([{ name: 'bus.unfollow', args: { uid: 7 } }]);
    answer = Promise.reject(new SpushError('RPC_TIMEOUT', 'no answer'));
    await expect(bus.follow(8)).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
    expect(notes).toHaveLength(1);
    bus.unfollow(8);
    expect(notes.at(-1)).toEqual({ name: 'bus.unfollow', args: { uid: 8 } });
  });

  it('hands on what arrives for users it follows', async () => {
    const { bus, events } = setUp();
    await bus.follow(7);
    bus.receive([JSON.stringify(push(7)), JSON.stringify(push(8))]);
    expect(events).toEqual([push(7)]);
    expect(bus.counts.received).toBe(2);
  });

  it.each([
    ['no JSON', '{"t":"push"'],
    ['an unknown type', '{"t":"explode"}'],
    ['a wrong uid', JSON.stringify({ ...push(7), uid: -1 })],
    ['too many items', JSON.stringify(push(7, 51))],
    ['null', 'null'],
  ])('counts and logs %s, and goes on with the rest', async (_what, bad) => {
    const { bus, events, log } = setUp();
    await bus.follow(7);
    bus.receive([bad, JSON.stringify(push(7))]);
    expect(events).toEqual([push(7)]);
    expect(bus.counts.bad).toBe(1);
    expect(log.lines).toMatchObject([{ level: 'warn', event: 'bus.badEvent' }]);
  });

  it('never logs what a bad event holds', async () => {
    const { bus, log } = setUp();
    bus.receive([JSON.stringify({ t: 'push', uid: 7, items: [{ title: 'secret text' }] }), '{"secret text']);
    expect(JSON.stringify(log.lines)).not.toContain('secret');
  });

  it('cuts a push of more than 50 messages into several', async () => {
    const { bus, parcels } = setUp();
    bus.publish(push(7, 120));
    await turns();
    expect(parcels().map(({ text }) => JSON.parse(text).items.length)).toEqual([50, 50, 20]);
  });

  it('drops parcels when the master does not take them, and says so when it does again', async () => {
    const { bus, notes, flushes, parcels } = setUp({ takes: false });
    const big = 'x'.repeat(1_000_000);
    for (let i = 0; i < 100; i += 1) bus.publish(push(7, 1, big));
    expect(bus.counts.dropped).toBeGreaterThan(30);
    const sentChars = parcels().reduce((sum, { text }) => sum + text.length, 0);
    expect(sentChars).toBeLessThanOrEqual(BUS_UNSENT_CHARS_MAX);
    await expect(bus.probe({ deadlineMs: 100 })).rejects.toMatchObject({ code: 'RPC_BUSY' });
    expect(notes.some(({ name }) => name === 'bus.lost')).toBe(false);
    for (const flushed of flushes.splice(0)) flushed();
    expect(notes.filter(({ name }) => name === 'bus.lost')).toHaveLength(1);
    await bus.probe({ deadlineMs: 100 });
  });

  it('tells its listener of a gap', () => {
    const { bus, onGap } = setUp();
    bus.gap();
    expect(onGap).toHaveBeenCalledOnce();
  });

  it('probes after everything that was published before', async () => {
    const order: string[] = [];
    const { bus, notes } = setUp({
      call: async (name) => order.push(name, ...notes.map((note) => note.name)),
    });
    bus.publish(push(7));
    await bus.probe({ deadlineMs: 100 });
    expect(order).toEqual(['bus.probe', 'bus']);
  });

  it('sends what is left when it is closed, and nothing after', async () => {
    const { bus, notes, events } = setUp();
    await bus.follow(7);
    bus.publish(push(7));
    await bus.close();
    bus.publish(push(7));
    bus.receive([JSON.stringify(push(7))]);
    await turns();
    expect(notes.map(({ name }) => name)).toEqual(['bus', 'bus.unfollow']);
    expect(events).toEqual([]);
  });

  it('asks all Workers with a deadline of its own that is a little later', async () => {
    const { bus, calls } = setUp({ call: async () => ({ answers: [], silent: ['w'] }) });
    await expect(bus.ask('online', { uid: 7 }, { deadlineMs: 900 })).resolves.toEqual({
      answers: [],
      silent: ['w'],
    });
    expect(calls).toEqual([
      { name: 'workers.ask', args: { question: 'online', args: { uid: 7 }, deadlineMs: 900 } },
    ]);
  });
});
