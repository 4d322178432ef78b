/**
 * `server.reload`: reads the configuration again, lets its live keys count at once, and puts a new Worker in the place of
 * each, one after the other; it gets the connections of the old one. New processes run the newest build. A faulty
 * configuration changes nothing; a new Worker that does not come up, or does not take the connections, ends the reload there,
 * and the configuration goes back to what it was. Own jobs and tasks that have changed come last: the processes that run them
 * are replaced, and a failure there is told.
 */

import type { Hooks } from '../../../platform/config/bootstrap-hooks.js';
import { type ConfigChange, changeConfig } from '../../../platform/config/config-change.js';
import { sourceText } from '../../../platform/config/config-source.js';
import { type HiddenEdit, hiddenEdits } from '../../../platform/config/hidden-edits.js';
import {
  type HookChanges,
  hasHookChanges,
  hookChanges,
  hookRows,
  hooksDigest,
} from '../../../platform/config/hook-changes.js';
import type { LoadedConfig } from '../../../platform/config/load-config.js';
import type { Log } from '../../../platform/log/log.js';
import { type Notifier, silentNotifier } from '../../../platform/notify/notifier.js';
import type { LaunchedProgram } from '../../../platform/program/launched-program.js';
import { type Clock, msSince } from '../../../shared/base/clock.js';
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';
import { shortGroup } from '../../../shared/domain/role.js';
import type { HiddenEditRow } from '../../../shared/protocol/control-commands.js';
import { nameChangesText } from '../../../shared/protocol/name-changes.js';
import { addMoved, type Moved, movedText, NOTHING_MOVED } from '../../handoff/moved.js';
import type { LiveConfig } from '../../live-config.js';
import type { OneAtATime } from '../../supervisor/one-at-a-time.js';
import type { ReplaceProgress, Replacer } from '../../supervisor/replace.js';
import type { Slot } from '../../supervisor/slot.js';
import type { WorkerCount } from '../../supervisor/worker-count.js';
import { type ControlHandler, type Progress, progressTo } from '../control-handlers.js';

export interface ServerReloadDeps {
  readonly live: LiveConfig;
  readonly program: Pick<LaunchedProgram, 'renew'>;
  /** Loads the configuration of the environment that runs; throws CONFIG_INVALID with all faults. */
  readonly load: () => Promise<LoadedConfig>;
  readonly workers: () => readonly Slot[];
  /** Those who run own jobs and tasks, in the order in which they are replaced: TaskWorkers, then the CrontabScheduler. */
  readonly hookProcesses: () => readonly Slot[];
  readonly replacer: Pick<Replacer, 'replace'>;
  readonly workerCount: Pick<WorkerCount, 'now' | 'change'>;
  /** Certificate files are read again. */
  readonly rereadTls: () => void;
  readonly replacing: OneAtATime;
  readonly configuring: OneAtATime;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  /** The service manager is told that a reload has begun, and that it is over. */
  readonly notifier?: Pick<Notifier, 'reloading' | 'ready'>;
}

export function serverReload(deps: ServerReloadDeps): ControlHandler<'server.reload'> {
  const {
    live,
    program,
    load,
    rereadTls,
    replacing,
    configuring,
    clock,
    log,
    notifier = silentNotifier,
  } = deps;

  /** What the processes were to run with after the last reload that replaced all of them: the report says what differs from it. */
  let hooksNow = live.state.loaded.hooks;

  async function reload(progress: Progress) {
    const begunAt = clock.moment();
    const before = live.state;
    const loaded = await load();
    const change = changeConfig(before.config, loaded.config, loaded.pushEnv);
    const renewed = program.renew();
    const { applied, notApplied } = change;
    const hidden = hiddenEdits(before.loaded, loaded);
    progress({ text: changeText(change), detail: { applied, notApplied } });
    log.info('reload.begun', { applied: applied.join(', '), notApplied: notApplied.join(', ') });
    for (const { key, by } of hidden) log.warn('reload.hidden', { key, by: sourceText(by) });
    if (renewed.changedTo !== null) {
      progress({ text: `new processes run the program in ${renewed.changedTo}` });
      log.info('program.renewed', { folder: renewed.changedTo });
    }
    live.reload(change.config, loaded);
    rereadTls();
    const workersBefore = deps.workerCount.now;
    try {
      const { workers, moved } = await renewWorkers(deps, change.config.system.WorkerNum, progress);
      const hooks = hookChanges(hooksNow, loaded.hooks);
      const hooksFailed = await renewHooks(deps, { hooks: loaded.hooks, changes: hooks }, progress);
      if (hooksFailed === null) hooksNow = loaded.hooks;
      const seconds = Math.round(msSince(clock, begunAt) / 10) / 100;
      const { kept, closed, closedBy, longestPauseMs } = moved;
      log.info('reload.done', { workers, kept, closed, longestPauseMs, seconds });
      return {
        workers,
        kept,
        closed,
        closedBy: { ...closedBy },
        seconds,
        longestPauseMs: Math.round(longestPauseMs * 10) / 10,
        applied: [...applied],
        notApplied: [...notApplied],
        hidden: hidden.map(hiddenRow),
        ...hookRows(hooks),
        hooksFailed,
      };
    } catch (error) {
      log.error('reload.failed', { error: errorText(error) });
      live.goBackTo(before);
      renewed.undo();
      await backTo(deps, workersBefore, progress);
      throw error;
    }
  }

  async function toldReload(progress: Progress) {
    notifier.reloading();
    try {
      return await reload(progress);
    } finally {
      notifier.ready();
    }
  }

  return (_args, progress) =>
    replacing.run('a reload', () => configuring.run('a reload', () => toldReload(progress)));
}

