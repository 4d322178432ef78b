import { expect, test, vi } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { UserBacklog } from '../../../../src/shared/domain/message.js';
import type { Questions } from '../../../../src/shared/protocol/questions.js';
import { type ShowUserDeps, showUser } from '../../../../src/worker/inspect/show-user.js';

type Online = Questions['online']['result'];
const NONE = { count: 0, sent: 0, held: 0, oldestAt: null };
const BACKLOG: UserBacklog = {
  known: true,
  kinds: {
    comment: { count: 2, sent: 1, held: 1, oldestAt: 86_400_000 },
    userNotice: NONE,
    systemNotice: NONE,
  },
  capped: false,
};
const NOTHING: UserBacklog = { ...BACKLOG, known: false, kinds: { ...BACKLOG.kinds, comment: NONE } };
const UNREAD = { comment: 0, userNotice: 0, systemNotice: 0, total: 0 };
const STORE: ShowUserDeps['store'] = {
  backlog: async () => BACKLOG,
  pending: async () => [],
  unread: async () => UNREAD,
};
const CONNECTION = {
  session: 's1',
  channel: 'web',
  device: null,
  since: 2000,
  node: 'web2',
  worker: 'w',
} as const;
const DETAILS = {
  address: '203.0.113.7',
  connectedAt: 1000,
  heardMsAgo: 5,
  ack: true,
  unconfirmed: 0,
  unsentBytes: 0,
  replaying: false,
  leftOut: false,
  silentMs: null,
};

const busOf = (answers: Online[], silent: string[] = []): ShowUserDeps['bus'] => ({
  ask: (async () => ({
    answers: answers.map((result, at) => ({ from: `${at}`, result })),
    silent,
  })) as unknown as ShowUserDeps['bus']['ask'],
});
const ASK = { uid: 7, next: 5 };

test('tells the connections of all nodes, the oldest login first, each once', async () => {
  const older = { ...CONNECTION, session: 's0', since: 1000, details: DETAILS };
  const shown = await showUser(
    { store: STORE, bus: busOf([{ connections: [CONNECTION] }, { connections: [older, CONNECTION] }]) },
    ASK,
  );
  expect(shown.connections).toMatchObject([
    { session: 's0', address: '203.0.113.7', connectedAt: '1970-01-01T00:00:01.000Z', ack: true },
    { session: 's1', since: '1970-01-01T00:00:02.000Z', address: null, connectedAt: null, ack: null },
  ]);
  expect(shown).toMatchObject({ known: true, silent: [], storeFault: null, store: { pending: 2 } });
  expect(shown.store?.kinds.comment.oldestAt).toBe('1970-01-02T00:00:00.000Z');
});

test('what waits in a spill is told once for each node, however many of its processes say so', async () => {
  const spilled = { node: 'web1-5f3a9c0e', backlog: BACKLOG };
  const answers = [
    { connections: [], spilled },
    { connections: [], spilled },
  ];
  const { spilled: told } = await showUser({ store: STORE, bus: busOf(answers) }, ASK);
  expect(told).toMatchObject([{ node: 'web1', pending: 2 }]);
});

test('a spill whose file does not answer is among the silent, unless another process of its node could read it', async () => {
  const spilled = { node: 'web1-5f3a9c0e', backlog: null };
  const read = { connections: [], spilled: { ...spilled, backlog: NOTHING } };
  const unread = { connections: [], spilled };
  const store = { ...STORE, backlog: async () => NOTHING };
  expect(await showUser({ store, bus: busOf([unread, unread]) }, ASK)).toMatchObject({
    known: null,
    silent: ['the spill of web1'],
    spilled: [],
  });
  for (const answers of [
    [unread, read],
    [read, unread],
  ])
    expect(await showUser({ store, bus: busOf(answers) }, ASK)).toMatchObject({ known: false, silent: [] });
});

test.each<[string, UserBacklog | SpushError, Online[], string[], boolean | null]>([
  ['nothing anywhere', NOTHING, [{ connections: [] }], [], false],
  ['nothing, and somebody silent', NOTHING, [{ connections: [] }], ['web2/w'], null],
  ['nothing, and no store', new SpushError('STORE_UNAVAILABLE', 'away'), [{ connections: [] }], [], null],
  [
    'a connection, and no store',
    new SpushError('STORE_UNAVAILABLE', 'away'),
    [{ connections: [CONNECTION] }],
    [],
    true,
  ],
  ['a message only', BACKLOG, [{ connections: [] }], ['web2/w'], true],
])('known: %s', async (_, backlog, answers, silent, known) => {
  const store = {
    ...STORE,
    backlog: async () => (backlog instanceof Error ? Promise.reject(backlog) : backlog),
  };
  const shown = await showUser({ store, bus: busOf(answers, silent) }, ASK);
  expect(shown).toMatchObject({ known, silent });
  expect(shown.storeFault).toEqual(
    backlog instanceof Error ? { code: 'STORE_UNAVAILABLE', text: 'away' } : null,
  );
});

test('a store that hangs is not waited for, and is told', async () => {
  vi.useFakeTimers();
  try {
    const store = { ...STORE, unread: () => new Promise<never>(() => {}) };
    const shown = showUser({ store, bus: busOf([{ connections: [CONNECTION] }]) }, ASK);
    await vi.advanceTimersByTimeAsync(1700);
    expect(await shown).toMatchObject({
      connections: [{ session: 's1' }],
      store: null,
      storeFault: { code: 'STORE_UNAVAILABLE', text: 'the store did not answer within 1700 ms' },
    });
  } finally {
    vi.useRealTimers();
  }
});

test('a bus that cannot be asked is among the silent', async () => {
  const faulty = { ask: () => Promise.reject(new SpushError('RPC_PEER_GONE', 'the master is gone')) };
  const shown = await showUser({ store: STORE, bus: faulty }, ASK);
  expect(shown).toMatchObject({ connections: [], silent: ['the master is gone'], store: { pending: 2 } });
});

test('our own bug is no missing part', async () => {
  const store = { ...STORE, unread: () => Promise.reject(new TypeError('a bug')) };
  await expect(showUser({ store, bus: busOf([]) }, ASK)).rejects.toThrow(TypeError);
});
