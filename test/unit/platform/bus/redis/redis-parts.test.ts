/** The small parts of the bus between nodes, each by itself. */
import { describe, expect, it, vi } from 'vitest';
import {
  type BusIdentity,
  newBusIdentity,
  nodeOf,
  nodeTitle,
} from '../../../../../src/platform/bus/bus-identity.js';
import { AskDesk } from '../../../../../src/platform/bus/redis/ask-desk.js';
import { parseBusMessage } from '../../../../../src/platform/bus/redis/bus-message.js';
import { Channels } from '../../../../../src/platform/bus/redis/channels.js';
import { keySlot } from '../../../../../src/platform/bus/redis/key-slot.js';
import {
  AWAY_AFTER_MS,
  FORGET_AFTER_MS,
  Members,
  SILENT_AFTER_MS,
} from '../../../../../src/platform/bus/redis/members.js';
import { NameTwins } from '../../../../../src/platform/bus/redis/name-twins.js';
import { parseAddress } from '../../../../../src/platform/bus/redis/redis-link.js';
import { claimOnce } from '../../../../../src/platform/bus/redis/redis-nonces.js';
import { UNSENT_BYTES_MAX, UnsentNews } from '../../../../../src/platform/bus/redis/unsent-news.js';
import { addressText } from '../../../../../src/shared/base/host-and-port.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../../support/fake-clock.js';
import { recordedLog } from '../../../../support/recorded-log.js';

describe('the slot of a key', () => {
  it.each([
    // What `CLUSTER KEYSLOT` answers.
    ['123456789', 0x31c3],
    ['foo', 12_182],
    ['', 0],
    ['{user1000}.following', keySlot('user1000')],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', keySlot('{bar')],
    ['ä', keySlot('{ä}')],
  ])('of %s is %i', (key, slot) => {
    expect(keySlot(key)).toBe(slot);
  });
});

describe('an identity', () => {
  it('is never the same twice, and fits into an envelope', () => {
    const one = newBusIdentity('spush.a b.Worker.0', 'my host.lan');
    expect(one.node).toMatch(/^my_host\.lan-[0-9a-f]{8}-[0-9a-f]{12}$/);
    expect(one.process).toBe('spush.a_b.Worker.0');
    expect(newBusIdentity('p', 'h').node).not.toBe(newBusIdentity('p', 'h').node);
    expect(newBusIdentity('p', 'h'.repeat(300)).node.length).toBeLessThanOrEqual(128);
  });
});

describe('processes of one node', () => {
  const of = (name: string, run: string) => newBusIdentity('p', name, run);

  it('are known by its name and its start, whatever dashes the name has', () => {
    const [a, b] = [of('web-1', '0a1b2c3d'), of('web-1', '0a1b2c3d')];
    expect(a.node).not.toBe(b.node);
    expect(nodeOf(a)).toEqual({ name: 'web-1', run: '0a1b2c3d' });
    expect(nodeOf(b)).toEqual(nodeOf(a));
    expect(nodeOf({ node: 'other' })).toEqual({ name: 'other', run: '' });
    expect(nodeTitle(nodeOf(a))).toBe('web-1-0a1b2c3d');
  });

  it('notice another node of their name once, when it is there for good', () => {
    const clock = new FakeClock();
    const twins = new NameTwins(of('web1', '00000001'), clock);
    const hear = (identity: BusIdentity, seconds: number): boolean[] =>
      Array.from({ length: seconds / 2 }, () => {
        clock.advance(2000);
        return twins.heard(identity);
      });
    expect(hear(of('web1', '00000001'), 60)).not.toContain(true);
    expect(hear(of('web2', '00000002'), 60)).not.toContain(true);
    // The old processes of a master that was killed.
    expect(hear(of('web1', '00000003'), 6)).not.toContain(true);
    expect(hear(of('web1', '00000004'), 60).filter((told) => told)).toEqual([true]);
    expect(hear(of('web1', '00000005'), 60)).not.toContain(true);
  });
});

describe('an address', () => {
  it.each([
    ['redis.example:6379', 'redis.example', 6379],
    ['[fd00::5]:26379', 'fd00::5', 26_379],
  ])('%s is taken apart and put together', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
    expect(addressText({ host, port })).toBe(text);
  });
});

