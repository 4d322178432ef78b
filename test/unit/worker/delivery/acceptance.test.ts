import { beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import type { Accepted, PendingQuery } from '../../../../src/platform/store/message-store.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageItem, NewMessage } from '../../../../src/shared/domain/message.js';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { type Acceptance, createAcceptance } from '../../../../src/worker/delivery/acceptance.js';
import { turns } from '../../../support/deferred.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { idOf, itemFor } from '../../../support/messages.js';

let answers: Accepted[];
let pending: MessageItem[];
let readFault: Error | null;
let reads: { uids: readonly number[]; query: PendingQuery }[];
let published: BusEvent[];
let probe: () => Promise<void>;
let acceptance: Acceptance;

beforeEach(() => {
  [answers, pending, reads, published, readFault] = [[], [], [], [], null];
  probe = async () => {};
  acceptance = createAcceptance({
    log: silentLog,
    store: {
      accept: async () => answers,
      async pendingForMany(uids, query) {
        reads.push({ uids, query });
        if (readFault) throw readFault;
        const byUid = new Map<number, MessageItem[]>();
        for (const uid of uids) {
          const items = pending.filter((item) => (item.uid ?? uid) === uid && item.id > (query.after ?? ''));
          if (items.length > 0) byUid.set(uid, items);
        }
        return byUid;
      },
    },
    clock: new FakeClock(),
    bus: {
      publish: (event) => published.push(event),
      probe: async () => {
        await probe();
        return { complete: true };
      },
    },
  });
});

function message(uid: number | null, fields: Partial<NewMessage> = {}): NewMessage {
  const kind = uid === null ? 'systemNotice' : 'comment';
  const texts = { title: 'said now', content: '', url: null, data: null };
  const rest = { callerId: 'x', collapse: null, deliver: 'now', createdAt: 2, expiresAt: 9 } as const;
  return { kind, uid, ...texts, ...rest, ...fields };
}

test('what is new is published as it was said, without a look into the store', async () => {
  answers = [{ id: idOf(1), duplicate: false, unsent: true }];
  await acceptance.accept([message(7)]);
  expect(published).toMatchObject([{ t: 'push', uid: 7, items: [{ id: idOf(1), title: 'said now' }] }]);
  expect(reads).toEqual([]);
});

test('a repetition publishes what was stored first, whatever it says itself', async () => {
  answers = [{ id: idOf(1), duplicate: true, unsent: true }];
  pending = [itemFor(7, 1), itemFor(7, 2)];
  for (const deliver of ['now', 'cron'] as const) await acceptance.accept([message(7, { deliver })]);
  await turns();
  const first = { t: 'push', uid: 7, items: [itemFor(7, 1)] };
  expect(published).toEqual([first, first]);
});

test('a repetition of what is spilled publishes nothing: what was said first is published when it has moved to the store', async () => {
  answers = [{ id: idOf(1), duplicate: true, unsent: true, spilled: true }];
  expect(await acceptance.accept([message(7)])).toMatchObject({ accepted: 0, duplicates: 1, spilled: 1 });
  await turns();
  expect([published, reads]).toEqual([[], []]);
});

test('a repetition of a notice publishes what was stored first', async () => {
  answers = [{ id: idOf(1), duplicate: true, unsent: true }];
  const { uid: _uid, ...item } = itemFor(7, 1);
  pending = [{ ...item, kind: 'systemNotice' }];
  await acceptance.accept([message(null)]);
  await turns();
  expect(published).toEqual([{ t: 'notice', item: pending[0] }]);
});

test('a repetition of what is not due publishes nothing', async () => {
  answers = [{ id: idOf(1), duplicate: true, unsent: true }];
  await acceptance.accept([message(7)]);
  await turns();
  expect(reads).toHaveLength(1);
  expect(published).toEqual([]);
});

test('a repetition is answered although the store cannot be read', async () => {
  answers = [{ id: idOf(1), duplicate: true, unsent: true }];
  readFault = new SpushError('STORE_UNAVAILABLE', 'away');
  expect(await acceptance.accept([message(7)])).toMatchObject({ accepted: 0, duplicates: 1, ids: [idOf(1)] });
  await turns();
  expect(published).toEqual([]);
  readFault = null;
  pending = [itemFor(7, 1)];
  await acceptance.accept([message(7)]);
  await turns();
  expect(published).toHaveLength(1);
});

test('what is repeated inside of its own call is published once', async () => {
  answers = [
    { id: idOf(1), duplicate: false, unsent: true },
    { id: idOf(1), duplicate: true, unsent: true },
  ];
  pending = [itemFor(7, 1)];
  await acceptance.accept([message(7), message(7, { title: 'again' })]);
  await turns();
  expect(published).toMatchObject([{ items: [{ title: 'said now' }] }]);
});

test('many repetitions are read some users at a time; what was sent before is left out', async () => {
  answers = Array.from({ length: 250 }, (_, n) => ({ id: idOf(n), duplicate: true, unsent: n !== 3 }));
  pending = answers.map((_, n) => itemFor(n + 1, n));
  await acceptance.accept(answers.map((_, n) => message(n + 1)));
  await turns();
  expect(reads.map(({ uids }) => uids.length)).toEqual([100, 100, 49]);
  expect(published.length).toBe(249);
});

test('more repetitions than may wait are left to the job of their kind, and room comes back', async () => {
  const many = (count: number) => {
    answers = Array.from({ length: count }, (_, n) => ({ id: idOf(n), duplicate: true, unsent: true }));
    return acceptance.accept(answers.map(() => message(7)));
  };
  await many(60_000);
  await many(60_000);
  await turns();
  expect(reads).toHaveLength(1);
  await many(60_000);
  await turns();
  expect(reads).toHaveLength(2);
});

test('a large call is published no faster than the bus takes it, in order, and answered when it has', async () => {
  answers = Array.from({ length: 1200 }, (_, n) => ({ id: idOf(n), duplicate: false, unsent: true }));
  let taken = (): void => {};
  probe = () =>
    new Promise((resolve) => {
      taken = resolve;
    });
  let answered = false;
  const call = acceptance.accept(answers.map((_, n) => message(n + 1))).then(() => {
    answered = true;
  });
  await turns();
  expect([published.length, answered]).toEqual([500, false]);
  taken();
  await turns();
  expect([published.length, answered]).toEqual([1000, false]);
  taken();
  await call;
  expect(published.map((event) => (event.t === 'push' ? event.uid : 0))).toEqual(
    answers.map((_, n) => n + 1),
  );
});

test('of large messages a few make a piece', async () => {
  answers = Array.from({ length: 100 }, (_, n) => ({ id: idOf(n), duplicate: false, unsent: true }));
  let probes = 0;
  probe = async () => {
    probes += 1;
  };
  await acceptance.accept(answers.map((_, n) => message(n + 1, { content: 'x'.repeat(8000) })));
  expect([published.length, probes]).toEqual([100, 3]);
});

test('a bus that is away holds nobody up: it is asked once, and makes good what it drops', async () => {
  answers = Array.from({ length: 2000 }, (_, n) => ({ id: idOf(n), duplicate: false, unsent: true }));
  let probes = 0;
  probe = async () => {
    probes += 1;
    // Not of ours: as a connection that breaks says it.
    throw new Error('the connection was closed');
  };
  await acceptance.accept(answers.map((_, n) => message(n + 1)));
  expect([published.length, probes]).toEqual([2000, 1]);
});
