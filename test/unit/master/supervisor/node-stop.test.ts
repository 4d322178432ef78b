import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Child } from '../../../../src/master/supervisor/child.js';
import { NodeStop } from '../../../../src/master/supervisor/node-stop.js';
import { momentOf } from '../../../../src/shared/base/clock.js';
import { deferred, turns } from '../../../support/deferred.js';
import { FakeChild } from '../../../support/fake-spawn.js';
import { recordedLog } from '../../../support/recorded-log.js';

function setUp(count = 2) {
  const fakes = Array.from({ length: count }, (_, index) => new FakeChild('worker', `w${index}`, index + 1));
  const children = fakes.map((fake, index) => {
    const identity = { role: 'worker', index, name: fake.title, generator: index, startedAt: 0 } as const;
    const child: Child = new Child(identity, fake.spawned, () => ({
      life: {
        hello: () => {
          child.hears = true;
        },
        ready: () => {
          child.readySince = momentOf(0);
        },
        failed() {},
        waiting: ({ what }) => stop.onWaiting(child, what),
        lastStats() {},
      },
      relays: { calls: {} as never, notes: {} as never, hands: {} as never },
      onFault() {},
    }));
    return child;
  });
  const startNoMore = vi.fn();
  const onStopping = vi.fn();
  const log = recordedLog();
  const supervisor = { living: () => children, startNoMore };
  const stop = new NodeStop({ supervisor, deadlineMs: () => 15_000, onStopping, log });
  for (const fake of fakes) fake.becomeReady();
  const heard: string[] = [];
  const progress = (text: string): void => {
    heard.push(text);
  };
  return { fakes, children, stop, startNoMore, onStopping, log, heard, progress };
}

describe('NodeStop', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('asks everybody to stop at once, and is done when all have ended', async () => {
    const { fakes, children, stop, startNoMore, onStopping, heard, progress } = setUp();
    const asked: string[] = [];
    for (const fake of fakes) {
      fake.calls = {
        stop: async ({ reason, deadlineMs }) => {
          asked.push(`${fake.title} ${reason} ${deadlineMs}`);
          fake.peer.note('waiting', { what: '2 commits' });
          return {};
        },
      };
    }
    let done: readonly string[] | null = null;
    const stopped = stop.stop('server stop', { progress }).then((killed) => {
      done = killed;
    });
    expect(startNoMore).toHaveBeenCalledOnce();
    expect(onStopping).toHaveBeenCalledOnce();
    expect(children.every(({ isReady }) => !isReady)).toBe(true);
    await turns();
    expect(asked).toEqual(['w0 server stop 15000', 'w1 server stop 15000']);
    fakes[0]?.end(0);
    await turns();
    expect(done).toBeNull();
    fakes[1]?.end(0);
    await stopped;
    expect(done).toEqual([]);
    expect(heard).toEqual([
      'stopping 2 processes, 15 s at most',
      'w0 waits for 2 commits',
      'w1 waits for 2 commits',
      'w0 has ended',
      'w1 has ended',
    ]);
  });

  it('kills what is left after the deadline, and says so', async () => {
    const { fakes, stop, heard, progress, log } = setUp();
    const stopped = stop.stop('SIGTERM', { progress });
    fakes[0]?.end(0);
    await vi.advanceTimersByTimeAsync(15_499);
    expect(fakes[1]?.signals).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(fakes[1]?.signals).toEqual(['SIGKILL']);
    expect(await stopped).toEqual(['w1']);
    expect(heard.at(-1)).toBe('w1 did not end within 15 s and is killed');
    expect(log.lines.find(({ event }) => event === 'child.killed')?.fields).toMatchObject({ child: 'w1' });
  });

  it('does not wait for ever for a process that cannot be killed', async () => {
    const { fakes, stop, heard, progress } = setUp(1);
    const [fake] = fakes;
    if (fake) fake.onSignal = () => {};
    const stopped = stop.stop('SIGTERM', { progress });
    await vi.advanceTimersByTimeAsync(15_500 + 5000);
    expect(await stopped).toEqual(['w0']);
    expect(heard.at(-1)).toBe('w0 (pid 1) cannot be killed: it hangs in the kernel');
  });

  it('runs once: a second caller joins it and hears the rest', async () => {
    const { fakes, stop, onStopping, heard, progress } = setUp(1);
    const asked = deferred();
    for (const fake of fakes)
      fake.calls = {
        stop: async () => {
          asked.resolve();
          return {};
        },
      };
    const first = stop.stop('SIGTERM');
    await asked.promise;
    const second = stop.stop('server stop', { progress });
    fakes[0]?.end(1);
    expect(await Promise.all([first, second])).toEqual([[], []]);
    expect(onStopping).toHaveBeenCalledOnce();
    expect(heard).toEqual(['w0 has ended: it exited with code 1']);
  });

  it('kills everybody at once when it is told to hurry', async () => {
    const { fakes, stop } = setUp();
    const stopped = stop.stop('SIGINT');
    stop.hurry('second SIGINT');
    expect(fakes.map(({ signals }) => signals)).toEqual([['SIGKILL'], ['SIGKILL']]);
    expect(await stopped).toEqual(['w0', 'w1']);
  });

  it('ends a child by a signal that does not listen yet', async () => {
    const fake = new FakeChild('worker', 'w', 1);
    const identity = { role: 'worker', index: 0, name: 'w', generator: 0, startedAt: 0 } as const;
    const child = new Child(identity, fake.spawned, () => ({
      life: { hello() {}, ready() {}, failed() {}, waiting() {}, lastStats() {} },
      relays: { calls: {} as never, notes: {} as never, hands: {} as never },
      onFault() {},
    }));
    const supervisor = { living: () => [child], startNoMore() {} };
    const stop = new NodeStop({ supervisor, deadlineMs: () => 1000, onStopping() {}, log: recordedLog() });
    expect(await stop.stop('SIGTERM')).toEqual([]);
    expect(fake.signals).toEqual(['SIGTERM']);
  });
});
