import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endStuckProcess } from '../../../src/task/end-stuck-process.js';
import { recordedLog } from '../../support/recorded-log.js';

describe('endStuckProcess', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] }));
  afterEach(() => vi.useRealTimers());

  function setUp(note: (name: string, args: unknown, flushed?: (error: Error | null) => void) => void) {
    const exits: number[] = [];
    const log = recordedLog();
    const counts = { tasksRunning: 2, tasksDone: 5, tasksFailed: 3 };
    endStuckProcess('why', { counts, peer: { note }, log, exit: (code) => exits.push(code) });
    return { exits, log };
  }

  it('says why, sends the last counts, and ends with the code of a fault', async () => {
    const notes: unknown[] = [];
    const { exits, log } = setUp((name, args, flushed) => {
      notes.push([name, args]);
      flushed?.(null);
    });
    expect(exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exits).toEqual([70]);
    const counts = { tasksRunning: 0, tasksDone: 5, tasksFailed: 3 };
    expect(notes).toEqual([['lastStats', expect.objectContaining(counts)]]);
    expect(log.lines).toMatchObject([{ level: 'error', event: 'process.stuck', fields: { reason: 'why' } }]);
  });

  it('does not wait for a master that takes nothing', async () => {
    const { exits } = setUp(() => {});
    await vi.advanceTimersByTimeAsync(1000);
    expect(exits).toEqual([70]);
  });
});
