import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../../../src/platform/clock/system-clock.js';
import { silentLog } from '../../../../../src/platform/log/log.js';
import type { SpillFile } from '../../../../../src/platform/store/spill/spill-file.js';
import type { SpillTarget } from '../../../../../src/platform/store/spill/spill-target.js';
import { SpillingStore } from '../../../../../src/platform/store/spill/spilling-store.js';
import { type ErrorCode, SpushError } from '../../../../../src/shared/base/errors.js';
import type { NewMessage } from '../../../../../src/shared/domain/message.js';
import { messageIdFrom } from '../../../../../src/shared/domain/message-id.js';
import { idOf } from '../../../../support/messages.js';

const MESSAGE: NewMessage = {
  kind: 'comment',
  uid: 1,
  title: 't',
  content: 'c',
  url: null,
  data: null,
  callerId: null,
  collapse: null,
  deliver: 'now',
  createdAt: 1,
  expiresAt: 2,
};

interface World {
  readonly store: SpillingStore;
  readonly calls: string[];
  /** What the server fails with. */
  fault: SpushError | null;
  /** What the file fails with. */
  fileFault: SpushError | null;
  tried: BigInt64Array | null;
  readonly inFile: Set<string>;
  onMark: () => void;
}

function world({ accepting = true } = {}): World {
  const calls: string[] = [];
  const state: Omit<World, 'store'> = {
    calls,
    fault: null,
    fileFault: null,
    tried: null,
    inFile: new Set(),
    onMark: () => {},
  };
  const target: Partial<SpillTarget> = {
    async accept(messages, attempt) {
      calls.push('store accept');
      if (attempt) attempt.ids = state.tried;
      if (state.fault) throw state.fault;
      return messages.map((_, i) => ({ id: idOf(i), duplicate: false, unsent: true }));
    },
    newIds: (count) => BigInt64Array.from({ length: count }, (_, i) => BigInt(idOf(100 + i))),
    isAway: (error) => error instanceof SpushError && error.code === 'STORE_UNAVAILABLE',
    async probe() {
      calls.push('store probe');
      if (state.fault) throw state.fault;
    },
    async ack(_uid, ids) {
      calls.push(`store ack ${ids.join()}`);
      return ids.length;
    },
    close: async () => {},
  };
  const spill: Partial<SpillFile> = {
    async accept(messages, ids) {
      calls.push('file accept');
      if (state.fileFault) throw state.fileFault;
      return messages.map((_, i) => ({
        id: messageIdFrom(ids[i] ?? 0n),
        duplicate: false,
        unsent: true,
        spilled: true as const,
      }));
    },
    waiting: async () => 0,
    async present(ids) {
      if (state.fileFault) throw state.fileFault;
      return ids.filter((id) => state.inFile.has(id));
    },
    async ack(_uid, ids) {
      calls.push(`file ack ${ids.join()}`);
      state.onMark();
      return ids.length;
    },
    close: async () => {},
  };
  const store = new SpillingStore({
    // Only what these tests call.
    target: target as SpillTarget,
    spill: spill as SpillFile,
    accepting,
    hooks: null,
    clock: systemClock,
    log: silentLog,
    probeMs: 20,
    lookMs: 20,
  });
  onTestFinished(() => store.close());
  return Object.assign(state, { store });
}

function fault(code: ErrorCode): SpushError {
  return new SpushError(code, 'as the test says');
}

test('a store that is there is all that is asked', async () => {
  const { store, calls } = world();
  expect(await store.accept([MESSAGE])).toEqual([{ id: idOf(0), duplicate: false, unsent: true }]);
  expect(calls).toEqual(['store accept']);
});

test('a store that is away is tried once, then probed in the background until it is back', async () => {
  const made = world();
  made.fault = fault('STORE_UNAVAILABLE');
  for (let call = 0; call < 5; call += 1)
    expect(await made.store.accept([MESSAGE])).toMatchObject([{ id: idOf(100), spilled: true }]);
  expect(made.calls.filter((call) => call === 'store accept')).toHaveLength(1);
  await expect.poll(() => made.calls).toContain('store probe');
  made.fault = null;
  await expect.poll(async () => (await made.store.accept([MESSAGE]))[0]?.spilled).toBeUndefined();
});

test('what may have been kept is spilled under the ids that were tried', async () => {
  const made = world();
  made.fault = fault('STORE_UNAVAILABLE');
  made.tried = BigInt64Array.of(BigInt(idOf(7)));
  expect(await made.store.accept([MESSAGE])).toMatchObject([{ id: idOf(7), spilled: true }]);
});

test.each(['STORE_BUSY', 'INTERNAL'] as const)('%s is not spilled', async (code) => {
  const made = world();
  made.fault = fault(code);
  await expect(made.store.accept([MESSAGE])).rejects.toMatchObject({ code });
  expect(made.calls).toEqual(['store accept']);
});

test('without spill: true nothing is spilled', async () => {
  const made = world({ accepting: false });
  made.fault = fault('STORE_UNAVAILABLE');
  await expect(made.store.accept([MESSAGE])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(made.calls).toEqual(['store accept']);
});

test('a file that cannot be written refuses as the store would have', async () => {
  const made = world();
  made.fault = fault('STORE_UNAVAILABLE');
  made.fileFault = fault('STORE_UNAVAILABLE');
  await expect(made.store.accept([MESSAGE])).rejects.toBe(made.fileFault);
});

test('an acknowledgement goes to the file for what is in it, to the store for the rest', async () => {
  const made = world();
  made.inFile.add(idOf(1));
  expect(await made.store.ack(1, [idOf(1), idOf(2)], 5)).toBe(2);
  expect(made.calls).toEqual([`file ack ${idOf(1)}`, `store ack ${idOf(2)}`]);
});

test('a message that is moved while it is acknowledged is acknowledged in the store too', async () => {
  const made = world();
  made.inFile.add(idOf(1));
  made.onMark = () => made.inFile.clear();
  await made.store.ack(1, [idOf(1)], 5);
  expect(made.calls).toEqual([`file ack ${idOf(1)}`, `store ack ${idOf(1)}`]);
});

test('a file that cannot be read does not keep the store from its acknowledgements', async () => {
  const made = world();
  made.fileFault = fault('STORE_UNAVAILABLE');
  expect(await made.store.ack(1, [idOf(1)], 5)).toBe(1);
});
