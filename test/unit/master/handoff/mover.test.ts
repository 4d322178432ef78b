import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { turns } from '../../../support/deferred.js';
import { adopt, type MovingWorkerSide, MovingWorkers } from '../../../support/moving-workers.js';

function moving(targets = 1) {
  const workers = new MovingWorkers();
  const old = workers.worker(0);
  const next = Array.from({ length: targets }, (_, index) => workers.worker(index + 1));
  const [first] = next;
  if (!first) throw new Error('a move needs a target');
  const moved = workers.mover.move({
    from: old.child,
    targets: next.map(({ child }) => child),
    progress: workers.onProgress,
  });
  moved.catch(() => {
    // looked at by the test that expects it
  });
  return { workers, old, target: first, targets: next, moved };
}

async function links({ fake }: MovingWorkerSide, n: number): Promise<void> {
  for (const pool of ['links', 'visitors'] as const) {
    await fake.peer.call('permits.want', { pool, n }, { deadlineMs: 1000 });
  }
}

describe('Mover', () => {
  beforeEach(() =>
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    }),
  );
  afterEach(() => vi.useRealTimers());

  it('passes each session on to the one that expects it, and its adoption back, and counts', async () => {
    const { workers, old, target, moved } = moving();
    expect(old.fake.handoff).toEqual(['leave']);
    await workers.handOver(old, 'a', 'b');
    expect(target.fake.handoff).toEqual(['session a', 'session b']);
    target.fake.peer.note('handoff.adopted', { id: 'a', pausedMs: 3 });
    target.fake.peer.note('handoff.adopted', { id: 'b', pausedMs: 8.5 });
    expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'adopted b']);
    old.leave.resolve({ closed: { tls: 4 }, left: 1 });
    expect(await moved).toEqual({ kept: 2, closed: { tls: 4 }, longestPauseMs: 8.5, left: 1 });
    expect(workers.closed('a', 'b')).toEqual([1, 1]);
  });

  it('lets nobody hand over what the target does not expect yet', async () => {
    const { workers, old, target } = moving();
    let followed: (answer: Record<string, never>) => void = () => {};
    target.fake.calls = {
      'handoff.expect': () =>
        new Promise((resolve) => {
          followed = resolve;
        }),
    };
    let announced = false;
    const announce = workers.announce(old, 'a').then(() => {
      announced = true;
    });
    await turns();
    expect(announced).toBe(false);
    followed({});
    await announce;
  });

  it('is not over before what is on its way has arrived', async () => {
    const { workers, old, target, moved } = moving();
    await workers.handOver(old, 'a');
    let over = false;
    void moved.then(() => {
      over = true;
    });
    old.leave.resolve({ closed: {}, left: 0 });
    await turns();
    expect(over).toBe(false);
    adopt(target, 'a');
    await turns();
    expect(over).toBe(true);
  });

  it('gives back what nobody announced, and closes its handle', async () => {
    const { workers, old, target } = moving();
    workers.hand(old, 'x');
    await turns();
    expect(old.fake.handoff).toEqual(['leave', 'returned x']);
    expect(target.fake.handoff).toEqual([]);
    expect(workers.closed('x')).toEqual([1]);
  });

  it('gives back what the target refuses', async () => {
    const { workers, old, target } = moving();
    await workers.handOver(old, 'a', 'b');
    target.fake.peer.note('handoff.refused', { id: 'a', reason: 'full' });
    expect(old.fake.handoff).toEqual(['leave', 'returned a']);
    // It may be announced again.
    await workers.handOver(old, 'a');
    adopt(target, 'a', 'b');
    expect(old.fake.handoff).toEqual(['leave', 'returned a', 'adopted a', 'adopted b']);
  });

  it('tells the target what will not come', async () => {
    const { workers, old, target } = moving();
    await workers.announce(old, 'a', 'b', 'c');
    old.fake.peer.note('handoff.cancel', { ids: ['a', 'c', 'unheard of'] });
    expect(target.fake.handoff).toEqual(['cancel a c']);
    workers.hand(old, 'a');
    expect(old.fake.handoff).toEqual(['leave', 'returned a']);
  });

  it('answers which sessions have not come here, and tells the target not to wait for them', async () => {
    const { workers, old, target } = moving();
    await workers.announce(old, 'a', 'lost');
    workers.hand(old, 'a');
    const answer = await old.fake.peer.call(
      'handoff.unknown',
      { ids: ['a', 'lost', 'other'] },
      { deadlineMs: 100 },
    );
    expect(answer).toEqual({ ids: ['lost', 'other'] });
    expect(target.fake.handoff).toEqual(['session a', 'cancel lost']);
  });

  it('books the permits of what was adopted from the old Worker to the new one', async () => {
    const { workers, old, target } = moving();
    await links(old, 100);
    const want = (side: MovingWorkerSide, pool: 'links' | 'visitors') =>
      side.fake.peer.call('permits.want', { pool, n: 9 }, { deadlineMs: 1000 });
    await workers.handOver(old, 'a', 'b');
    adopt(target, 'a', 'b');
    target.fake.peer.note('permits.return', { pool: 'links', n: 9 });
    target.fake.peer.note('permits.return', { pool: 'visitors', n: 9 });
    expect(await want(target, 'links')).toEqual({ granted: 2 });
    expect(await want(target, 'visitors')).toEqual({ granted: 2 });
  });

  it('gives each batch to the target that was given least', async () => {
    const { workers, old, targets } = moving(2);
    const [one, two] = targets;
    await workers.handOver(old, 'a', 'b', 'c');
    await workers.handOver(old, 'd');
    await workers.handOver(old, 'e');
    expect(one?.fake.handoff).toEqual(['session a', 'session b', 'session c']);
    expect(two?.fake.handoff).toEqual(['session d', 'session e']);
  });

  it('tells the person who waits how far it is, not too often, and how it ended', async () => {
    const { workers, old, target, moved } = moving();
    old.fake.peer.note('handoff.remaining', { remaining: 5, gone: 0 });
    await workers.handOver(old, 'a', 'b', 'c');
    adopt(target, 'a', 'b');
    await vi.advanceTimersByTimeAsync(499);
    adopt(target, 'c');
    old.fake.peer.note('handoff.remaining', { remaining: 2, gone: 3 });
    await vi.advanceTimersByTimeAsync(1);
    old.fake.peer.note('handoff.remaining', { remaining: 2, gone: 3 });
    await workers.handOver(old, 'd');
    adopt(target, 'd');
    old.leave.resolve({ closed: { tls: 1 }, left: 0 });
    await moved;
    expect(workers.progress).toEqual([
      {
        text: 'Worker.0: moved 3 of 5 connections, longest pause 12.3 ms',
        detail: { moved: 3, total: 5, longestPauseMs: 12.34 },
      },
      {
        text: 'Worker.0: moved 4 of 5 connections, closed 1 (tls 1), longest pause 12.3 ms',
        detail: { moved: 4, total: 5, closed: 1, longestPauseMs: 12.34 },
      },
    ]);
  });

  it('tells nothing of a short move, which its caller tells as a whole, and nothing of one without connections', async () => {
    const one = moving();
    one.old.fake.peer.note('handoff.remaining', { remaining: 1, gone: 0 });
    await one.workers.handOver(one.old, 'a');
    adopt(one.target, 'a');
    one.old.leave.resolve({ closed: {}, left: 0 });
    expect(await one.moved).toMatchObject({ kept: 1 });
    expect(one.workers.progress).toEqual([]);
    const none = moving();
    none.old.fake.peer.note('handoff.remaining', { remaining: 0, gone: 0 });
    none.old.leave.resolve({ closed: {}, left: 0 });
    await none.moved;
    expect(none.workers.progress).toEqual([]);
  });

  describe('when the target ends with sessions on their way', () => {
    it('hears its last words, gives the others back, and fails with the reason', async () => {
      const { workers, old, target, moved } = moving();
      await workers.handOver(old, 'a', 'b', 'c');
      await workers.announce(old, 'd', 'e');
      target.fake.suspend();
      workers.hand(old, 'e');
      adopt(target, 'a', 'b');
      target.fake.end(null, 'SIGKILL');
      await turns();
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'adopted b', 'returned c d e', 'abort']);
      // `e` was never taken by the channel: Node does not call back.
      expect(workers.closed('a', 'b', 'c', 'e')).toEqual([1, 1, 1, 1]);
      old.leave.resolve({ closed: {}, left: 3 });
      await expect(moved).rejects.toMatchObject({
        code: 'RELOAD_FAILED',
        message:
          'spush.m.Worker.1 (pid 101) ended while connections were handed to it: it was ended by SIGKILL; 2 that it had taken ended with it, all others stay with spush.m.Worker.0 (pid 100)',
      });
      target.fake.resume();
      await turns();
      expect(workers.closed('e')).toEqual([1]);
    });

    it('goes on with the other targets', async () => {
      const { workers, old, targets, moved } = moving(2);
      const [one, two] = targets as [MovingWorkerSide, MovingWorkerSide];
      await workers.handOver(old, 'a', 'b');
      adopt(one, 'a');
      one.fake.end(1);
      await turns();
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'returned b']);
      await workers.handOver(old, 'b');
      adopt(two, 'b');
      old.leave.resolve({ closed: {}, left: 0 });
      expect(await moved).toMatchObject({ kept: 2 });
    });

    it('asks another one to expect what it was just asked to', async () => {
      const { workers, old, targets } = moving(2);
      const [one, two] = targets as [MovingWorkerSide, MovingWorkerSide];
      one.fake.calls = {};
      const announced = workers.announce(old, 'a');
      await turns();
      one.fake.end(1);
      await announced;
      workers.hand(old, 'a');
      expect(two.fake.handoff).toEqual(['session a']);
    });

    it('waits no longer than a while for a leaver that does not say that it has stopped', async () => {
      const { target, moved } = moving();
      const failed = expect(moved).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      target.fake.end(1);
      await vi.advanceTimersByTimeAsync(3000);
      await failed;
    });
  });

  describe('when the leaver ends in the middle', () => {
    it('is over as far as it came; what the target adopts all the same has its permits', async () => {
      const { workers, old, target, moved } = moving();
      await links(old, 100);
      old.fake.peer.note('handoff.remaining', { remaining: 4, gone: 0 });
      await workers.handOver(old, 'a', 'b');
      await workers.announce(old, 'c');
      adopt(target, 'a');
      old.fake.end(null, 'SIGKILL');
      expect(await moved).toEqual({ kept: 1, closed: {}, longestPauseMs: 12.34, left: 3 });
      expect(target.fake.handoff).toEqual(['session a', 'session b', 'cancel b c']);
      adopt(target, 'b');
      const third = workers.worker(3);
      await links(third, 100);
      third.fake.peer.note('permits.return', { pool: 'links', n: 100 });
      const more = third.fake.peer.call('permits.want', { pool: 'links', n: 100 }, { deadlineMs: 1000 });
      expect(await more).toEqual({ granted: 98 });
      expect(workers.closed('a', 'b')).toEqual([1, 1]);
    });

    it('closes what waits in the channel of a target when that ends, too, and once', async () => {
      const { workers, old, target } = moving();
      await workers.announce(old, 'a');
      target.fake.suspend();
      workers.hand(old, 'a');
      old.fake.end(null, 'SIGKILL');
      await turns();
      expect(workers.closed('a')).toEqual([0]);
      target.fake.end(null, 'SIGKILL');
      await turns();
      expect(workers.closed('a')).toEqual([1]);
    });
  });

  it('does not wait for ever for a leaver that says nothing', async () => {
    const { workers, old, moved } = moving();
    old.fake.peer.note('handoff.remaining', { remaining: 7, gone: 0 });
    await vi.advanceTimersByTimeAsync(31_000);
    expect(await moved).toMatchObject({ kept: 0, left: 7 });
    expect(old.fake.handoff).toEqual(['leave', 'abort']);
    expect(workers.log.lines.at(-1)?.event).toBe('handoff.leaverSilent');
  });

  describe('when the target stalls', () => {
    async function stalled() {
      const node = moving();
      const { workers, old, target } = node;
      await workers.announce(old, 'a', 'b', 'c', 'd');
      workers.hand(old, 'a');
      await turns();
      adopt(target, 'a');
      target.fake.suspend();
      workers.hand(old, 'b', 'c');
      return node;
    }

    it('wakes it, lets it adopt what was on its way, and brings all of it back', async () => {
      const { workers, old, target, moved } = await stalled();
      const failed = expect(moved).rejects.toMatchObject({
        code: 'RELOAD_FAILED',
        message:
          'spush.m.Worker.1 (pid 101) did not go on for 3 s while connections were handed to it; 3 that it had taken were brought back; the others stay with spush.m.Worker.0 (pid 100)',
      });
      target.fake.onSignal = (signal) => {
        if (signal === 'SIGCONT') setImmediate(() => target.fake.resume());
      };
      target.fake.onSession = ({ id }) => adopt(target, id);
      await vi.advanceTimersByTimeAsync(3250);
      await turns();
      expect(target.fake.signals).toEqual(['SIGCONT']);
      expect(old.fake.handoff.slice(2)).toEqual(['abort', 'adopted b', 'adopted c']);
      expect(target.fake.handoff.slice(1)).toEqual(['session b', 'session c', 'cancel d', 'leave']);
      old.fake.onSession = ({ id }) => adopt(old, id);
      await workers.handOver(target, 'a', 'b', 'c');
      expect(old.fake.handoff.slice(-3)).toEqual(['session a', 'session b', 'session c']);
      expect(target.fake.handoff.slice(-3)).toEqual(['adopted a', 'adopted b', 'adopted c']);
      target.leave.resolve({ closed: {}, left: 0 });
      await failed;
      expect(target.fake.signals).toEqual(['SIGCONT']);
      expect(workers.closed('a', 'b', 'c')).toEqual([1, 1, 1]);
    });

    it('does not call it stalled as long as it goes on, however slowly', async () => {
      const { workers, old, target } = moving();
      await workers.handOver(old, 'a', 'b', 'c');
      for (const id of ['a', 'b', 'c']) {
        await vi.advanceTimersByTimeAsync(2900);
        adopt(target, id);
      }
      await vi.advanceTimersByTimeAsync(20_000);
      expect(target.fake.signals).toEqual([]);
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'adopted b', 'adopted c']);
    });

    it('takes an announcement without an answer for the same', async () => {
      const { workers, old, target, moved } = moving();
      const failed = expect(moved).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      target.fake.suspend();
      const announced = expect(workers.announce(old, 'a')).rejects.toBeDefined();
      await vi.advanceTimersByTimeAsync(3250);
      expect(target.fake.signals).toEqual(['SIGCONT']);
      target.fake.resume();
      target.leave.resolve({ closed: {}, left: 0 });
      await failed;
      await announced;
    });

    it('kills one that does not wake, and gives back what it had only when it has ended', async () => {
      const { workers, old, target, moved } = await stalled();
      const failed = expect(moved).rejects.toMatchObject({
        code: 'RELOAD_FAILED',
        message:
          'spush.m.Worker.1 (pid 101) did not go on for 3 s while connections were handed to it and was killed; the others stay with spush.m.Worker.0 (pid 100)',
      });
      await vi.advanceTimersByTimeAsync(3250);
      expect(target.fake.signals).toEqual(['SIGCONT']);
      await vi.advanceTimersByTimeAsync(3250);
      expect(target.fake.signals).toEqual(['SIGCONT', 'SIGKILL']);
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'abort']);
      expect(workers.closed('b', 'c')).toEqual([0, 0]);
      target.fake.end(null, 'SIGKILL');
      await failed;
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'abort', 'returned b c']);
      expect(workers.closed('b', 'c')).toEqual([1, 1]);
    });

    it('gives back at once what comes after the end of the handing over', async () => {
      const { workers, old, target } = await stalled();
      await vi.advanceTimersByTimeAsync(3250);
      workers.hand(old, 'd');
      expect(old.fake.handoff.at(-1)).toBe('returned d');
      expect(workers.closed('d')).toEqual([1]);
      expect(target.fake.handoff).not.toContain('session d');
    });

    it('leaves with a target that stays what it had taken', async () => {
      const workers = new MovingWorkers();
      const [old, target] = [workers.worker(0), workers.worker(1)];
      const moved = workers.mover.move({
        from: old.child,
        targets: [target.child],
        progress: workers.onProgress,
        afterStall: 'stays',
      });
      const failed = expect(moved).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      await workers.handOver(old, 'a');
      adopt(target, 'a');
      await workers.announce(old, 'b');
      target.fake.suspend();
      workers.hand(old, 'b');
      await vi.advanceTimersByTimeAsync(6000);
      // It may have it: nothing is given back before it has answered.
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'abort']);
      target.fake.onSession = ({ id }) => adopt(target, id);
      target.fake.resume();
      await failed;
      expect(target.fake.signals).toEqual(['SIGCONT']);
      expect(target.fake.handoff).toEqual(['session a', 'session b']);
      expect(old.fake.handoff).toEqual(['leave', 'adopted a', 'abort', 'adopted b']);
    });

    it('gives back what never got to one that is awake: its answer comes after all its words of it', async () => {
      const workers = new MovingWorkers();
      const [old, target] = [workers.worker(0), workers.worker(1)];
      const moved = workers.mover.move({
        from: old.child,
        targets: [target.child],
        progress: workers.onProgress,
        afterStall: 'stays',
      });
      const failed = expect(moved).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      await workers.handOver(old, 'lost');
      await vi.advanceTimersByTimeAsync(20_000);
      await failed;
      expect(target.fake.signals).toEqual(['SIGCONT']);
      expect(old.fake.handoff).toEqual(['leave', 'abort', 'returned lost']);
      expect(target.fake.handoff).toEqual(['session lost', 'cancel lost']);
      target.fake.end(0);
      await turns();
      expect(old.fake.handoff).toEqual(['leave', 'abort', 'returned lost']);
    });

    it('does not kill the old Worker when that hangs, too, while all is brought back', async () => {
      const { workers, old, target, moved } = await stalled();
      const failed = expect(moved).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      target.fake.onSession = ({ id }) => adopt(target, id);
      target.fake.onSignal = () => setImmediate(() => target.fake.resume());
      await vi.advanceTimersByTimeAsync(3250);
      await turns();
      await workers.announce(target, 'a', 'b', 'c');
      old.fake.suspend();
      workers.hand(target, 'a', 'b', 'c');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(old.fake.signals).toEqual(['SIGCONT']);
      expect(target.fake.signals).toEqual(['SIGCONT']);
      target.leave.resolve({ closed: {}, left: 3 });
      await failed;
    });
  });

  it('fails when the leaver cannot leave', async () => {
    const { old, moved } = moving();
    old.leave.reject(new Error('no'));
    await expect(moved).rejects.toMatchObject({
      code: 'RELOAD_FAILED',
      message: 'spush.m.Worker.0 (pid 100) could not hand its connections over: no',
    });
    expect(old.fake.handoff).toEqual(['leave', 'abort']);
  });

  it('brings back what was moved when the leaver cannot go on leaving', async () => {
    const { workers, old, target, moved } = moving();
    const failed = expect(moved).rejects.toMatchObject({
      code: 'RELOAD_FAILED',
      message:
        'spush.m.Worker.0 (pid 100) could not hand its connections over: no; 2 that were moved were brought back',
    });
    await workers.handOver(old, 'a', 'b');
    adopt(target, 'a', 'b');
    old.leave.reject(new Error('no'));
    await turns();
    expect(target.fake.handoff.at(-1)).toBe('leave');
    old.fake.onSession = ({ id }) => adopt(old, id);
    await workers.handOver(target, 'a', 'b');
    target.leave.resolve({ closed: {}, left: 0 });
    await failed;
    expect(target.fake.handoff.slice(-2)).toEqual(['adopted a', 'adopted b']);
  });

  it('closes a session that is handed over twice, and gives it back to nobody', async () => {
    const { workers, old, target } = moving();
    await workers.handOver(old, 'a');
    workers.hand(old, 'a');
    expect(workers.closed('a')).toEqual([1]);
    expect(target.fake.handoff).toEqual(['session a']);
    expect(old.fake.handoff).toEqual(['leave']);
  });
});
