import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import type { SentMark } from '../../../../src/platform/store/message-store.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { SentMarks } from '../../../../src/worker/delivery/sent-marks.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { idOf } from '../../../support/messages.js';

let calls: SentMark[][];
let fault: Error | null;
let marks: SentMarks;

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  fault = null;
  const store = {
    async markSent(batch: readonly SentMark[]): Promise<void> {
      if (fault) throw fault;
      calls.push([...batch]);
    },
  };
  marks = new SentMarks({ store, clock: new FakeClock(), log: silentLog });
});

afterEach(() => {
  vi.useRealTimers();
});

function mark(n: number): SentMark {
  return { uid: 1, id: idOf(n), settled: false };
}

describe('sent marks', () => {
  test('of one moment are one call', async () => {
    for (let n = 0; n < 100; n += 1) marks.add(mark(n));
    expect(calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(calls.map((batch) => batch.length)).toEqual([100]);
  });

  test('are written at once by flush, those added meanwhile too', async () => {
    marks.add(mark(1));
    const flushed = marks.flush();
    marks.add(mark(2));
    await flushed;
    await marks.flush();
    expect(calls.flat()).toEqual([mark(1), mark(2)]);
  });

  test('that the store refuses are given up, and the next ones written', async () => {
    fault = new SpushError('STORE_UNAVAILABLE', 'gone');
    marks.add(mark(1));
    await marks.flush();
    fault = null;
    marks.add(mark(2));
    await marks.flush();
    expect(calls.flat()).toEqual([mark(2)]);
  });
});
