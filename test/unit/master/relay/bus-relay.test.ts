import { describe, expect, it } from 'vitest';
import { type BusMember, BusRelay, PORT_CHARS_MAX } from '../../../../src/master/relay/bus-relay.js';
import { deferred, turns } from '../../../support/deferred.js';
import { recordedLog } from '../../../support/recorded-log.js';

class Member implements BusMember {
  readonly notes: (readonly string[] | 'gap')[] = [];
  readonly flushes: (() => void)[] = [];
  reads = true;
  readonly peer = {
    note: (name: 'bus' | 'bus.gap', args: object, flushed?: () => void): void => {
      this.notes.push(name === 'bus' ? (args as { texts: readonly string[] }).texts : 'gap');
      if (!flushed) return;
      if (this.reads) setImmediate(flushed);
      else this.flushes.push(flushed);
    },
  };

  readonly name: string;
  readonly holdsSockets: boolean;

  constructor(name: string, holdsSockets = true) {
    this.name = name;
    this.holdsSockets = holdsSockets;
  }

  get texts(): string[] {
    return this.notes.flatMap((note) => (note === 'gap' ? [] : note));
  }
}

function setUp() {
  const relay = new BusRelay(recordedLog());
  const [a, b, c, task] = [new Member('a'), new Member('b'), new Member('c'), new Member('task', false)];
  for (const member of [a, b, c, task]) relay.attach(member);
  return { relay, a, b, c, task };
}

describe('BusRelay', () => {
  it('carries a parcel to those who follow its user, and not back', async () => {
    const { relay, a, b, c } = setUp();
    relay.follow(a, 7);
    relay.follow(b, 7);
    relay.carry(a, [
      { to: 7, text: 'for 7' },
      { to: 8, text: 'for 8' },
    ]);
    await turns();
    expect([a.texts, b.texts, c.texts]).toEqual([[], ['for 7'], []]);
  });

  it('carries what is for everybody to all who hold sockets, but the sender', async () => {
    const { relay, a, b, c, task } = setUp();
    relay.carry(task, [{ to: null, text: 'from the task' }]);
    relay.carry(a, [{ to: null, text: 'from a' }]);
    await turns();
    expect([a.texts, b.texts, c.texts, task.texts]).toEqual([
      ['from the task'],
      ['from the task', 'from a'],
      ['from the task', 'from a'],
      [],
    ]);
  });

  it('lets the parcels of one turn travel in one note, in order', async () => {
    const { relay, a, b, c } = setUp();
    relay.follow(c, 7);
    relay.carry(a, [{ to: 7, text: '1' }]);
    relay.carry(b, [{ to: 7, text: '2' }]);
    relay.carry(a, [{ to: 7, text: '3' }]);
    expect(c.notes).toEqual([]);
    await turns();
    expect(c.notes).toEqual([['1', '2', '3']]);
  });

  it('stops carrying when nobody follows any more', async () => {
    const { relay, a, b } = setUp();
    relay.follow(b, 7);
    relay.unfollow(b, 7);
    relay.carry(a, [{ to: 7, text: 'x' }]);
    await turns();
    expect(b.notes).toEqual([]);
  });

  it('forgets what a dead process followed', async () => {
    const { relay, a, b } = setUp();
    relay.follow(b, 7);
    relay.carry(a, [{ to: 7, text: 'on its way' }]);
    relay.detach(b);
    relay.carry(a, [{ to: 7, text: 'too late' }]);
    relay.follow(b, 7);
    await turns();
    expect(b.notes).toEqual([]);
  });

  it('bounds what is on its way to a process that does not read, and tells it of the gap when it does', async () => {
    const { relay, a, b } = setUp();
    relay.follow(b, 7);
    b.reads = false;
    const text = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 100; i += 1) relay.carry(a, [{ to: 7, text }]);
    await turns();
    const charsSent = b.texts.reduce((sum, { length }) => sum + length, 0);
    expect(charsSent).toBeLessThanOrEqual(PORT_CHARS_MAX);
    expect(charsSent).toBeGreaterThan(PORT_CHARS_MAX - 2 * text.length);
    expect(b.notes).not.toContain('gap');

    const half = b.flushes.splice(0, b.flushes.length - 10);
    for (const flushed of half) flushed();
    expect(b.notes.filter((note) => note === 'gap')).toHaveLength(1);
    relay.carry(a, [{ to: 7, text: 'after the gap' }]);
    await turns();
    expect(b.texts.at(-1)).toBe('after the gap');
  });

  it('passes on that a sender had to drop parcels', () => {
    const { relay, a, b, c, task } = setUp();
    relay.lost(a);
    expect([a.notes, b.notes, c.notes, task.notes]).toEqual([[], ['gap'], ['gap'], []]);
  });

  it('answers a probe when everything before it has been taken', async () => {
    const { relay, a, b } = setUp();
    await relay.probe(b);
    relay.follow(b, 7);
    b.reads = false;
    relay.carry(a, [{ to: 7, text: 'x' }]);
    const done = deferred();
    let answered = false;
    void relay.probe(b).then(() => {
      answered = true;
      done.resolve();
    });
    await turns();
    expect(b.texts).toEqual(['x']);
    expect(answered).toBe(false);
    b.flushes.shift()?.();
    await done.promise;
  });
});
