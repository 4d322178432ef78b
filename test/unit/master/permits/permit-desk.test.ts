import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PermitDesk, RECALL_MS } from '../../../../src/master/permits/permit-desk.js';

function holder() {
  return { peer: { note: vi.fn() } };
}

describe('PermitDesk', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('keeps a count of its own for each pool', async () => {
    const desk = new PermitDesk({ links: 10, visitors: 2 });
    const a = holder();
    desk.attach(a);
    expect(await desk.want(a, { pool: 'links', n: 8 })).toEqual({ granted: 8 });
    expect(await desk.want(a, { pool: 'visitors', n: 8 })).toEqual({ granted: 2 });
  });

  it('books a permit to nobody who is gone: it is free then', async () => {
    const desk = new PermitDesk({ links: 10, visitors: 10 });
    const [a, b] = [holder(), holder()];
    desk.attach(a);
    desk.attach(b);
    await desk.want(a, { pool: 'links', n: 10 });
    desk.detach(b);
    desk.move('links', a, b);
    expect(await desk.want(a, { pool: 'links', n: 10 })).toEqual({ granted: 1 });
  });

  it('recalls from every holder, waits a moment, then answers what came', async () => {
    const desk = new PermitDesk({ links: 10, visitors: 10 });
    const [a, b] = [holder(), holder()];
    desk.attach(a);
    desk.attach(b);
    await desk.want(a, { pool: 'links', n: 10 });
    const waiting = desk.want(b, { pool: 'links', n: 2 });
    for (const { peer } of [a, b]) {
      expect(peer.note).toHaveBeenCalledExactlyOnceWith('permits.scarce', { pool: 'links', scarce: true });
    }
    await vi.advanceTimersByTimeAsync(RECALL_MS - 1);
    desk.giveBack(a, { pool: 'links', n: 1 });
    expect(await waiting).toEqual({ granted: 1 });
    const second = desk.want(b, { pool: 'links', n: 2 });
    await vi.advanceTimersByTimeAsync(1);
    expect(await second).toEqual({ granted: 0 });
  });

  it('tells a Worker that comes later that permits are scarce', async () => {
    const desk = new PermitDesk({ links: 1, visitors: 10 });
    const [a, late] = [holder(), holder()];
    desk.attach(a);
    await desk.want(a, { pool: 'links', n: 1 });
    void desk.want(a, { pool: 'links', n: 1 });
    desk.attach(late);
    expect(late.peer.note).toHaveBeenCalledExactlyOnceWith('permits.scarce', { pool: 'links', scarce: true });
  });

  it('gives the second recall its whole time', async () => {
    const desk = new PermitDesk({ links: 8, visitors: 8 });
    const a = holder();
    desk.attach(a);
    await desk.want(a, { pool: 'links', n: 8 });
    const first = desk.want(a, { pool: 'links', n: 1 });
    await vi.advanceTimersByTimeAsync(RECALL_MS / 2);
    desk.giveBack(a, { pool: 'links', n: 8 });
    expect(await first).toEqual({ granted: 1 });
    await desk.want(a, { pool: 'links', n: 7 });
    const second = vi.fn();
    void desk.want(a, { pool: 'links', n: 1 }).then(second);
    await vi.advanceTimersByTimeAsync(RECALL_MS / 2);
    expect(second).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(RECALL_MS / 2);
    expect(second).toHaveBeenCalledWith({ granted: 0 });
  });

  it('frees what a dead Worker held', async () => {
    const desk = new PermitDesk({ links: 5, visitors: 5 });
    const [a, b] = [holder(), holder()];
    desk.attach(a);
    desk.attach(b);
    await desk.want(a, { pool: 'links', n: 5 });
    desk.detach(a);
    expect(await desk.want(b, { pool: 'links', n: 5 })).toEqual({ granted: 5 });
  });
});
