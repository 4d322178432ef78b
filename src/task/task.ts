/** The TaskWorker: slow or heavy work, so that no socket waits for it. Makes the concrete things; the tasks get interfaces. */
import { newBusIdentity } from '../platform/bus/bus-identity.js';
import { openBus } from '../platform/bus/open-bus.js';
import { systemClock } from '../platform/clock/system-clock.js';
import { hooksDigest } from '../platform/config/hook-changes.js';
import { loadHooks } from '../platform/config/load-hooks.js';
import { fromPlainConfig } from '../platform/config/plain-config.js';
import { type ChildContext, runChild, type StartedChild } from '../platform/rpc/child-runtime.js';
import { childStats } from '../platform/rpc/child-stats.js';
import { openStore } from '../platform/store/open-store.js';
import { createMessageIdSource } from '../shared/domain/message-id.js';
import { endStuckProcess } from './end-stuck-process.js';
import { ownTasks } from './own-tasks.js';
import { TaskRunner } from './task-runner.js';
import type { AskForUids } from './tasks/online-users.js';
import { pruneTask } from './tasks/prune.js';
import { sweepTask } from './tasks/sweep.js';
import { Watchdog } from './watchdog.js';

/** For the master's answer beyond that of the Workers. */
const ASK_MARGIN_MS = 500;

export function runTask(): Promise<number> {
  return runChild('task', {
    parseConfig: (plain) => fromPlainConfig(plain, { loadFunctions: false }),
    start: startTaskWorker,
  });
}

async function startTaskWorker(context: ChildContext): Promise<StartedChild<'task'>> {
  const { config, current, generator, hasHooks, log, peer } = context;
  const { root } = config.paths;
  const hooks = await loadHooks({ root, timeZone: config.system.TimeZone, hasHooks });
  const clock = systemClock;
  const store = await openStore(config, {
    ids: createMessageIdSource(generator, clock),
    clock,
    log,
    create: context.firstStart,
  });
  const { bus } = await openBus(config, {
    peer,
    log,
    clock,
    identity: newBusIdentity(context.name, config.system.NodeName, context.nodeRun),
    mustReach: context.firstStart,
  });
  // Every node sweeps for its own users, so the Workers of this node are asked, not the bus.
  const askForUids: AskForUids = (args, { deadlineMs }) =>
    peer.call(
      'workers.ask',
      { question: 'uids', args, deadlineMs },
      { deadlineMs: deadlineMs + ASK_MARGIN_MS },
    );
  // Our own tasks give the loop back; what an operator writes may not.
  const watchdog = hooks.tasks.length > 0 ? new Watchdog() : null;
  const runner: TaskRunner = new TaskRunner(
    [
      sweepTask({
        store,
        askForUids,
        bus,
        clock,
        resendMs: () => current().system.ResendSeconds * 1000,
        log,
      }),
      pruneTask({ store, clock, keepMs: () => current().system.KeepExpiredSeconds * 1000 }),
      ...ownTasks(hooks.tasks, log),
    ],
    {
      clock,
      log,
      onStuck: (reason) => endStuckProcess(reason, { counts: runner.counts, peer, log }),
      ...(watchdog === null ? {} : { watch: (endsWithinMs) => watchdog.watch(endsWithinMs) }),
    },
  );
  return {
    hooks: hooksDigest(hooks),
    handlers: {
      calls: {
        stats: () => childStats(runner.counts),
        'task.run': async (request) => ({ result: await runner.run(request) }),
        pendingCount: async () => ({ pending: await store.pendingCount() }),
      },
      notes: {},
      hands: {},
    },
    async stop(options) {
      await runner.close(options);
      await watchdog?.close();
      await bus.close();
      await store.close();
    },
  };
}