describe('channels', () => {
  const channels = new Channels('spush:', { node: 'n', process: 'p' });

  it('are known again by their names', () => {
    expect(channels.parse(channels.user(7))).toEqual({ of: 'user', uid: 7 });
    expect(channels.parse(channels.all)).toEqual({ of: 'all' });
    expect(channels.parse(channels.own)).toEqual({ of: 'node' });
    expect(channels.parse(channels.probe(3))).toEqual({ of: 'probe' });
    for (const other of [channels.node('other'), 'spush:user:x', 'x'])
      expect(channels.parse(other)).toBe(null);
  });

  it('give every nonce a key of one length, and two that could be confused two', () => {
    expect(channels.nonce('a', 'b\nc')).not.toBe(channels.nonce('a', 'bc'));
    expect(channels.nonce('a', 'x'.repeat(1000)).length).toBe(channels.nonce('a', 'b').length);
  });
});

describe('a message on the bus', () => {
  it.each([
    ['{"t":"lost"', { of: 'all' }, 'not JSON'],
    ['null', { of: 'all' }, 'message: invalid_type'],
    ['{"t":"explode"}', { of: 'all' }, 't: invalid_union'],
    ['{"t":"lost"}', { of: 'user', uid: 7 }, 'lost does not belong here'],
    ['{"t":"answer","id":"1","result":1}', { of: 'all' }, 'answer does not belong here'],
    [
      '{"t":"read","uid":8,"session":"s","n":"x","mark":{"all":true}}',
      { of: 'user', uid: 7 },
      'of another user',
    ],
    [
      '{"t":"read","uid":8,"session":"s","n":"x","mark":{"all":true}}',
      { of: 'all' },
      'read does not belong here',
    ],
    ['{"t":"ask","id":"1","question":"toString","args":{}}', { of: 'all' }, 'question: invalid_value'],
  ] as const)('%s is not taken there', (line, channel, fault) => {
    expect(parseBusMessage(line, channel)).toBe(fault);
  });

  it('never shows its contents in what is said about it', () => {
    expect(parseBusMessage('{"t":"push","uid":"secret"}', { of: 'user', uid: 7 })).not.toContain('secret');
  });
});

describe('unsent news', () => {
  it('puts what is for one channel into one message, in order', () => {
    const unsent = new UnsentNews();
    for (const [channel, line] of [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ] as const) {
      unsent.put(channel, line);
    }
    expect(unsent.take()).toEqual([
      { channel: 'a', contents: '1\n3', lines: 2 },
      { channel: 'b', contents: '2', lines: 1 },
    ]);
    expect(unsent.isEmpty).toBe(true);
  });

  it('begins another message when one is large', () => {
    const unsent = new UnsentNews();
    const line = 'x'.repeat(100_000);
    for (let n = 0; n < 5; n += 1) unsent.put('a', line);
    expect(unsent.take().map(({ lines }) => lines)).toEqual([2, 2, 1]);
  });

  it('is full at its bound, what is unconfirmed included, and has room again when that has ended', () => {
    const unsent = new UnsentNews();
    const line = 'x'.repeat(UNSENT_BYTES_MAX / 4);
    for (let n = 0; n < 4; n += 1) expect(unsent.put(`c${n % 2}`, line)).toBe(true);
    expect(unsent.put('a', 'y')).toBe(false);
    const taken = unsent.take();
    expect(unsent.put('a', 'y')).toBe(false);
    expect(unsent.put('a', 'y', true)).toBe(true);
    unsent.confirmed(taken);
    expect(unsent.put('a', line)).toBe(true);
  });
});

