import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Child } from '../../../../src/master/supervisor/child.js';
import { Generators } from '../../../../src/master/supervisor/generators.js';
import { READY_DEADLINE_MS, Supervisor } from '../../../../src/master/supervisor/supervisor.js';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import type { SpawnedRole } from '../../../../src/shared/domain/role.js';
import { turns } from '../../../support/deferred.js';
import { NO_RELAYS } from '../../../support/fake-node.js';
import { FakeSpawner } from '../../../support/fake-spawn.js';
import { recordedLog } from '../../../support/recorded-log.js';

function setUp(counts: Partial<Record<SpawnedRole, number>> = {}) {
  const spawner = new FakeSpawner();
  const log = recordedLog();
  const told: string[] = [];
  const tell = (what: string) => (child: Child) => told.push(`${what} ${child.name}`);
  const supervisor = new Supervisor({
    nodeRun: '0a1b2c3d',
    console: 'json',
    mode: 'm',
    counts: { worker: 2, task: 1, crontab: 1, ...counts },
    spawn: spawner.spawn,
    generators: new Generators(() => 0),
    clock: systemClock,
    log,
    initConfig: () => ({ some: 'config' }),
    hasHooks: () => true,
    handlersOf: () => NO_RELAYS,
    onConnected: tell('connected'),
    onReady: tell('ready'),
    onEnded: tell('ended'),
    onLastStats: tell('stats'),
    onWaiting: (child, what) => told.push(`${child.name} waits for ${what}`),
  });
  const allReady = async (): Promise<void> => {
    const started = supervisor.start();
    for (const child of spawner.children) child.becomeReady();
    await started;
  };
  return { spawner, supervisor, log, told, allReady };
}