interface Renewed {
  /** Workers that were replaced. */
  readonly workers: number;
  readonly moved: Moved;
}

/** Fewer Workers first, so that none is replaced that goes anyway; more of them last, when the others have come up. */
async function renewWorkers(deps: ServerReloadDeps, count: number, progress: Progress): Promise<Renewed> {
  const { workerCount } = deps;
  const tell = progressTo(progress);
  const fewer = workerCount.now > count ? await workerCount.change(count, tell) : NOTHING_MOVED;
  const { workers, moved } = await replaceWorkers(deps, progress, tell);
  if (workerCount.now < count) await workerCount.change(count, tell);
  return { workers, moved: addMoved(fewer, moved) };
}

async function replaceWorkers(
  { workers, replacer }: ServerReloadDeps,
  progress: Progress,
  tell: ReplaceProgress,
): Promise<Renewed> {
  const slots = workers();
  let done = 0;
  let moved = NOTHING_MOVED;
  for (const slot of slots) {
    try {
      const replaced = await replacer.replace(slot, 'server reload', tell);
      const { kept, closed, longestPauseMs } = replaced;
      done += 1;
      moved = addMoved(moved, replaced);
      progress({
        text: `${shortGroup(slot.role)}.${slot.index} replaced (${done}/${slots.length}): ${movedText(replaced)}`,
        detail: { pid: replaced.child.pid, kept, closed, longestPauseMs },
      });
    } catch (error) {
      if (!isSpushError(error)) throw error;
      const said = `${error.message}; ${done} of ${slots.length} Workers were replaced, the configuration is what it was`;
      throw new SpushError(error.code, said, { cause: error });
    }
  }
  return { workers: done, moved };
}

/**
 * Replaces the processes whose own jobs and tasks are not those of `hooks`: a process reads them when it starts, which may have
 * been at any time since the last reload. TaskWorkers first, so that a new job finds its task.
 *
 * Pushes need neither, so a failure ends nothing. Returns the reason of a failure, else null.
 */
async function renewHooks(
  { hookProcesses, replacer, log }: ServerReloadDeps,
  { hooks, changes }: { hooks: Hooks; changes: HookChanges },
  progress: Progress,
): Promise<string | null> {
  const digest = hooksDigest(hooks);
  // Where no process is, the next one reads the file when it starts.
  const slots = hookProcesses().filter(({ child }) => child !== null && child.hooks !== digest);
  if (slots.length === 0) return null;
  const tell = progressTo(progress);
  const why = hasHookChanges(changes)
    ? `own jobs: ${nameChangesText(changes.jobs)}; own tasks: ${nameChangesText(changes.tasks)}`
    : 'own jobs and tasks: unchanged since the last reload, but some processes have loaded others';
  tell(`${why}; their processes are replaced`);
  let done = 0;
  for (const slot of slots) {
    try {
      const { child } = await replacer.replace(slot, 'server reload', tell);
      done += 1;
      tell(`${child.name} replaced (${done}/${slots.length})`, { pid: child.pid });
    } catch (error) {
      if (!isSpushError(error) || error.code === 'SHUTTING_DOWN') throw error;
      log.error('reload.hooksFailed', { replaced: done, of: slots.length, error: error.message });
      return `${error.message}; ${done} of ${slots.length} processes with own jobs and tasks were replaced`;
    }
  }
  return null;
}

/** The reason of the failure counts, not that of the way back. */
async function backTo(
  { workerCount, log }: ServerReloadDeps,
  count: number,
  progress: Progress,
): Promise<void> {
  if (workerCount.now === count) return;
  try {
    await workerCount.change(count, progressTo(progress));
  } catch (error) {
    log.error('workers.notBack', { workers: workerCount.now, before: count, error: errorText(error) });
  }
}

function hiddenRow({ key, by }: HiddenEdit): HiddenEditRow {
  return { key, by: by.kind, variable: by.kind === 'environment' ? by.name : null };
}

function changeText({ applied, notApplied }: ConfigChange): string {
  const now =
    applied.length === 0
      ? 'no live key has changed'
      : `${applied.join(', ')} ${applied.length === 1 ? 'counts' : 'count'} now`;
  const later = notApplied.length === 0 ? '' : `; needs a restart: ${notApplied.join(', ')}`;
  return `configuration read: ${now}${later}`;
}