describe('members', () => {
  it('are away after ten seconds of silence, unless nobody could be heard', () => {
    const clock = new FakeClock();
    const members = new Members(clock);
    expect(members.here({ node: 'a', process: 'p', holds: true })).toBe(true);
    expect(members.here({ node: 'a', process: 'p', holds: true })).toBe(false);
    members.here({ node: 'b', process: 'p', holds: false });
    expect(members.holding().map(({ node }) => node)).toEqual(['a']);
    clock.advance(AWAY_AFTER_MS + 1);
    members.excuse();
    members.missAway();
    expect(members.holding()).toHaveLength(1);
    clock.advance(AWAY_AFTER_MS + 1);
    members.missAway();
    expect(members.holding()).toHaveLength(0);
    // `b` holds no sockets, so nothing is missed of it.
    expect(members.away().map(({ node }) => node)).toEqual(['a']);
  });

  it('that are away are named for an hour, or until they are back, say good-bye, or have a successor', () => {
    const clock = new FakeClock();
    const members = new Members(clock);
    const of = (own: string, process: string) => ({
      node: `web1-00000000-${own.repeat(12)}`,
      process,
      holds: true,
    });
    const all = [of('a', 'Worker.0'), of('b', 'Worker.1'), of('c', 'Worker.2'), of('d', 'Worker.3')];
    const heard = clock.moment();
    for (const member of all) members.here(member);
    clock.advance(AWAY_AFTER_MS + 1);
    members.missAway();
    expect(members.away()).toEqual(all);
    expect(members.isBack(of('a', 'Worker.0').node)).toBe(heard);
    expect(members.isBack(of('a', 'Worker.0').node)).toBeNull();
    members.gone(of('b', 'Worker.1').node);
    members.here(of('e', 'Worker.2'));
    expect(members.away()).toEqual([of('d', 'Worker.3')]);
    clock.advance(FORGET_AFTER_MS);
    members.missAway();
    // Its successor was there before it was missed.
    members.here(of('e', 'Worker.2'));
    clock.advance(1000);
    members.here(of('f', 'Worker.2'));
    clock.advance(AWAY_AFTER_MS - 500);
    members.missAway();
    expect(members.away()).toEqual([]);
  });

  it('that are silent are told once, with when they were heard of last, until they are heard of again', () => {
    const clock = new FakeClock();
    const members = new Members(clock);
    const a = { node: 'a', process: 'p', holds: true };
    members.here(a);
    const at = clock.now();
    clock.advance(SILENT_AFTER_MS);
    members.here({ ...a, node: 'b' });
    expect(members.newlySilent()).toEqual([]);
    clock.advance(1);
    expect(members.newlySilent()).toMatchObject([{ member: a, at }]);
    expect(members.newlySilent()).toEqual([]);
    members.here(a);
    clock.advance(SILENT_AFTER_MS + 1);
    expect(members.newlySilent().map(({ member }) => member.node)).toEqual(['a', 'b']);
    members.gone('b');
    members.here(a);
    members.excuse();
    clock.advance(SILENT_AFTER_MS);
    expect(members.newlySilent()).toEqual([]);
  });

  it.each(CLOCK_STEPS_MS)('are missed neither earlier nor later when the clock is set by %d ms', (step) => {
    const clock = new FakeClock();
    const members = new Members(clock);
    members.here({ node: 'a', process: 'p', holds: true });
    const before = clock.now();
    clock.advance(SILENT_AFTER_MS);
    clock.step(step);
    expect(members.newlySilent()).toEqual([]);
    clock.advance(1);
    const [silent] = members.newlySilent();
    // What was stored since may be stamped by the clock of before or by that of now.
    expect(silent?.at).toBe(Math.min(before, before + step));
    clock.advance(AWAY_AFTER_MS - SILENT_AFTER_MS);
    members.missAway();
    expect(members.holding()).toEqual([]);
  });

  it('that say good-bye are forgotten at once', () => {
    const members = new Members(new FakeClock());
    members.here({ node: 'a', process: 'p', holds: true });
    members.gone('a');
    expect(members.holding()).toEqual([]);
  });
});