describe('Supervisor', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  it('starts every child and tells each who it is, once it listens', async () => {
    const { supervisor, spawner } = setUp();
    void supervisor.start();
    expect(spawner.children.map(({ title }) => title)).toEqual([
      'spush.m.Worker.0',
      'spush.m.Worker.1',
      'spush.m.TaskWorker.0',
      'spush.m.CrontabScheduler',
    ]);
    const worker = spawner.last('spush.m.Worker.1');
    expect(worker.inits).toEqual([]);
    worker.peer.note('hello', {});
    expect(worker.inits).toEqual([
      {
        role: 'worker',
        index: 1,
        generator: 2,
        config: { some: 'config' },
        hasHooks: true,
        firstStart: true,
        nodeRun: '0a1b2c3d',
        console: 'json',
      },
    ]);
  });

  it('is started when every child is ready, not before', async () => {
    const { supervisor, spawner } = setUp();
    let started = false;
    const start = supervisor.start().then(() => {
      started = true;
    });
    for (const child of spawner.children.slice(1)) child.becomeReady();
    await turns();
    expect(started).toBe(false);
    spawner.children[0]?.becomeReady();
    await start;
    expect(supervisor.ready('worker')).toHaveLength(2);
  });

  it('fails the start with the reason of the child that failed, and starts nobody again', async () => {
    const { supervisor, spawner } = setUp();
    const start = supervisor.start();
    const failed = spawner.last('spush.m.Worker.1');
    failed.peer.note('hello', {});
    failed.peer.note('failed', { code: 'PORT_TAKEN', message: 'port 9501 is taken' });
    failed.end(1);
    await expect(start).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: 'spush.m.Worker.1 did not start: port 9501 is taken',
    });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(spawner.children).toHaveLength(4);
  });

  it('fails the start when a child ends without a word, and says how it ended', async () => {
    const { supervisor, spawner } = setUp();
    const start = supervisor.start();
    spawner.last('spush.m.TaskWorker.0').end(null, 'SIGSEGV');
    await expect(start).rejects.toMatchObject({
      code: 'START_FAILED',
      message: 'spush.m.TaskWorker.0 did not start: it was ended by SIGSEGV',
    });
  });

  it('fails the start when a child is not ready in time', async () => {
    const { supervisor, spawner } = setUp();
    const start = expect(supervisor.start()).rejects.toMatchObject({
      code: 'START_FAILED',
      message: 'spush.m.Worker.0 did not start: it was not ready within 60 s',
    });
    for (const child of spawner.children.slice(1)) child.becomeReady();
    await vi.advanceTimersByTimeAsync(READY_DEADLINE_MS);
    await start;
    expect(spawner.children[0]?.signals).toEqual(['SIGKILL']);
  });

  it('starts a dead child again under its name and index, with a new generator, and counts it', async () => {
    const { supervisor, spawner, allReady, told, log } = setUp();
    await allReady();
    const first = spawner.last('spush.m.Worker.1');
    first.end(null, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(0);
    const second = spawner.last('spush.m.Worker.1');
    expect(second).not.toBe(first);
    second.becomeReady();
    expect(second.inits).toMatchObject([{ role: 'worker', index: 1 }]);
    expect(second.inits[0]?.generator).not.toBe(first.inits[0]?.generator);
    expect(told.slice(-3)).toEqual([
      'ended spush.m.Worker.1',
      'connected spush.m.Worker.1',
      'ready spush.m.Worker.1',
    ]);
    expect(supervisor.slots.map(({ name, restarts, state }) => [name, restarts, state])).toEqual([
      ['spush.m.Worker.0', 0, 'ready'],
      ['spush.m.Worker.1', 1, 'ready'],
      ['spush.m.TaskWorker.0', 0, 'ready'],
      ['spush.m.CrontabScheduler', 0, 'ready'],
    ]);
    expect(log.lines.find(({ event }) => event === 'child.ended')?.fields).toMatchObject({
      child: 'spush.m.Worker.1',
      exitCode: null,
      signal: 'SIGKILL',
    });
  });

  it('waits longer between the starts of a child that dies at start, and in the end says so', async () => {
    const { supervisor, spawner, allReady, log } = setUp();
    await allReady();
    const slot = supervisor.slots.find(({ name }) => name === 'spush.m.TaskWorker.0');
    const dieAndWait = async (ms: number): Promise<void> => {
      const count = spawner.children.length;
      spawner.last('spush.m.TaskWorker.0').end(70);
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(spawner.children).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(spawner.children).toHaveLength(count + 1);
    };
    spawner.last('spush.m.TaskWorker.0').end(70);
    await vi.advanceTimersByTimeAsync(0);
    for (const ms of [500, 1000, 2000, 4000]) await dieAndWait(ms);
    spawner.last('spush.m.TaskWorker.0').end(70);
    await turns();
    expect(slot?.state).toBe('crashLoop');
    expect(log.lines.filter(({ event }) => event === 'child.crashLoop')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(60_000);
    spawner.last('spush.m.TaskWorker.0').becomeReady();
    expect(slot?.state).toBe('ready');
  });

  it('starts nobody again once it is told so, not even one that was about to be', async () => {
    const { supervisor, spawner, allReady } = setUp();
    await allReady();
    spawner.last('spush.m.Worker.0').end(1);
    await turns();
    supervisor.startNoMore();
    spawner.last('spush.m.Worker.1').end(1);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(spawner.children).toHaveLength(4);
    expect(supervisor.living().map(({ name }) => name)).toEqual([
      'spush.m.TaskWorker.0',
      'spush.m.CrontabScheduler',
    ]);
  });

  it('passes on what a child waits for and what it counted at last', async () => {
    const { spawner, allReady, told } = setUp();
    await allReady();
    const worker = spawner.last('spush.m.Worker.0');
    worker.peer.note('waiting', { what: '3 commits' });
    worker.peer.note('lastStats', {} as never);
    expect(told.slice(-2)).toEqual(['spush.m.Worker.0 waits for 3 commits', 'stats spush.m.Worker.0']);
  });

  it('does not fall by a child that talks nonsense', async () => {
    const { spawner, allReady, log, supervisor } = setUp();
    await allReady();
    spawner.last('spush.m.Worker.0').peer.note('waiting', null as never);
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', event: 'child.badNote' });
    expect(supervisor.living()).toHaveLength(4);
  });

  it('answers what a child asks of the node', async () => {
    const { spawner, allReady } = setUp();
    await allReady();
    const worker = spawner.last('spush.m.Worker.0');
    const claim = worker.peer.call(
      'nonce.claim',
      { scope: 's', nonce: 'n', timestamp: 1 },
      { deadlineMs: 100 },
    );
    await expect(claim).resolves.toEqual({ fresh: true });
  });
});
