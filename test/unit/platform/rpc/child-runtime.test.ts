import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../../../src/platform/config/config-schema.js';
import {
  type ChildContext,
  ChildRuntime,
  type StartedChild,
  type StopOptions,
} from '../../../../src/platform/rpc/child-runtime.js';
import { childStats } from '../../../../src/platform/rpc/child-stats.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { deferred, turns } from '../../../support/deferred.js';
import { FakeChildSide } from '../../../support/fake-child-side.js';
import { recordedLog } from '../../../support/recorded-log.js';

const CONFIG = {
  mode: 'websocket',
  paths: { logFile: '/nowhere/websocket.log' },
  system: { StopSeconds: 15, LogLevel: 'info' },
} as unknown as Config;
const INIT = {
  role: 'worker',
  index: 2,
  generator: 77,
  config: {},
  firstStart: true,
  nodeRun: '0a1b2c3d',
  console: 'json',
} as const;

function setUp(
  program: Partial<{
    start: () => Promise<void>;
    stop: (options: StopOptions) => Promise<void>;
    parseConfig: (plain: unknown) => Promise<Config>;
    version: () => string;
  }> = {},
) {
  const side = new FakeChildSide();
  const texts: string[] = [];
  const seen: { context: ChildContext | null; stops: StopOptions[]; configs: Config[] } = {
    context: null,
    stops: [],
    configs: [],
  };
  const log = recordedLog();
  const handlers = {
    calls: {
      stats: () => childStats({ requests: 3 }),
      answer: ({ question }) => ({ question }),
      'nodes.figures': () => ({ nodes: [], silent: [] }),
      'user.show': () => Promise.reject(new Error('not asked here')),
      'message.show': () => Promise.reject(new Error('not asked here')),
      pendingCount: () => ({ pending: 5 }),
      'handoff.leave': () => ({ closed: {}, left: 0 }),
      'handoff.stay': () => ({}),
      'handoff.expect': () => ({}),
      'conn.barrier': () => ({}),
    },
    notes: {
      bus: (args) => texts.push(...args.texts),
      'bus.gap': () => texts.push('gap'),
      'permits.scarce': () => {},
      'tls.reload': () => {},
      'handoff.adopted': () => {},
      'handoff.returned': () => {},
      'handoff.cancel': () => {},
      'handoff.abort': () => {},
    },
    hands: {
      'handoff.session': (_session, handle) => handle.close(),
      conn: (_given, handle) => handle.close(),
    },
  } satisfies StartedChild<'worker'>['handlers'];
  const started: StartedChild<'worker'> = {
    handlers,
    onConfig: (config) => seen.configs.push(config),
    async stop(options) {
      seen.stops.push(options);
      await program.stop?.(options);
    },
  };
  const runtime = new ChildRuntime(
    'worker',
    {
      parseConfig: program.parseConfig ?? (async () => CONFIG),
      start: async (context) => {
        seen.context = context;
        await program.start?.();
        return started;
      },
    },
    { side, openLog: () => log, version: '1.2.3' },
  );
  const exitCode = runtime.run();
  return { side, texts, seen, exitCode, log, handlers };
}

async function ready(setup: ReturnType<typeof setUp>, init: { hasHooks?: boolean } = {}): Promise<void> {
  setup.side.master.note('init', { ...INIT, ...init });
  await turns();
}