describe('the desk of questions', () => {
  const a = { node: 'a', process: 'p', holds: true };
  const b = { node: 'b', process: 'p', holds: true };

  it('ends a question when all have answered, whoever was not expected included', async () => {
    const desk = new AskDesk();
    let id = '';
    const asked = desk.ask('kick', [a], { deadlineMs: 1000 }, (given) => {
      id = given;
    });
    expect(desk.answered(b, id, { closed: 2 })).toBe(true);
    expect(desk.answered(b, id, { closed: 9 })).toBe(true);
    expect(desk.answered(a, id, { closed: 1 })).toBe(true);
    await expect(asked).resolves.toEqual({
      answers: [
        { from: 'b/p', result: { closed: 2 } },
        { from: 'a/p', result: { closed: 1 } },
      ],
      silent: [],
    });
  });

  it('takes no answer that does not fit, and names who gave none in time', async () => {
    const desk = new AskDesk();
    let id = '';
    const asked = desk.ask('kick', [a, b], { deadlineMs: 20 }, (given) => {
      id = given;
    });
    expect(desk.answered(a, id, { closed: 'all' })).toBe(false);
    expect(desk.answered(b, id, { closed: 1 })).toBe(true);
    await expect(asked).resolves.toEqual({
      answers: [{ from: 'b/p', result: { closed: 1 } }],
      silent: ['a/p'],
    });
    expect(desk.answered(a, id, { closed: 1 })).toBe(true);
  });

  it('waits longer than 250 ms for others only when it is told to be patient', async () => {
    vi.useFakeTimers();
    try {
      const desk = new AskDesk();
      let ended = 0;
      for (const patient of [false, true])
        void desk
          .ask('kick', [a], { deadlineMs: 1000, patient }, () => {})
          .then(() => {
            ended += 1;
          });
      await vi.advanceTimersByTimeAsync(999);
      expect(ended).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(ended).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('answers what it has when it is closed', async () => {
    const desk = new AskDesk();
    const asked = desk.ask('kick', [a], { deadlineMs: 10_000 }, () => {});
    desk.close();
    await expect(asked).resolves.toEqual({ answers: [], silent: ['a/p'] });
  });
});

describe('a nonce', () => {
  const clock = new FakeClock();
  const always = (fresh: boolean) => ({ claim: async () => fresh });
  const never = { claim: () => Promise.reject(new Error('Redis is away')) };

  it('is good when neither this node nor another has seen it', async () => {
    const log = recordedLog();
    expect(await claimOnce(always(true), always(true), { log, clock }).claim('k', 'n', 1)).toBe(true);
    expect(await claimOnce(always(true), always(false), { log, clock }).claim('k', 'n', 1)).toBe(false);
    expect(await claimOnce(always(false), always(true), { log, clock }).claim('k', 'n', 1)).toBe(false);
  });

  it('goes by this node’s word when Redis is away, and says so, seldom', async () => {
    const log = recordedLog();
    const nonces = claimOnce(always(true), never, { log, clock });
    expect(await nonces.claim('k', 'n', 1)).toBe(true);
    expect(await nonces.claim('k', 'n', 1)).toBe(true);
    expect(log.lines.map(({ event }) => event)).toEqual(['nonce.ownNodeOnly']);
    clock.advance(1000);
    await nonces.claim('k', 'n', 1);
    expect(log.lines).toHaveLength(2);
  });

  it('is refused when the own node cannot tell either', async () => {
    await expect(
      claimOnce(never, always(true), { log: recordedLog(), clock }).claim('k', 'n', 1),
    ).rejects.toThrow('away');
  });
});
