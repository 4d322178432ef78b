/** Who answers which control command: hands each handler what it needs of the node. */
import type { Config } from '../../platform/config/config-schema.js';
import { loadApart, readAgain } from '../../platform/config/read-again.js';
import type { RunMasterOptions } from '../../platform/instance/run-master.js';
import type { Log } from '../../platform/log/log.js';
import type { Notifier } from '../../platform/notify/notifier.js';
import type { LaunchedProgram } from '../../platform/program/launched-program.js';
import type { Clock } from '../../shared/base/clock.js';
import type { Environment } from '../../shared/protocol/environment.js';
import type { ChildStats } from '../../shared/protocol/ipc.js';
import type { FrontDoor } from '../accept/front-door.js';
import type { LiveConfig } from '../live-config.js';
import type { Relays } from '../relays.js';
import { askStats } from '../status/ask-stats.js';
import type { ProcessTroubles } from '../status/ask-troubles.js';
import type { OwnFigures } from '../status/node-figures.js';
import { processFigures } from '../status/process-figures.js';
import type { ProgramVersions } from '../status/program-versions.js';
import type { Child } from '../supervisor/child.js';
import type { NodeStop } from '../supervisor/node-stop.js';
import { OneAtATime } from '../supervisor/one-at-a-time.js';
import type { Replacer } from '../supervisor/replace.js';
import type { Slot } from '../supervisor/slot.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { WorkerCount } from '../supervisor/worker-count.js';
import { configSet } from './commands/config-set.js';
import { configShow } from './commands/config-show.js';
import { crontabReset, crontabResume, crontabShow, crontabStop } from './commands/crontab-jobs.js';
import { crontabRun } from './commands/crontab-run.js';
import { logReopen } from './commands/log-reopen.js';
import { messageShow } from './commands/message-show.js';
import { ping } from './commands/ping.js';
import { processKill } from './commands/process-kill.js';
import { processShow } from './commands/process-show.js';
import { serverReload } from './commands/server-reload.js';
import { serverStatus } from './commands/server-status.js';
import { serverStop } from './commands/server-stop.js';
import { taskReboot } from './commands/task-reboot.js';
import { taskStatus } from './commands/task-status.js';
import { userShow } from './commands/user-show.js';
import type { ControlHandlers } from './control-handlers.js';

export interface HandlersParts {
  readonly program: LaunchedProgram;
  readonly options: Pick<RunMasterOptions, 'loadOptions' | 'version' | 'console'>;
  readonly live: LiveConfig;
  readonly supervisor: Supervisor;
  readonly stop: NodeStop;
  readonly relays: Relays;
  /** Processes are replaced by one at a time. */
  readonly replacing: OneAtATime;
  readonly replacer: Replacer;
  readonly workerCount: WorkerCount;
  readonly environment: Environment;
  /** Unix ms. */
  readonly startedAt: number;
  readonly figures: OwnFigures;
  readonly versions: ProgramVersions;
  /** Asks all children, then adds up. */
  readonly sums: () => Promise<ChildStats>;
  /** Asks all processes. */
  readonly troubles: () => Promise<readonly ProcessTroubles[]>;
  /** Every process opens the log file anew. */
  readonly reopenLogs: () => number;
  readonly listen: () => string;
  readonly effectiveMaxLinks: () => number;
  readonly shortage: (config: Config) => string | null;
  readonly door: Pick<FrontDoor, 'counts'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly notifier: Notifier;
}

export function assembleHandlers(parts: HandlersParts): ControlHandlers {
  const { options, live, supervisor, stop, relays, replacing, replacer, workerCount, clock, log } = parts;
  const { startedAt } = parts;
  const { mode, env, paths } = live.current;
  const place = { env, paths };
  const configuring = new OneAtATime();
  const statsOf = (child: Child): Promise<ChildStats | null> => askStats(child, log);
  const slots = (): readonly Slot[] => supervisor.slots;
  const childrenOf = (slot: Slot): Child[] => supervisor.childrenOf(slot);
  const workers = (): Slot[] => supervisor.slotsOf('worker');
  const taskWorkers = (): Slot[] => supervisor.slotsOf('task');
  const scheduler = (): Child | undefined => supervisor.ready('crontab')[0];
  return {
    ping: ping({
      mode,
      settings: options.loadOptions.settings ?? {},
      background: options.console === 'none',
      environment: parts.environment,
      config: () => live.current,
    }),
    'server.status': serverStatus({
      config: () => live.current,
      listen: parts.listen,
      effectiveMaxLinks: parts.effectiveMaxLinks,
      door: () => parts.door.counts,
      sums: parts.sums,
      troubles: parts.troubles,
      figures: parts.figures,
      versions: () => parts.versions.list(),
      workers: () => supervisor.ready('worker'),
      taskWorkers: () => supervisor.ready('task'),
      crashLoops: () => slots().flatMap(({ crashLoop, name }) => (crashLoop ? [name] : [])),
      log,
    }),
    'server.stop': serverStop(async (reason, progress) => {
      await stop.stop(reason, { progress });
    }),
    'server.reload': serverReload({
      live,
      program: parts.program,
      notifier: parts.notifier,
      load: () => loadApart({ ...options.loadOptions, place }),
      workers,
      hookProcesses: () => [...taskWorkers(), ...supervisor.slotsOf('crontab')],
      replacer,
      workerCount,
      rereadTls: () => {
        for (const { peer } of supervisor.ready('worker')) peer.note('tls.reload', {});
      },
      replacing,
      configuring,
      clock,
      log,
    }),
    'process.show': processShow({
      mode,
      version: parts.versions.own,
      startedAt,
      slots,
      childrenOf,
      figures: processFigures(log),
      statsOf,
    }),
    'process.kill': processKill({ mode, slots, childrenOf, replacing, replacer, clock }),
    'crontab.show': crontabShow(scheduler),
    'crontab.stop': crontabStop(scheduler),
    'crontab.resume': crontabResume(scheduler),
    'crontab.reset': crontabReset(scheduler),
    'crontab.run': crontabRun({ scheduler, taskSeconds: () => live.current.system.TaskSeconds }),
    'task.status': taskStatus({ taskWorkers, statsOf, queued: () => relays.tasks.queued }),
    'task.reboot': taskReboot({ taskWorkers, replacing, replacer, clock }),
    'user.show': userShow(() => supervisor.ready('worker')),
    'message.show': messageShow(() => supervisor.ready('worker')),
    'log.reopen': logReopen(parts.reopenLogs),
    'config.show': configShow({
      version: options.version,
      live,
      readAgain: () => readAgain({ ...options.loadOptions, place }),
    }),
    'config.set': configSet({ live, configuring, replacing, workerCount, shortage: parts.shortage, log }),
  };
}