describe('a child of the master', () => {
  it('says hello, learns who it is, starts, and says that it is ready', async () => {
    const setup = setUp();
    expect(setup.side.noted('hello')).toHaveLength(1);
    await ready(setup);
    expect(setup.side.title).toBe('spush.websocket.Worker.2');
    expect(setup.seen.context).toMatchObject({ index: 2, generator: 77, name: 'spush.websocket.Worker.2' });
    expect(setup.side.noted('ready')).toEqual([{ version: '1.2.3' }]);
  });

  it('is told whether bootstrap.ts has own jobs or tasks; of a master that does not say it, it is taken to have some', async () => {
    const setup = setUp();
    await ready(setup, { hasHooks: false });
    expect(setup.seen.context).toMatchObject({ hasHooks: false });
    const silent = setUp();
    await ready(silent);
    expect(silent.seen.context).toMatchObject({ hasHooks: true });
  });

  it('keeps what the master says during the start, in order, until the start is over', async () => {
    const start = deferred();
    const setup = setUp({ start: () => start.promise });
    await ready(setup);
    setup.side.master.note('bus', { texts: ['a'] });
    const pending = setup.side.master.call('pendingCount', {}, { deadlineMs: 1000 });
    setup.side.master.note('bus', { texts: ['b'] });
    setup.side.master.note('bus.gap', {});
    await turns();
    expect(setup.texts).toEqual([]);
    start.resolve();
    expect(await pending).toEqual({ pending: 5 });
    expect(setup.texts).toEqual(['a', 'b', 'gap']);
  });

  it('begins a call that came during the start between the notes before and after it', async () => {
    const start = deferred();
    const setup = setUp({ start: () => start.promise });
    const { handlers, side, texts } = setup;
    handlers.calls['handoff.expect'] = () => {
      texts.push('expect');
      return {};
    };
    handlers.notes['handoff.cancel'] = () => void texts.push('cancel');
    await ready(setup);
    side.master.note('bus', { texts: ['before'] });
    const expecting = side.master.call('handoff.expect', { sessions: [] }, { deadlineMs: 1000 });
    side.master.note('handoff.cancel', { ids: [] });
    start.resolve();
    await expecting;
    expect(texts).toEqual(['before', 'expect', 'cancel']);
  });

  it('answers a call that came during the start and cannot be begun with its fault', async () => {
    const start = deferred();
    const setup = setUp({ start: () => start.promise });
    await ready(setup);
    const asked = setup.side.master.call('crontab.run', { name: 'x', wait: false }, { deadlineMs: 1000 });
    const other = setup.side.master.call('pendingCount', {}, { deadlineMs: 1000 });
    start.resolve();
    await expect(asked).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await other).toEqual({ pending: 5 });
    expect(setup.side.noted('ready')).toHaveLength(1);
  });

  it('hears a note that came after a call after it, also when both come at once', async () => {
    const setup = setUp();
    await ready(setup);
    const { handlers } = setup;
    handlers.calls['handoff.expect'] = () => {
      setup.texts.push('expect');
      return {};
    };
    handlers.notes['handoff.cancel'] = () => void setup.texts.push('cancel');
    const expecting = setup.side.master.call('handoff.expect', { sessions: [] }, { deadlineMs: 1000 });
    setup.side.master.note('handoff.cancel', { ids: [] });
    await expecting;
    expect(setup.texts).toEqual(['expect', 'cancel']);
  });

  it('tells the master that it leaves when a signal says so, and nothing when the master does', async () => {
    const bySignal = setUp();
    await ready(bySignal);
    bySignal.side.emit('SIGTERM');
    await bySignal.exitCode;
    expect(bySignal.side.noted('leaving')).toEqual([{}]);
  });

  it('tells the reason when it cannot start, then ends with 1', async () => {
    const setup = setUp({ start: () => Promise.reject(new SpushError('PORT_TAKEN', '9501 is taken')) });
    await ready(setup);
    expect(await setup.exitCode).toBe(1);
    expect(setup.side.noted('failed')).toEqual([{ code: 'PORT_TAKEN', message: '9501 is taken' }]);
    expect(setup.side.noted('ready')).toEqual([]);
  });

  it('logs the stack when a bug of ours kept it from starting', async () => {
    const setup = setUp({ start: () => Promise.reject(new TypeError('x is not a function')) });
    await ready(setup);
    await setup.exitCode;
    expect(setup.side.noted('failed')).toEqual([{ code: 'START_FAILED', message: 'x is not a function' }]);
    const fault = setup.log.lines.find(({ event }) => event === 'start.fault');
    expect(fault?.fields['stack']).toContain('TypeError');
  });

  it('stops when the master says so, answers, leaves its counts, and ends with 0', async () => {
    const setup = setUp();
    await ready(setup);
    await expect(
      setup.side.master.call(
        'stop',
        { reason: 'server stop', deadlineMs: 900, closing: 'process' },
        { deadlineMs: 1000 },
      ),
    ).resolves.toEqual({});
    expect(await setup.exitCode).toBe(0);
    expect(setup.seen.stops).toMatchObject([{ reason: 'server stop', deadlineMs: 900, closing: 'process' }]);
    expect(setup.side.noted('lastStats')).toMatchObject([{ requests: 3 }]);
  });

  it('stops once, whatever asks for it besides', async () => {
    const stop = deferred();
    const setup = setUp({ stop: () => stop.promise });
    await ready(setup);
    const answer = setup.side.master.call(
      'stop',
      { reason: 'server stop', deadlineMs: 900, closing: 'process' },
      { deadlineMs: 1000 },
    );
    await turns();
    setup.side.emit('SIGTERM');
    const again = setup.side.master.call(
      'stop',
      { reason: 'again', deadlineMs: 1, closing: 'server' },
      { deadlineMs: 1000 },
    );
    stop.resolve();
    await Promise.all([answer, again]);
    setup.side.disconnect();
    expect(await setup.exitCode).toBe(0);
    expect(setup.seen.stops).toHaveLength(1);
  });

  it('takes SIGTERM as an order to end, and no notice of the terminal’s signals', async () => {
    const setup = setUp();
    await ready(setup);
    setup.side.emit('SIGINT');
    setup.side.emit('SIGHUP');
    await turns();
    expect(setup.seen.stops).toEqual([]);
    setup.side.emit('SIGTERM');
    expect(await setup.exitCode).toBe(0);
    expect(setup.seen.stops).toMatchObject([{ reason: 'SIGTERM', deadlineMs: 15_000 }]);
  });

  it('ends in order, but soon, when the master has gone', async () => {
    const setup = setUp();
    await ready(setup);
    setup.side.disconnect();
    expect(await setup.exitCode).toBe(0);
    expect(setup.seen.stops).toMatchObject([{ reason: 'the master has ended', deadlineMs: 5000 }]);
  });

  it('ends at once when the master goes before it has started', async () => {
    const setup = setUp({ start: () => new Promise(() => {}) });
    await ready(setup);
    setup.side.disconnect();
    expect(await setup.exitCode).toBe(0);
    expect(setup.seen.stops).toEqual([]);
  });

  it('tells the master what its stop waits for', async () => {
    const setup = setUp({ stop: async ({ waiting }) => waiting('3 tasks') });
    await ready(setup);
    setup.side.emit('SIGTERM');
    await setup.exitCode;
    expect(setup.side.noted('waiting')).toEqual([{ what: '3 tasks' }]);
  });

  it('ends with 1 when its stop fails', async () => {
    const setup = setUp({ stop: () => Promise.reject(new Error('disk full')) });
    await ready(setup);
    setup.side.emit('SIGTERM');
    expect(await setup.exitCode).toBe(1);
    expect(setup.log.lines.find(({ event }) => event === 'process.stopFault')?.fields['error']).toBe(
      'disk full',
    );
  });

  it('answers that it is not asked for what is not its role’s business', async () => {
    const setup = setUp();
    await ready(setup);
    await expect(
      setup.side.master.call('crontab.run', { name: 'x', wait: false }, { deadlineMs: 1000 }),
    ).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

describe('the configuration of a child', () => {
  const live = { mode: 'websocket', system: { StopSeconds: 1, LogLevel: 'info' } } as unknown as Config;
  const parseConfig = async (plain: unknown): Promise<Config> => {
    if (plain === 'faulty') throw new Error('StopSeconds is wrong');
    return plain === 'new' ? live : CONFIG;
  };

  it('is replaced by the one the master sends, and whoever wants to know is told', async () => {
    const setup = setUp({ parseConfig });
    await ready(setup);
    expect(setup.seen.context?.current()).toBe(CONFIG);
    setup.side.master.note('config', { config: 'new' });
    await turns();
    expect(setup.seen.context?.current()).toBe(live);
    expect(setup.seen.context?.config).toBe(CONFIG);
    expect(setup.seen.configs).toEqual([live]);
    setup.side.emit('SIGTERM');
    await setup.exitCode;
    expect(setup.seen.stops).toMatchObject([{ deadlineMs: 1000, closing: 'process' }]);
  });

  it('stays as it is when a faulty one comes, which is logged', async () => {
    const setup = setUp({ parseConfig });
    await ready(setup);
    setup.side.master.note('config', { config: 'faulty' });
    await turns();
    expect(setup.seen.context?.current()).toBe(CONFIG);
    expect(setup.log.lines.at(-1)).toMatchObject({
      level: 'error',
      event: 'config.refused',
      fields: { error: 'StopSeconds is wrong' },
    });
  });

  it('that comes during the start is told when the start is over', async () => {
    const start = deferred();
    const setup = setUp({ parseConfig, start: () => start.promise });
    await ready(setup);
    setup.side.master.note('config', { config: 'new' });
    await turns();
    expect(setup.seen.configs).toEqual([]);
    start.resolve();
    await turns();
    expect(setup.seen.configs).toEqual([live]);
  });
});

describe('a child whose stop hangs', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('ends with 1 at the deadline', async () => {
    const setup = setUp({ stop: () => new Promise(() => {}) });
    await ready(setup);
    const answer = setup.side.master.call(
      'stop',
      { reason: 'server stop', deadlineMs: 900, closing: 'process' },
      { deadlineMs: 5000 },
    );
    await turns();
    await vi.advanceTimersByTimeAsync(900);
    await answer;
    await vi.advanceTimersByTimeAsync(1000);
    expect(await setup.exitCode).toBe(1);
  });
});
